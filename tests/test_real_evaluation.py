"""Runs on real reviews with a real encoder, compared, repeated and gone on with: run by `make test-real`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlrecipe import Recorder
from mlrecipe.cli.app import run as command
from mlrecipe.runs import run as running
from mlrecipe.runs.run import Run
from mlrecipe.training.progress import TestProgress

pytestmark = [pytest.mark.real, pytest.mark.heavy, pytest.mark.timeout(900)]

ROWS = 300
RECIPE = """
name = "imdb"
seed = 5

[nodes.reviews]
use     = "load-files"
train   = "${env:IMDB_DIR}/train.csv.gz"
test    = "${env:IMDB_DIR}/test.csv.gz"
columns = ["text", "label"]

[nodes.split]
use      = "split"
inputs   = ["reviews"]
source   = "train"
target   = "valid"
size     = 1000
stratify = "label"

[nodes.sample]
use        = "select"
inputs     = ["split"]
sample     = { train = 300, valid = 100, test = 300 }
stratified = true

[nodes.tokens]
use        = "tokenize"
inputs     = ["sample"]
tokenizer  = "${model.checkpoint}"
text       = "text"
max_length = 48

[model]
use           = "transformer"
checkpoint    = "${env:CHECKPOINT}"
freeze_layers = 4

[task]
use     = "text-classification"
labels  = ["neg", "pos"]
metrics = ["accuracy", "f1"]

[train]
data       = "tokens"
batch_size = 16
epochs     = 2
optimizer  = { use = "AdamW", lr = 2e-4, weight_decay = 0.01 }
trainer    = { accelerator = "cpu" }

[test]
batch_size = 20

[evaluate]
validation = []

[evaluate.nodes.lengths]
use    = "slices"
inputs = ["predictions"]
by     = "length"
"""
SHORT = "nodes.tokens.max_length=8"
KILLED = """
import os, signal, sys
from mlrecipe.cli.app import run
from mlrecipe.training.progress import TestProgress

told = TestProgress.on_test_batch_end

def tell(self, *args, **options):
    told(self, *args, **options)
    if self.done >= 150:
        os.kill(os.getpid(), signal.SIGKILL)

TestProgress.on_test_batch_end = tell
sys.exit(run(["test", "imdb.toml", "--run", sys.argv[1]]))
"""


@pytest.fixture(scope="module")
def trained(
    tmp_path_factory: pytest.TempPathFactory, real_data: Path, real_model: Path
) -> Iterator[Path]:
    """A project with two trainings, one of which sees eight tokens of a review, and a test of each."""
    folder = tmp_path_factory.mktemp("imdb")
    (folder / ".mlrecipe").mkdir()
    (folder / "imdb.toml").write_text(RECIPE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMDB_DIR", str(real_data / "imdb"))
        patch.setenv("CHECKPOINT", str(real_model))
        patch.chdir(folder)
        assert command(["run", "imdb.toml", "--set", SHORT]) == 0
        assert command(["run", "imdb.toml"]) == 0
        yield folder


def runs_of(folder: Path, stage: str) -> list[Run]:
    """The runs of a stage, oldest first."""
    return [run for run in [*running.every(folder)][::-1] if run.facts["stage"] == stage]


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def count_batches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that gets an item for each batch that is tested from now on."""
    done, told = list[int](), TestProgress.on_test_batch_end

    def tell(self: TestProgress, *args: Any, **options: Any) -> None:
        told(self, *args, **options)
        done.append(self.done)

    monkeypatch.setattr(TestProgress, "on_test_batch_end", tell)
    return done


def without_times(run: Run, name: str) -> str:
    """A file of a run, less what says when and how fast."""
    return re.sub(
        r'"(seconds|[a-z_]*per_second|started|ended)": [^,}\n]+',
        "",
        (run.folder / name).read_text(),
    )


def test_training_43_two_settings_on_real_reviews_are_compared(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A difference, its interval around it, a p-value and a sentence, all of the same 300 rows."""
    short, long = runs_of(trained, "train")[:2]
    capsys.readouterr()

    assert command(["runs", "compare", short.id, long.id, "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    (difference,) = found["differences"]["b"][:1]
    assert (difference["name"], difference["a"], difference["b"]) == (
        "nodes.tokens.max_length", 8, 48,
    )  # fmt: skip
    tests = [
        read(running.find(trained, run["test"]).folder / "metrics.json") for run in found["runs"]
    ]
    for metric in found["splits"]["test"]:
        assert metric["rows"] == ROWS
        for side, metrics in zip("ab", tests, strict=True):
            assert metric[side] == pytest.approx(metrics[f"test/{metric['metric']}"], abs=1e-6)
        assert metric["difference"] == pytest.approx(metric["b"] - metric["a"])
        assert metric["low"] <= metric["difference"] <= metric["high"]
        assert metric["low"] < metric["high"]
        assert 0 < metric["p_value"] <= 1
        assert f"{metric['low']:+.4f} to {metric['high']:+.4f}" in metric["verdict"]
        assert (metric["better"] is None) == metric["verdict"].startswith(
            "no difference can be told"
        )


def test_experiment_36_a_replay_on_a_cpu_gives_the_same(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Training and test anew: every metric, and every byte of the weights."""
    first = runs_of(trained, "train")[0]
    capsys.readouterr()

    assert command(["runs", "replay", first.id, "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert found["identical"]
    assert found["weights_identical"]
    assert {"valid/accuracy", "test/accuracy", "test/lengths/worst"} <= {
        item["name"] for item in found["metrics"]
    }


def test_experiment_39_a_killed_test_of_real_reviews_goes_on(
    trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that were done survive `kill -9`; only the others are tested, and all comes out the same."""
    whole = runs_of(trained, "test")[1]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(whole.facts["parent"])], cwd=trained,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}, capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    killed = runs_of(trained, "test")[-1]
    assert killed.status == "crashed"
    assert {path.name for path in killed.folder.glob("predictions*")} == {
        "predictions.arrow.part", "predictions.arrow.state",
    }  # fmt: skip
    batches = count_batches(monkeypatch)
    capsys.readouterr()

    assert command(["test", "imdb.toml", "--resume"]) == 0

    told = re.search(r"(\d+) rows of it are tested already", capsys.readouterr().err)
    assert told is not None
    assert 140 <= int(told[1]) <= 160
    assert 20 * len(batches) == ROWS - int(told[1])
    again = running.find(trained, killed.id)
    assert again.status == "finished"
    one, two = (Recorder.read(run.folder / "predictions.arrow").table for run in (whole, again))
    assert two.equals(one)
    assert len(two) == ROWS
    assert read(again.folder / "metrics.json") == read(whole.folder / "metrics.json")
    assert without_times(again, "report.json") == without_times(whole, "report.json")
