"""The commands about runs: which there are, and removing one."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlrecipe.runs.run import Run, create
from tests.libraries import HEAVY
from tests.projects import Done, Work

Cli = Callable[..., Done]


def make(
    work: Work, name: str = "small", *, stage: str = "train", status: str = "finished",
    metrics: dict[str, float] | None = None, monitor: str = "valid/f1", **facts: Any,
) -> Run:  # fmt: skip
    """A run directory as a stage leaves it."""
    run = create(work.folder, name=name, stage=stage, recipe=f"{name}.toml", **facts)
    (run.folder / "recipe.resolved.toml").write_text(f'[train]\nmonitor = "{monitor}"\n')
    (run.folder / "checkpoints" / "best").mkdir(parents=True)
    (run.folder / "checkpoints" / "best" / "model.safetensors").write_bytes(b"x" * 2000)
    if metrics:
        run.write("metrics.json", metrics)
    return run.finish(status) if status != "running" else run  # type: ignore[arg-type]


def files(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, and what is in it."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_runs_are_listed_newest_first_with_the_metric_that_counts(
    cli: Cli, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Id, stage, recipe, status, what the recipe monitors, age and tags."""
    monkeypatch.setenv("COLUMNS", "160")
    first = make(work, metrics={"valid/loss": 0.5, "valid/accuracy": 0.7, "valid/f1": 0.625})
    second = make(work, stage="test", metrics={"test/loss": 0.5, "test/f1": 0.5}, parent=first.id)
    third = make(work, "other", status="failed", tags=["final", "v2"])

    lines = cli("runs", "list").out.splitlines()

    assert [line.split()[0] for line in lines[1:]] == [third.id, second.id, first.id]
    assert lines[1].split()[1:] == [
        "train",
        "other.toml",
        "failed",
        "0.0",
        "s",
        "now",
        "final,",
        "v2",
    ]
    assert lines[2].split()[1:6] == ["test", "small.toml", "finished", "test/f1", "0.5000"]
    assert lines[3].split()[1:6] == ["train", "small.toml", "finished", "valid/f1", "0.6250"]


def test_runs_are_chosen_by_recipe_stage_and_tag(cli: Cli, work: Work) -> None:
    """What none fits is empty, a wrong recipe an error that names those there are."""
    make(work)
    tagged = make(work, "other", tags=["final", "v2"])
    make(work, "other", stage="test")

    def ids(*arguments: str) -> list[str]:
        return [run["run"] for run in json.loads(cli("runs", "list", *arguments, "--json").out)]

    assert ids("--tag", "final", "--tag", "v2") == [tagged.id]
    assert ids("--tag", "none") == []
    assert len(ids("other.toml")) == 2
    assert ids("other", "--stage", "train") == [tagged.id]
    wrong = cli("runs", "list", "others.toml")
    assert (wrong.code, "small.toml" in wrong.err) == (2, True)
    assert cli("runs", "list", "--stage", "tset").code == 2


def test_where_no_run_fits_it_is_said_which_there_are(cli: Cli, work: Work) -> None:
    """Of which stages, and how many."""
    make(work)
    make(work)
    make(work, "other", stage="test")

    repeats = cli("runs", "list", "--stage", "repeat")
    tagged = cli("runs", "list", "small.toml", "--tag", "final")

    assert (repeats.code, repeats.out) == (0, "")
    assert repeats.err == "no repeat runs in runs; there are: 1 test, 2 train\n"
    assert tagged.err.startswith("no runs of small.toml with 'final' in runs; there are: ")


def test_a_learning_rate_is_no_headline(cli: Cli, work: Work) -> None:
    """It is logged among a module's metrics, and says nothing of what came of a run."""
    make(work, metrics={"lr-Adam": 0.1, "val_score": 0.5}, monitor="valid/loss")

    assert "val_score 0.5000" in cli("runs", "list").out


def test_one_training_of_a_group_is_tested_and_which_that_is_is_said(cli: Cli, work: Work) -> None:
    """The newest, of how many, and how to choose; a group itself is no run to test."""
    from mlrecipe.cli import tested
    from mlrecipe.cli.session import Session

    group = make(work, "recipe", stage="repeat")
    runs = [make(work, "recipe", group=group.id, member=f"seed-{n}") for n in range(3)]
    session = Session.of("recipe.toml")

    chosen = tested.choose(session, None)

    assert chosen.id == runs[2].id
    assert tested.among(session, chosen) == (
        f"it is seed-2, the newest of 3 trainings of {group.id}; another: --run ID, "
        "all: mlrecipe run recipe.toml"
    )
    assert tested.among(session, make(work, "recipe")) == ""
    wrong = cli("test", "recipe.toml", "--run", group.id)
    assert wrong.code == 2
    assert runs[0].id in wrong.err


