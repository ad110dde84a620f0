"""`runs show`: what a run came to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_reported import one_label
from tests.cli.test_reported_tagging import tagged
from tests.projects import Done, Work


def leave(folder: Path, name: str, report: dict[str, Any] | None = None, **facts: Any) -> None:
    """A run's directory, as a command would have left it."""
    run = folder / "runs" / name
    run.mkdir(parents=True)
    known = {
        "id": name,
        "status": "finished",
        "recipe": "a.toml",
        "started": f"2026-11-2{len(facts)}",
    }
    (run / "run.json").write_text(json.dumps({**known, **facts}))
    (run / "metrics.json").write_text(json.dumps({f"{facts['stage']}/f1": 0.5}))
    if report is not None:
        (run / "report.json").write_text(json.dumps({"splits": {"test": report}}))


@pytest.fixture
def runs(work: Work) -> Path:
    """A training and its test."""
    leave(work.folder, "t1", stage="train")
    facts = {"parent": "t1", "checkpoint": "best", "rows": 1000}
    leave(work.folder, "s1", tagged(50), stage="test", **facts)
    return work.folder


def test_a_test_is_shown_with_all_that_its_report_has(runs: Path, cli: Callable[..., Done]):
    """Every type, however many, and all of the worst rows."""
    done = cli("runs", "show", "s1")

    lines = done.out.splitlines()
    assert lines[0].split() == ["run", "runs/s1,", "finished"]
    assert any(line.split() == ["tested", "best", "checkpoint", "of", "t1,", "1,000", "rows"]
               for line in lines)  # fmt: skip
    assert any(line.split() == ["test/f1", "0.5000"] for line in lines)
    assert sum(line.startswith("  type-") for line in lines) == 50
    assert sum("of 3 words" in line for line in lines) == 5


def test_a_training_is_shown_with_its_test(runs: Path, cli: Callable[..., Done]):
    """Whose tables follow."""
    lines = cli("runs", "show", "t1").out.splitlines()

    assert [line.split()[1] for line in lines if line.startswith("  run ")] == [
        "runs/t1,", "runs/s1,",
    ]  # fmt: skip
    assert any(line.startswith("  type-0") for line in lines)


def test_without_a_name_it_is_the_newest_test(runs: Path, cli: Callable[..., Done]):
    """Else the newest run; where there is none that is said."""
    leave(runs, "t2", stage="train", parent="", rows=1, more=1, started="2026-12-01")

    assert cli("runs", "show").out.splitlines()[0].split()[1] == "runs/s1,"


def test_runs_show_has_json(runs: Path, cli: Callable[..., Done]):
    """A list of runs, tests with their report, whole."""
    (first, second) = json.loads(cli("runs", "show", "t1", "--json").out)

    assert (first["run"], "report" in first) == ("t1", False)
    assert second["metrics"] == {"test/f1": 0.5}
    assert second["report"]["test"]["spans"]["micro"]["f1"] == pytest.approx(1 / 3, abs=1e-4)


def test_a_run_of_labels_is_shown_too(work: Work, cli: Callable[..., Done]):
    """All its classes, which a test's own lines had no room for."""
    leave(work.folder, "s1", one_label(60), stage="test")

    lines = cli("runs", "show").out.splitlines()

    assert sum(line.startswith("  label-") for line in lines) == 60


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["nope"], "no run 'nope'"), ([], "no runs in runs; mlrecipe run RECIPE makes some")],
)
def test_a_run_that_is_not_there_is_an_error(
    work: Work, cli: Callable[..., Done], arguments: list[str], message: str
):
    """With what there is, or how to make one."""
    done = cli("runs", "show", *arguments)

    assert done.code == 2
    assert message in done.err
