"""`runs list`: conditions, order, and the keys in which runs differ."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

from mlrecipe.cli import listed
from mlrecipe.cli.conditions import parse
from mlrecipe.runs.index import PLACE, entries
from mlrecipe.runs.run import Run, create
from tests.libraries import HEAVY
from tests.projects import ROOT, Done, Work

Cli = Callable[..., Done]


def make(
    work: Work, *, lr: float = 0.1, f1: float = 0.5, more: str = "", status: str = "finished",
    stage: str = "train", **facts: Any,
) -> Run:  # fmt: skip
    """A run with a recipe of a few keys."""
    run = create(work.folder, name="small", stage=stage, recipe="small.toml", **facts)
    (run.folder / "recipe.resolved.toml").write_text(
        f'name = "small"\nrelative_to = "."\n[train]\nmonitor = "valid/f1"\nbatch_size = 16\n'
        f"optimizer = {{ lr = {lr}, eps = 1e-8 }}\n{more}\n[run]\nname = '{run.id}'\n"
    )
    run.write("metrics.json", {"valid/f1": f1, "valid/loss": 1 - f1})
    return run.finish(status)  # type: ignore[arg-type]


@pytest.fixture
def sweep(work: Work) -> list[Run]:
    """Three trainings of two rates, and a failed one."""
    return [
        make(work, lr=0.1, f1=0.5, tags=["a", "b"]), make(work, lr=0.2, f1=0.75, tags=["b"]),
        make(work, lr=0.2, f1=0.625), make(work, lr=0.3, f1=0.0, status="failed"),
    ]  # fmt: skip


def chosen(cli: Cli, *arguments: str) -> list[str]:
    """Ids that are listed."""
    return [run["run"] for run in json.loads(cli("runs", "list", *arguments, "--json").out)]


@pytest.mark.usefixtures("sweep")
def test_only_the_keys_that_differ_are_columns(
    cli: Cli, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By their last part where that says which; not the ones that say how a run is called."""
    monkeypatch.setenv("COLUMNS", "160")
    done = cli("runs", "list")

    header, *rows = done.out.splitlines()
    assert header.split() == [
        "run", "stage", "recipe", "status", "metric", "duration", "age", "tags", "lr",
    ]  # fmt: skip
    assert [row.split()[-1] for row in rows] == ["0.3", "0.2", "0.2", "0.1"]
    make(work, more="warmup = 3")
    assert cli("runs", "list").out.splitlines()[0].split()[-2:] == ["lr", "warmup"]


def test_names_of_keys_are_as_short_as_tells_them_apart() -> None:
    """A name that is a column's own is no name of a key."""
    keys = ["train.optimizer.lr", "a.use", "b.use", "x.a.use", "nodes.table.status"]

    names = listed.short_names(keys)

    assert names == {
        "train.optimizer.lr": "lr", "a.use": "a.use", "b.use": "b.use", "x.a.use": "x.a.use",
        "nodes.table.status": "table.status",
    }  # fmt: skip


