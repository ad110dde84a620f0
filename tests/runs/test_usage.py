"""What runs take on disk, and what of it may go."""

from __future__ import annotations

import json
import os
from pathlib import Path

from mlrecipe.runs.run import Run, create
from mlrecipe.runs.usage import discard, leftovers, parts, size_of, superfluous


def make(project: Path, *, status: str = "finished", stage: str = "train") -> Run:
    """A run with checkpoints, a state to resume from, and three validations."""
    run = create(project, name="x", stage=stage, recipe="r.toml")
    for name, step in (("best", 10), ("last", 30)):
        (run.folder / "checkpoints" / name).mkdir(parents=True)
        (run.folder / "checkpoints" / name / "model.safetensors").write_bytes(b"x" * 100)
        (run.folder / "checkpoints" / name / "checkpoint.json").write_text(f'{{"step": {step}}}')
    for step in (10, 20, 30):
        (run.folder / "validations" / f"step-{step}").mkdir(parents=True)
        (run.folder / "validations" / f"step-{step}" / "predictions.arrow").write_bytes(b"p" * 10)
    (run.folder / "resume").mkdir()
    (run.folder / "resume" / "state").write_bytes(b"s" * 50)
    (run.folder / "predictions.arrow.state").write_bytes(b"s" * 7)
    run.write("outputs.json", {"best": {"path": "checkpoints/best"}, "last": {"path": "…"}})
    return run.finish(status) if status != "running" else run  # type: ignore[arg-type]


def names(run: Run, **options: list[str]) -> list[str]:
    """What of a run is superfluous."""
    found = superfluous(run, **options)  # type: ignore[arg-type]
    return [piece.path.relative_to(run.folder).as_posix() for piece in found]


def test_experiment_39_old_validations_and_states_of_finished_runs_may_go(project: Path) -> None:
    """The newest validation stays, and so do those of checkpoints."""
    assert names(make(project)) == ["resume", "predictions.arrow.state", "validations/step-20"]


def test_as_many_validations_stay_as_the_recipe_says(project: Path) -> None:
    """The newest ones."""
    run = make(project)
    (run.folder / "recipe.resolved.toml").write_text("[evaluate]\nkeep_validations = 2\n")

    assert "validations/step-20" not in names(run)


def test_a_run_that_did_not_finish_keeps_what_it_goes_on_with(project: Path) -> None:
    """Of one that goes on nothing is touched at all."""
    assert names(make(project, status="interrupted")) == ["validations/step-20"]
    assert names(make(project, status="running")) == []


def test_other_checkpoints_go_when_that_is_asked(project: Path) -> None:
    """With the validation of the one that goes, and its digests; those of a stopped training stay."""
    run = make(project)
    stopped = make(project, status="interrupted")

    assert "checkpoints/last" in names(run, checkpoints=["best"])
    assert names(stopped, checkpoints=["best"]) == ["validations/step-20"]
    for piece in superfluous(run, checkpoints=["best"]):
        discard(run, piece)

    assert sorted(os.listdir(run.folder / "checkpoints")) == ["best"]
    assert list(json.loads((run.folder / "outputs.json").read_text())) == ["best"]
    assert names(run, checkpoints=["best"]) == []


def test_what_interrupted_commands_left_is_found(project: Path) -> None:
    """Runs half removed or half taken in, and files that were never finished."""
    run = make(project)
    (run.folder / ".metrics.json.123.tmp").touch()
    for name in (f".{run.id}.removed", ".0011.incoming", ".keep"):
        (project / "runs" / name).mkdir()

    assert [piece.path.name for piece in leftovers(project)] == [
        ".0011.incoming",
        f".{run.id}.removed",
    ]
    assert ".metrics.json.123.tmp" in names(run)


def test_sizes_follow_no_link_and_count_a_file_once(project: Path, tmp_path: Path) -> None:
    """A file of two names takes its room once."""
    run = make(project)
    before = size_of(run.folder)
    (tmp_path / "large").write_bytes(b"x" * 5000)
    os.symlink(tmp_path / "large", run.folder / "link")
    os.link(run.folder / "resume" / "state", run.folder / "state")

    grown = size_of(run.folder) - before

    assert grown == (run.folder / "link").lstat().st_size
    assert sum(size for _, size in parts(run.folder)) == size_of(run.folder)