def test_the_list_is_one_json_document(cli: Cli, work: Work) -> None:
    """With all that the table shows, and every metric."""
    run = make(work, metrics={"valid/f1": 0.5, "valid/loss": 1.0}, tags=["a"])

    (facts,) = json.loads(cli("runs", "list", "--json").out)

    assert facts["run"] == run.id
    assert facts["metric"] == {"name": "valid/f1", "value": 0.5}
    assert facts["metrics"] == {"valid/f1": 0.5, "valid/loss": 1.0}
    assert (facts["stage"], facts["status"], facts["tags"]) == ("train", "finished", ["a"])
    assert facts["folder"] == f"runs/{run.id}"


def test_odd_run_directories_do_not_break_the_list(cli: Cli, work: Work) -> None:
    """Files that are damaged or missing leave their cell empty; folders that are no runs are not shown."""
    run = make(work, metrics={"valid/f1": 0.5})
    (run.folder / "metrics.json").write_text("{")
    (run.folder / "recipe.resolved.toml").write_text("[train")
    (work.folder / "runs" / "notes").mkdir()
    other = make(work, metrics={"test_error": 0.25}, monitor="val_loss", stage="test")

    lines = cli("runs", "list").out.splitlines()[1:]

    assert len(lines) == 2
    assert "test_error 0.2500" in lines[0]
    assert other.id in lines[0]
    assert run.id in lines[1]


def test_runs_list_is_light(work: Work) -> None:
    """It imports none of the heavy libraries."""
    make(work, metrics={"valid/f1": 0.5})

    done = work.python(f"""
        import sys
        from mlrecipe.cli.app import run
        code = run(["runs", "list"])
        print(code, *sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)
    """)

    assert done.err.splitlines()[-1] == "0"
    assert "valid/f1 0.5000" in done.out


def test_experiment_30_rm_lists_what_goes_asks_and_touches_only_this_run(
    cli: Cli, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other runs, the store and all else in the project are as before, byte for byte."""
    assert cli("prepare", "recipe.toml").code == 0
    run, other = make(work), make(work)
    test = make(work, stage="test", parent=run.id)
    before = files(work.folder)
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    done = cli("runs", "rm", run.id)

    assert done.code == 0
    assert "checkpoints/" in done.out
    assert "2.0 kB" in done.out
    assert "[y/N]" in done.err
    assert f"{test.id} is a test of it, and stays" in done.err
    assert not run.folder.exists()
    assert other.folder.is_dir()
    left = {name: content for name, content in before.items() if f"runs/{run.id}/" not in name}
    assert files(work.folder) == left


@pytest.mark.parametrize("answer", ["n\n", "\n", "", "yess\n"])
def test_experiment_30_rm_does_nothing_unless_told_yes(
    cli: Cli, work: Work, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    """Any other answer, and none at all, leaves everything as it is."""
    run = make(work)
    before = files(work.folder)
    monkeypatch.setattr("sys.stdin", io.StringIO(answer))

    assert cli("runs", "rm", run.id).code == 1

    assert files(work.folder) == before


def test_experiment_30_rm_with_yes_does_not_ask(cli: Cli, work: Work) -> None:
    """Several at once, by how their ids end; what goes is still said."""
    runs = [make(work), make(work)]

    done = cli("runs", "rm", "--yes", *(run.id[-9:] for run in runs))

    assert done.code == 0
    assert "[y/N]" not in done.err
    assert all(f"runs/{run.id}: train run of small.toml" in done.err for run in runs)
    assert list((work.folder / "runs").iterdir()) == []


def test_rm_refuses_a_run_that_is_going_on_and_unknown_ones(cli: Cli, work: Work) -> None:
    """Of several named none is removed when one is wrong."""
    going, run = make(work, status="running"), make(work)

    assert cli("runs", "rm", "--yes", run.id, going.id).code == 2
    assert cli("runs", "rm", "--yes", run.id, "nothing").code == 2

    assert going.folder.is_dir()
    assert run.folder.is_dir()


def test_rm_follows_no_link(cli: Cli, work: Work, tmp_path: Path) -> None:
    """What links in a run lead to is not the run's."""
    run = make(work)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "data.csv").write_text("kept")
    os.symlink(outside, run.folder / "link")
    os.symlink(outside / "data.csv", run.folder / "checkpoints" / "file")

    assert cli("runs", "rm", "--yes", run.id).code == 0

    assert (outside / "data.csv").read_text() == "kept"
    assert not run.folder.exists()
