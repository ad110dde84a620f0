"""The index of a project's runs."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from mlrecipe.runs import index
from mlrecipe.runs.index import PLACE, entries, headline
from mlrecipe.runs.run import Run, create


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as unchanged as soon as they are written, so that the index is used at once."""
    monkeypatch.setattr(index, "is_settled", lambda text: True)


def make(project: Path, *, lr: float = 0.1, status: str = "finished", **facts: object) -> Run:
    """A run with the files that the index reads."""
    run = create(project, name="small", stage="train", recipe="r.toml", **facts)
    text = f'name = "small"\nday = 2026-11-22\n[train]\nlr = {lr}\nmonitor = "valid/f1"\n'
    (run.folder / "recipe.resolved.toml").write_text(text)
    run.write("metrics.json", {"valid/f1": lr, "valid/loss": float("nan")})
    run.write("env.json", {"git": {"commit": "c" * 40, "dirty": True, "branch": "main"}})
    return run.finish(status) if status != "running" else run  # type: ignore[arg-type]


def seen(project: Path) -> str:
    """All that the entries say."""
    return json.dumps([
        [e.id, dict(e.run.facts), dict(e.metrics), dict(e.recipe), dict(e.git), e.headline, e.tags]
        for e in entries(project)
    ])  # fmt: skip


@pytest.mark.usefixtures("settled")
def test_recipe_50_without_the_index_the_entries_are_the_same(project: Path) -> None:
    """Dates, numbers that are none and the order of keys too: files are the truth."""
    for number in range(4):
        make(project, lr=0.1 * (number // 2), tags=["a"])
    first = seen(project)
    kept = seen(project)
    assert (project / PLACE).is_file()

    (project / PLACE).unlink()

    assert seen(project) == kept == first


@pytest.mark.usefixtures("settled")
def test_what_the_index_knows_is_not_read_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a run whose files changed is; one that is gone is forgotten."""
    runs = [make(project) for _ in range(3)]
    entries(project)
    asked: list[str] = []
    whole = index.read
    monkeypatch.setattr(
        index, "read", lambda folder: asked.append(folder.name) or whole(folder)
    )  # fmt: skip

    assert len(entries(project)) == 3
    assert asked == []
    runs[1].update(tags=["new"])
    shutil.rmtree(runs[2].folder)
    found = entries(project)

    assert asked == [runs[1].id]
    assert {e.id: e.tags for e in found} == {runs[0].id: [], runs[1].id: ["new"]}
    assert set(json.loads((project / PLACE).read_text())["runs"]) == {runs[0].id, runs[1].id}


def test_a_file_that_was_just_written_is_read_again(project: Path) -> None:
    """It could change once more without its time showing it."""
    run = make(project)
    entries(project)

    (row,) = json.loads((project / PLACE).read_text())["runs"].values()

    assert row[0] == ""
    (run.folder / "metrics.json").write_text('{"valid/f1": 0.75}')
    assert entries(project)[0].metrics == {"valid/f1": 0.75}


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize(
    "damage",
    ["", "{", "[]", '{"version": 0}', '{"version": 2, "keys": 3}',
     '{"version": 2, "keys": [], "values": [], "recipes": [], "runs": {"x": ["", {}, {}, 9, {}]}}',
     '{"version": 2, "keys": [], "values": [], "recipes": [[]], "runs": {"x": ["", 5, {}, 0, {}]}}'],
)  # fmt: skip
def test_a_damaged_index_is_made_anew(project: Path, damage: str) -> None:
    """Whatever is in it."""
    make(project)
    first = seen(project)

    (project / PLACE).write_text(damage)

    assert seen(project) == first
    assert json.loads((project / PLACE).read_text())["version"] == 2


@pytest.mark.usefixtures("settled")
def test_without_a_place_to_write_the_index_all_runs_are_found(project: Path) -> None:
    """A folder stands in its place: not even an administrator could write it."""
    make(project)
    (project / PLACE).mkdir(parents=True)

    assert len(entries(project)) == 1
    assert (project / PLACE).is_dir()


@pytest.mark.usefixtures("settled")
def test_equal_recipes_are_kept_once(project: Path) -> None:
    """A training and its tests have the same, and most of a sweep's values are alike."""
    for number in range(6):
        make(project, lr=0.1 * (number // 3))
    entries(project)

    found = json.loads((project / PLACE).read_text())

    assert len(found["recipes"]) == 2
    assert found["keys"].count("train.lr") == 1


@pytest.mark.usefixtures("settled")
def test_recipe_49_a_run_that_was_killed_is_crashed_in_the_index_too(project: Path) -> None:
    """Whether its process lives is asked each time, not remembered."""
    run = make(project, status="running")
    assert entries(project)[0].run.status == "running"

    run.update(pid=2**22 + 1, born="")

    assert entries(project)[0].run.status == "crashed"
    assert entries(project)[0].run.status == "crashed"


def test_hidden_and_damaged_folders_are_no_runs(project: Path) -> None:
    """Those that are being removed or taken in, and those without a readable `run.json`."""
    run = make(project)
    shutil.copytree(run.folder, run.folder.with_name(f".{run.id}.removed"))
    (project / "runs" / "notes").mkdir()
    (project / "runs" / "broken").mkdir()
    (project / "runs" / "broken" / "run.json").write_text("[]")

    assert [entry.id for entry in entries(project)] == [run.id]


def test_a_project_without_runs_has_no_index(project: Path) -> None:
    """Nothing is written to say that there is nothing."""
    before = sorted(os.listdir(project))

    assert entries(project) == []
    assert sorted(os.listdir(project)) == before


@pytest.mark.parametrize(
    ("metrics", "facts", "monitor", "name"),
    [
        ({"valid/loss": 1.0, "valid/f1": 0.5}, {"stage": "train"}, "valid/f1", "valid/f1"),
        ({"test/loss": 1.0, "test/f1": 0.5}, {"stage": "test"}, "valid/f1", "test/f1"),
        ({"a/loss": 1.0, "a/f1": 0.5}, {"stage": "test", "splits": {"a": 3}}, "valid/f1", "a/f1"),
        ({"lr-Adam": 1.0, "error": 0.5}, {"stage": "train"}, "valid/loss", "error"),
        ({"valid/loss": 1.0}, {"stage": "train"}, "", "valid/loss"),
    ],
)
def test_the_headline_is_what_the_recipe_monitors(
    metrics: dict[str, float], facts: dict[str, object], monitor: str, name: str
) -> None:
    """In the run's own stage; else a metric that is no loss."""
    assert headline(metrics, facts, monitor) == (name, metrics[name])
