"""Recipes that are trained several times: with several seeds, and in folds."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from statistics import mean, stdev

import pyarrow as pa
import pytest

from mlrecipe.cli.app import run as command
from mlrecipe.scaffold.project import create

pytestmark = pytest.mark.heavy

QUICK = ["--limit", "100", "--set", "train.epochs=1", "--set", "train.batch_size=32"]


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The demo project; the current folder is the project."""
    create(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(path: Path) -> dict:
    """A JSON file."""
    found: dict = json.loads(path.read_text())
    return found


def of_stage(demo: Path, stage: str) -> list[dict]:
    """What the runs of a stage say, in the order in which they began."""
    found = [read(path) for path in demo.glob("runs/*/run.json")]
    return sorted((f for f in found if f["stage"] == stage), key=lambda facts: facts["started"])


def stop_after(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    """Interrupt the training that comes after so many."""
    from mlrecipe.training import stages

    own, done = stages.train, []

    def train(*given, **named):
        if len(done) == count:
            raise KeyboardInterrupt
        done.append(own(*given, **named))
        return done[-1]

    monkeypatch.setattr(stages, "train", train)


def test_repeat_trains_with_seeds_that_follow_each_other_and_goes_on_with_what_is_missing(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run each; mean and deviation of every metric; what was finished before Ctrl-C is not done again."""
    line = ["train", "demo.toml", *QUICK, "--set", "train.repeat=3", "--set", "train.seed=5"]
    with pytest.MonkeyPatch.context() as patch:
        stop_after(patch, 2)
        assert command(line) == 130
    assert [run["status"] for run in of_stage(demo, "repeat")] == ["interrupted"]
    assert "the same command goes on with it" in capsys.readouterr().err

    assert command([*line, "--json"]) == 0

    printed = capsys.readouterr()
    document = json.loads(printed.out)
    runs, groups = of_stage(demo, "train"), of_stage(demo, "repeat")
    assert "2 of 3 are finished" in printed.err
    assert [run["member"] for run in runs] == ["seed-5", "seed-6", "seed-7"]
    assert [group["status"] for group in groups] == ["finished"]
    assert {run["group"] for run in runs} == {groups[0]["id"]}
    assert [run["run"] for run in document["runs"]] == [run["id"] for run in runs]
    losses = [read(demo / "runs" / run["id"] / "metrics.json")["valid/loss"] for run in runs]
    assert len(set(losses)) == 3
    assert document["metrics"]["valid/loss"] == {
        "mean": mean(losses), "std": stdev(losses), "values": losses,
    }  # fmt: skip
    assert read(demo / "runs" / groups[0]["id"] / "metrics.json")["valid/loss"] == mean(losses)

    recipe = demo / "runs" / runs[1]["id"] / "recipe.resolved.toml"
    assert command(["train", str(recipe), "--json"]) == 0
    alone = json.loads(capsys.readouterr().out)[0]
    assert alone["metrics"]["valid/loss"] == losses[1]


def test_folds_validate_each_part_and_keep_what_is_predicted_for_it(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every row of the train split is predicted once, by a model that has not learnt from it; run tests all."""
    line = ["run", "demo.toml", *QUICK, "--set", "train.folds=2"]

    assert command([*line, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert command(line) == 0
    printed = capsys.readouterr()

    runs, group = of_stage(demo, "train"), of_stage(demo, "repeat")[0]
    assert [run["member"] for run in runs] == ["fold-1", "fold-2"]
    assert [run["fold"] for run in document["runs"]] == [1, 2]
    assert len(of_stage(demo, "test")) == len(document["tests"]) == 2
    assert set(document["metrics"]) >= {"valid/accuracy", "test/accuracy"}
    assert "is equal and finished; used again" in printed.err
    assert " ± " in printed.out
    assert "next" not in printed.out  # all is tested
    with (demo / "runs" / group["id"] / "predictions.arrow").open("rb") as file:
        table = pa.ipc.open_stream(file).read_all()
    assert table["row"].to_pylist() == list(range(70))
    right = [
        a == b
        for a, b in zip(*(table[n].to_pylist() for n in ("label", "prediction")), strict=True)
    ]
    folds = [read(demo / "runs" / run["id"] / "metrics.json")["valid/accuracy"] for run in runs]
    assert mean(map(float, right)) == pytest.approx(mean(folds), abs=1e-6)


def test_training_40_a_run_of_many_trainings_prints_few_lines(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line for each training, with its metric and how it ended; what all have in common is said once."""
    line = ["run", "demo.toml", *QUICK, "--set", "train.repeat=3", "--set", "train.folds=2"]
    line += ["--set", "train.batch_size=70"]
    assert command(["prepare", *line[1:]]) == 0
    capsys.readouterr()

    assert command(line) == 0

    printed = capsys.readouterr()
    assert len((printed.out + printed.err).splitlines()) <= 40
    said = printed.err.splitlines()
    start = r"seed \d+ fold \d, \d of 6: valid/accuracy 0"
    members = [text for text in said if re.match(start, text)]
    assert len(members) == 6
    assert all(", finished 1 epoch in " in text for text in members)
    assert sum(text.startswith("train: ") for text in said) == 1
    assert sum(text.startswith("test: ") for text in said) == 1
    assert not [text for text in said if text.startswith("epoch ")]
    assert re.search(r"trainings +6, listed in runs/\S+/repeat.json\n", printed.out)


def test_learning_rates_are_no_metrics_of_a_repeat() -> None:
    """A mean of what a `LearningRateMonitor` logged says nothing."""
    from mlrecipe.training.repeats import summary

    values = [{"val_loss": 0.5, "lr-Adam": 0.1, "lr-Adam/pg1": 0.2}] * 2

    assert list(summary(values)) == ["val_loss"]


def test_one_fold_alone_is_an_ordinary_run(demo: Path) -> None:
    """`train.fold` chooses it."""
    settings = ["--set", "train.folds=2", "--set", "train.fold=2"]

    assert command(["train", "demo.toml", *QUICK, *settings]) == 0

    assert not of_stage(demo, "repeat")
    assert "member" not in of_stage(demo, "train")[0]
    assert os.listdir(demo / "runs") == [of_stage(demo, "train")[0]["id"]]


def test_a_training_that_was_removed_from_a_finished_group_is_made_again(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`run` goes on with the group, instead of looking for what is gone."""
    line = ["run", "demo.toml", *QUICK, "--set", "train.repeat=2"]
    assert command(line) == 0
    members = sorted(run["member"] for run in of_stage(demo, "train"))
    gone = of_stage(demo, "train")[0]
    assert command(["runs", "rm", gone["id"], "--yes"]) == 0

    assert command(line) == 0

    assert "1 of 2 are finished" in capsys.readouterr().err
    assert sorted(run["member"] for run in of_stage(demo, "train")) == members
    assert [group["status"] for group in of_stage(demo, "repeat")] == ["finished"]
