"""Runs whose `run.json` is not what it should be: the others are none the worse."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from mlrecipe.runs.run import Run, create
from tests.projects import Done, Work

Cli = Callable[..., Done]


@pytest.fixture
def whole(work: Work) -> Run:
    """A run that is as it should be."""
    return create(work.folder, name="a", stage="train", recipe="a.toml").finish("finished")


def odd(work: Work, *, stage: str = "test", **facts: Any) -> Run:
    """A finished run with other facts; those that are `...` are not there."""
    made = create(work.folder, name="b", stage=stage, recipe="b.toml").finish("finished")
    said = {**made.facts, **facts}
    left = {name: fact for name, fact in said.items() if fact is not ...}
    (made.folder / "run.json").write_text(json.dumps(left))
    return made


ODD = [
    *({"status": value} for value in (None, 5, ["x"], {"a": 1}, "done")),
    *({"stage": value} for value in (5, ["test"])),
    {"recipe": []}, {"parent": ["x"]}, {"parent": "../x"}, {"parent": {}}, {"rows": None}, {"rows": [1]},
    {"rows": "many"}, {"splits": 5}, {"splits": {"test": "x"}}, {"tags": 5}, {"tags": [["x"]]},
    {"started": 5}, {"ended": ["x"]}, {"seconds": "x"}, {"seconds": 10**400}, {"group": {}},
    {"host": 5}, {"pid": "x"}, {"name": "\ud800"}, {"unlabelled": 5}, {"split": 5}, {"imported": 5},
    {"checkpoint": []}, {"cause": {}},
]  # fmt: skip


@pytest.mark.parametrize("facts", ODD, ids=str)
def test_a_run_with_odd_facts_is_listed_with_the_others(
    cli: Cli, work: Work, whole: Run, facts: dict[str, Any]
) -> None:
    """Shown without them, or as damaged; no command about runs ends in a traceback."""
    bad = odd(work, **facts)

    commands = (
        ["list"], ["list", "--json"], ["list", "--where", "status!=failed", "--sort", "rows"],
        ["show", bad.id], ["show", bad.id, "--json"], ["show", whole.id], ["diff", whole.id, bad.id],
        ["tag", bad.id, "new"], ["export", bad.id, "-o", "x.tar.gz"], ["export", whole.id, "-o", "y.tar.gz"],
        ["rm", bad.id, "--yes"],
    )  # fmt: skip
    done = {" ".join(command[:2]): cli("runs", *command) for command in commands}

    assert {each.code for each in done.values()} <= {0, 2}
    assert whole.id in done["list"].out
    assert bad.id in done["list"].out
    assert done["rm " + bad.id].code == 0
    assert not bad.folder.exists()


def test_a_damaged_run_is_shown_as_that_and_not_used(cli: Cli, work: Work) -> None:
    """What is left of it is shown; of what cannot be done the reason is said."""
    bad = odd(work, status="done", rows="x")

    assert cli("runs", "list").out.splitlines()[1].split()[3] == "damaged"
    assert "its run.json has no status, rows that can be read" in cli("runs", "show", bad.id).out
    for command in (["runs", "replay"], ["report"], ["runs", "export"], ["runs", "tag", bad.id]):
        done = cli(*command, bad.id) if "tag" not in command else cli(*command, "new")
        assert done.code == 2
        assert f"run {bad.id} is damaged" in done.err


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("rows>=", "'rows>=' has no value behind 'rows>='"),
        ("rows==", "has no value behind 'rows=='"),
        ("rows>= and status=finished", "has no value behind 'rows>='"),
        ("status=finished and rows<", "has no value behind 'rows<'"),
        ("age>nan", "'nan' is no number to compare with"),
        ("seconds=NaN", "'NaN' is no number to compare with"),
    ],
)  # fmt: skip
def test_a_condition_without_a_value_says_so(
    cli: Cli, work: Work, condition: str, said: str
) -> None:
    """Nothing can be compared with nothing, or with what is no number."""
    odd(work, seconds=1.5)

    done = cli("runs", "list", "--where", condition)

    assert done.code == 2
    assert said in done.err


def test_a_signal_behind_the_end_of_a_command_is_not_heard() -> None:
    """All is done by then: only Python itself still ends."""
    code = (
        "import atexit, os, signal, sys; from mlrecipe.cli import entry\n"
        "atexit.register(lambda: os.kill(os.getpid(), signal.SIGTERM))\n"
        "sys.argv = ['mlrecipe', '--version']; entry.main()"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
