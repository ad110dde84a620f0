"""`--fast-dev-run`, `--limit` and what a finished training prints."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlrecipe.cli.app import run as command
from mlrecipe.scaffold.project import create

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The demo project; the current folder is the project."""
    folder = tmp_path_factory.mktemp("demo")
    create(folder)
    before = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


def test_training_38_fast_dev_run_makes_one_batch_of_every_stage(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In less than ten seconds of work, on few rows, and nothing is kept of it."""
    began = time.process_time()
    assert command(["run", "demo.toml", "--fast-dev-run"]) == 0
    seconds = time.process_time() - began

    printed = capsys.readouterr()
    assert seconds < 10
    assert "epoch 1/1  step 1  train/loss" in printed.err
    assert "test: 20 rows" in printed.err
    assert "predicted as" not in printed.err
    assert "(train, validate, test); nothing was kept" in printed.out
    assert not list(demo.glob("runs/*"))
    assert not list(demo.glob(".mlrecipe/trial-*"))
    assert command(["test", "demo.toml"]) == 2


def test_training_38_fast_dev_run_makes_one_batch_only(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the recipe says of steps, epochs, loggers and repeats."""
    settings = ["train.epochs=7", "train.batch_size=8", "train.validate_every=2", "train.repeat=3",
                "train.max_steps=9", "test.batch_size=5", "limit=90"]  # fmt: skip
    sets = [word for setting in settings for word in ("--set", setting)]

    assert command(["train", "demo.toml", "--fast-dev-run", "--json", *sets]) == 0

    printed = capsys.readouterr()
    assert "train.repeat = 3: one training is tried, of 3" in printed.err
    assert [stage["stage"] for stage in json.loads(printed.out)] == ["train", "test"]
    assert "epoch 1/1  step 1  " in printed.err
    assert "test: 5 rows" in printed.err
    assert not list(demo.glob("runs/*"))


def test_training_38_folds_are_tried_with_their_own_rows(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One fold, as there may be no other rows to validate on; that it is one of several is said."""
    settings = ["train.folds=4", 'train.valid_split="left-out"']
    sets = [word for setting in settings for word in ("--set", setting)]

    assert command(["train", "demo.toml", "--fast-dev-run", *sets]) == 0

    printed = capsys.readouterr()
    assert "train.folds = 4: one training is tried, of 4" in printed.err
    assert " of left-out; 1 epoch" in printed.err


def test_training_38_a_mistake_is_found_by_it(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the recipe's key; exit 2."""
    setting = 'task.labels=["negative", "psitive"]'

    assert command(["train", "demo.toml", "--fast-dev-run", "--set", setting]) == 2

    assert "task.labels" in capsys.readouterr().err


def test_experiment_24_a_limit_is_the_most_rows_of_each_split(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever way it is given; a plan with it finds what prepare has made."""
    assert command(["prepare", "demo.toml", "--limit", "70"]) == 0
    capsys.readouterr()
    for more in (["--limit", "70"], ["--set", "limit=70"]):
        assert command(["plan", "demo.toml", "--json", *more]) == 0
        steps = json.loads(capsys.readouterr().out)["steps"]
        assert {step["status"] for step in steps} == {"hit"}
        assert command(["inspect", "tokens", "demo.toml", "--set", "limit=70", "--json"]) == 0
        rows = json.loads(capsys.readouterr().out)["summary"]["rows"]
        assert sum(rows.values()) <= 70
        assert all(0 < count <= 70 for count in rows.values())


def test_training_39_40_a_successful_run_prints_few_plain_lines(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No carriage return, no colour; at the end metrics, paths, examples/s, fill and the next command."""
    assert command(["run", "demo.toml", "--limit", "80", "--set", "train.epochs=3"]) == 0
    ran = capsys.readouterr()
    assert command(["train", "demo.toml", "--limit", "80", "--set", "train.epochs=20"]) == 0
    trained = capsys.readouterr()

    for printed in (ran, trained):
        whole = printed.out + printed.err
        assert "\r" not in whole
        assert "\x1b" not in whole
        assert len(whole.splitlines()) <= 40
    for printed, metric, following in (
        (ran, "test/accuracy", "mlrecipe predict "),
        (trained, "valid/accuracy", "mlrecipe test demo.toml --run "),
    ):
        end = "\n".join(printed.out.splitlines()[-7:])
        assert metric in printed.out
        for words in (
            "examples/s",
            "batches",
            "% full",
            "checkpoints/best",
            following,
        ):
            assert words in end
    run_id = trained.out.split("--run ")[1].strip()
    assert (demo / "runs" / run_id).is_dir()

    assert command(["test", "demo.toml", "--run", run_id, "--fast-dev-run"]) == 0
    assert "one batch of every stage worked (test)" in capsys.readouterr().out
    assert len(list(demo.glob("runs/*"))) == 3