def test_keys_that_find_no_room_are_told(
    cli: Cli, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many columns as fit; what all runs have in common goes first, and all keys come when asked for."""
    for number in range(2):
        make(work, more="\n".join(f"key{n} = '{'x' * 18}{number}'" for n in range(5)))
    monkeypatch.setenv("COLUMNS", "130")

    some, whole = cli("runs", "list"), cli("runs", "list", "--all-keys")

    assert all(len(line) <= 130 for line in some.out.splitlines())
    assert some.out.splitlines()[0].split()[-3:] == ["age", "key0", "key1"]
    assert "all: stage train, recipe small.toml" in some.err
    assert "3 more keys differ, shown by --all-keys: train.key2, train.key3" in some.err
    assert whole.out.splitlines()[0].split()[-6:] == ["age", *(f"key{n}" for n in range(5))]
    assert whole.err == ""


@pytest.mark.parametrize(
    ("condition", "numbers"),
    [
        ("valid/f1>0.5", [2, 1]),
        ("f1>=0.5", [2, 1, 0]),
        ("f1 < 0.5", [3]),
        ("lr=0.2", [2, 1]),
        ("train.optimizer.lr!=0.2", [3, 0]),
        ("status=failed", [3]),
        ("status!=failed and lr<=0.1", [0]),
        ("lr=0.1 or lr=0.3", [3, 0]),
        ("lr=0.1 or lr=0.2 and f1>0.7", [1, 0]),
        ("tags=b", [1, 0]),
        ("tags!=a", [3, 2, 1]),
        ("recipe~SMALL", [3, 2, 1, 0]),
        ("recipe = 'small.toml'", [3, 2, 1, 0]),
        ("age<1h", [3, 2, 1, 0]),
        ("age>1d", []),
        ("started>2020-01", [3, 2, 1, 0]),
        ("started<2020-01-02", []),
        ("parent=x", []),
        ("parent!=x", [3, 2, 1, 0]),
    ],
)
def test_runs_are_chosen_by_conditions(
    cli: Cli, sweep: list[Run], condition: str, numbers: list[int]
) -> None:
    """Of facts, metrics and keys; a run that lacks what is compared is not chosen."""
    assert chosen(cli, "--where", condition) == [sweep[number].id for number in numbers]


def test_several_conditions_must_all_hold(cli: Cli, sweep: list[Run]) -> None:
    """As if they were joined by `and`."""
    assert chosen(cli, "--where", "lr=0.2", "--where", "f1>0.7") == [sweep[1].id]


@pytest.mark.usefixtures("sweep")
@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("f1", "is no condition; such as"),
        ("f1>0.5 and", "is no condition"),
        ("__import__('os').system('touch x')>1", "is no condition"),
        ("valid/f>0.5", "no run has 'valid/f'; did you mean 'valid/f1'?"),
        ("status>1", "'status' is no number, such as 'failed'"),
        ("f1>high", "> needs a number, not 'high'"),
        ("age>soon", "'soon' is no time; such as 30d"),
        ("use=x", "no run has 'use'"),
    ],
)
def test_recipe_37_a_condition_that_cannot_be_read_is_an_error(
    cli: Cli, work: Work, condition: str, said: str
) -> None:
    """With what is wrong with it; nothing of it is executed."""
    done = cli("runs", "list", "--where", condition)

    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert not (work.folder / "x").exists()


def test_a_part_that_means_several_keys_is_an_error(cli: Cli, work: Work) -> None:
    """It names them."""
    make(work, more="other = { lr = 1 }")

    done = cli("runs", "list", "--where", "lr=1")

    assert done.code == 2
    assert "may be any of train.optimizer.lr, train.other.lr" in done.err


def test_a_metric_is_meant_whatever_split_it_is_of(cli: Cli, work: Work) -> None:
    """A training has it of its validation, a test of its own split; of two in one run it is an error."""
    run, test = make(work, f1=0.75), make(work, stage="test")
    test.write("metrics.json", {"test/f1": 0.5})

    assert chosen(cli, "--where", "f1>0.1", "--sort", "f1") == [test.id, run.id]
    test.write("metrics.json", {"test/f1": 0.5, "test/worst/f1": 0.25})
    assert "'f1' may be any of test/f1, test/worst/f1" in cli("runs", "list", "--where", "f1>0").err


def test_of_several_keys_the_one_that_differs_is_meant(cli: Cli, work: Work) -> None:
    """As it is in the list, where it has the column of that name."""
    first, _ = (
        make(work, lr=1, more="other = { lr = 1 }"),
        make(work, lr=2, more="other = { lr = 1 }"),
    )

    assert chosen(cli, "--where", "lr=1") == [first.id]


def test_conditions_are_read_as_written() -> None:
    """Names may be quoted, `and` binds closer than `or`."""
    found = parse("a=1 and \"b c\" != 'd and e' or f<=2e-5")

    assert [[(c.key, c.sign, c.value) for c in each] for each in found] == [
        [("a", "=", "1"), ("b c", "!=", "d and e")], [("f", "<=", "2e-5")],
    ]  # fmt: skip


def test_runs_are_sorted_and_cut(cli: Cli, sweep: list[Run], work: Work) -> None:
    """By any value, the smallest or the largest first; those without one come last."""
    bare = create(work.folder, name="x", stage="train", recipe="x.toml")
    ids = [run.id for run in sweep]

    assert chosen(cli, "--sort", "f1-") == [ids[1], ids[2], ids[0], ids[3], bare.id]
    assert chosen(cli, "--sort", "valid/f1", "--limit", "2") == [ids[3], ids[0]]
    assert chosen(cli, "--sort", "status")[:2] == [ids[3], ids[2]]
    assert cli("runs", "list", "--sort", "nothing").code == 2


def test_sizes_are_shown_when_asked_for(cli: Cli, work: Work) -> None:
    """As a column, and as bytes in JSON."""
    run = make(work)
    (run.folder / "weights").write_bytes(b"x" * 5_000_000)

    done = cli("runs", "list", "--sizes")
    (facts,) = json.loads(cli("runs", "list", "--sizes", "--json").out)

    assert "size" in done.out.splitlines()[0]
    assert "5.0 MB" in done.out
    assert facts["bytes"] > 5_000_000


def test_the_commit_is_shown_with_its_changes(cli: Cli, work: Work) -> None:
    """Seven digits, and a plus where something was not committed."""
    for dirty in (False, True):
        make(work).write("env.json", {"git": {"commit": "0123456789", "dirty": dirty}})

    rows = cli("runs", "list").out.splitlines()[1:]

    assert [row.split()[-1] for row in rows] == ["0123456+", "0123456"]


def test_recipe_49_a_killed_run_is_listed_as_crashed(work: Work) -> None:
    """A real process, killed: `running` before, `crashed` after."""
    code = (
        "import pathlib, sys, time; from mlrecipe.runs.run import create\n"
        "create(pathlib.Path.cwd(), name='x', stage='train', recipe='r')\n"
        "print('made', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=work.folder, text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "made\n"
        (before,) = entries(work.folder)
        assert before.run.status == "running"
        process.send_signal(signal.SIGKILL)
        process.wait()

    done = work.run("runs", "list")

    assert "crashed" in done.out
    assert "running" not in done.out


@pytest.mark.usefixtures("sweep")
def test_recipe_50_without_its_index_the_list_is_the_same(cli: Cli, work: Work) -> None:
    """Table and JSON, byte for byte."""
    first = [cli("runs", "list").out, cli("runs", "list", "--json").out]

    (work.folder / PLACE).unlink()

    assert [cli("runs", "list").out, cli("runs", "list", "--json").out] == first
    assert (work.folder / PLACE).is_file()


@pytest.mark.usefixtures("sweep")
def test_runs_list_with_everything_is_light(work: Work) -> None:
    """Conditions, order and keys import none of the heavy libraries, nor what reads recipes."""
    done = work.python(f"""
        import sys
        from mlrecipe.cli.app import run
        code = run(["runs", "list", "--where", "f1>0.1", "--sort", "lr"])
        print(code, *sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)
    """)

    assert done.err.splitlines()[-1] == "0"


def test_a_name_means_the_column_that_is_called_so(cli: Cli, work: Work) -> None:
    """The recipe's `epochs`, which tests and unfinished runs have too; how many there were is `run.epochs`."""
    two = make(work, more="epochs = 2").update(epochs=1)
    test = make(work, more="epochs = 2", stage="test")
    make(work, more="epochs = 3").update(epochs=2)

    assert chosen(cli, "--where", "epochs=2") == [test.id, two.id]
    assert chosen(cli, "--where", "run.epochs=1") == [two.id]
    assert chosen(cli, "--sort", "epochs")[:2] == [test.id, two.id]
    assert cli("runs", "rm", "--where", "epochs=2", "--yes").code == 0
    assert len(chosen(cli)) == 1


def test_a_column_is_not_called_as_a_metric_or_a_fact(cli: Cli, work: Work) -> None:
    """Else a condition on it would mean something else than what is shown."""
    for number in (1, 2):
        make(work, more=f"x.f1 = {number}\nx.host = {number}\nx.duration = {number}")

    header = cli("runs", "list", "--all-keys").out.splitlines()[0].split()

    assert header[-3:] == ["x.f1", "x.host", "x.duration"]
    assert len(chosen(cli, "--where", "x.f1=2")) == 1


def test_a_table_that_some_have_is_one_column(cli: Cli, work: Work) -> None:
    """It can be asked for by its name."""
    node = "[evaluate.nodes.scaled]\nuse = 'scale'\nfolds = 5\nbins = 3"
    other = "[evaluate.nodes.other]\nuse = 'x'\nfolds = 5"
    without, having = make(work, more=other), make(work, more=f"{other}\n{node}")

    header, *rows = cli("runs", "list").out.splitlines()

    assert (header.split()[-1], rows[0].split()[-1]) == ("scaled", "there")
    assert not rows[1].endswith("there")
    assert chosen(cli, "--where", "scaled=there") == [having.id]
    assert chosen(cli, "--where", "scaled!=there") == [without.id]


@pytest.mark.parametrize("columns", [80, 90, 110])
def test_in_a_narrow_terminal_keys_come_before_facts(
    cli: Cli, work: Work, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    """No line is longer than it is wide; what is named comes first, lists last."""
    for number in range(3):
        make(
            work, lr=0.1 + number, stage="test" if number == 2 else "train", tags=["final"],
            more=f"metrics = ['a', '{number}']\nlabel = '{'x' * 20}{number % 2}'\nseed = 4{number}",
        )  # fmt: skip
    monkeypatch.setenv("COLUMNS", str(columns))

    plain, named = cli("runs", "list"), cli("runs", "list", "--sort", "label")

    for line in [*plain.out.splitlines(), *plain.err.splitlines(), *named.out.splitlines()]:
        assert len(line) <= columns
    assert {"lr", "seed"} <= set(plain.out.splitlines()[0].split())
    assert "label" in named.out.splitlines()[0].split()
    assert all(cli("runs", "show", row.split()[0]).code == 0 for row in plain.out.splitlines()[1:])


def test_in_a_pipe_nothing_is_cut(cli: Cli, work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every key that differs has a column, with its whole value."""
    runs = [make(work, more=f"text = '{'x' * 200}{number}'") for number in range(2)]
    monkeypatch.delenv("COLUMNS")

    done = cli("runs", "list")

    rows = done.out.splitlines()[1:]
    assert [row.split()[0] for row in rows] == [run.id for run in reversed(runs)]
    assert [row.split()[-1] for row in rows] == [f"{'x' * 200}1", f"{'x' * 200}0"]
    assert done.err == ""


@pytest.mark.usefixtures("sweep")
@pytest.mark.parametrize(
    ("arguments", "said", "code"),
    [
        (("--where", "status=finshed"), "no status 'finshed'; did you mean 'finished'?", 2),
        (("--where", "stage=trian"), "did you mean 'train'?", 2),
        (("--tag", "c"), "known: a, b", 0),
    ],
)
def test_a_word_that_is_none_is_told(
    cli: Cli, arguments: tuple[str, str], said: str, code: int
) -> None:
    """With what may be meant."""
    done = cli("runs", "list", *arguments)

    assert (done.code, said in done.err) == (code, True)


def test_what_is_no_number_is_never_the_best(cli: Cli, sweep: list[Run], work: Work) -> None:
    """A metric that is NaN comes last, whichever way."""
    odd = make(work)
    odd.write("metrics.json", {"valid/f1": float("nan")})

    assert chosen(cli, "--sort", "f1-")[-1] == odd.id
    assert chosen(cli, "--sort", "f1")[-1] == odd.id
