"""Runs of a recipe with several splits to validate and to test on, one of them without labels."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mlrecipe.cli.app import run as command
from mlrecipe.scaffold.project import create

pytestmark = pytest.mark.heavy

RECIPE = """\
name = "sets"
seed = 1

[nodes.table]
use = "load-files"
train = "data/train.csv"
files = { books = "data/books.csv", films = "data/films.csv" }

[nodes.tokens]
use = "tokenize"
inputs = ["table"]
tokenizer = "models/tiny"

[nodes.test_table]
use = "load-files"
files = { seen = "data/seen.csv", unseen = "data/unseen.csv" }

[nodes.test_tokens]
use = "tokenize"
inputs = ["test_table"]
tokenizer = "models/tiny"

[model]
use = "transformer"
config = "models/tiny"

[task]
use = "text-classification"
labels = ["negative", "positive"]
metrics = ["accuracy", "f1"]

[train]
data = "tokens"
valid_split = ["books", "films"]
epochs = 1
batch_size = 8
eval_batch_size = 4
monitor = "valid/f1"
optimizer = { use = "SGD", lr = 0.1 }
trainer = { accelerator = "cpu", devices = 2, strategy = "ddp" }

[test]
data = "test_tokens"
split = ["seen", "unseen"]
batch_size = 4
"""
SIZES = {"train": 32, "books": 9, "films": 15, "seen": 11, "unseen": 13}


def make_project(folder: Path) -> None:
    """The demo's network, without dropout, and its data in a file for each split; `unseen` has no labels."""
    create(folder)
    with (folder / "data" / "reviews.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    for name, count in SIZES.items():
        part, rows = rows[:count], rows[count:]
        columns = ["text"] if name == "unseen" else ["text", "label"]
        with (folder / "data" / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([columns, *(row[: len(columns)] for row in part)])
    (folder / "sets.toml").write_text(RECIPE)
    config = folder / "models" / "tiny" / "config.json"
    off = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config.write_text(json.dumps(json.loads(config.read_text()) | off))


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after `run` in two processes; of no split the batches come out even."""
    folder = tmp_path_factory.mktemp("sets")
    make_project(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert command(["run", "sets.toml"]) == 0
    return folder


@pytest.fixture
def here(job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it in which one process tests what the two have trained."""
    folder = tmp_path / "copy"
    shutil.copytree(job, folder)
    shutil.rmtree(run_of(folder, "test"))
    recipe = run_of(folder, "train") / "recipe.resolved.toml"
    text = recipe.read_text()
    recipe.write_text(text.replace("devices = 2", "devices = 1").replace('"ddp"', '"auto"'))
    monkeypatch.chdir(folder)
    return folder


def run_of(folder: Path, stage: str) -> Path:
    (found,) = folder.glob(f"runs/*-{stage}-*")
    return found


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def predictions_of(run: Path, split: str) -> pa.Table:
    with pa.ipc.open_stream(run / f"predictions-{split}.arrow") as stream:
        return stream.read_all()


def test_glue_6_a_run_names_its_splits(job: Path) -> None:
    """Both records have the rows of each, both metrics stand apart, and each test set has its file."""
    train, test = run_of(job, "train"), run_of(job, "test")
    names = ("accuracy", "f1", "loss")

    assert read(train / "run.json")["splits"] == {"train": 32, "books": 9, "films": 15}
    facts = read(test / "run.json")
    assert (facts["split"], facts["rows"]) == (["seen", "unseen"], 24)
    assert facts["splits"] == {"seen": 11, "unseen": 13}
    assert facts["unlabelled"] == ["unseen"]
    assert set(read(train / "metrics.json")) == {
        f"{s}/{n}" for s in ("books", "films") for n in names
    }
    assert set(read(test / "metrics.json")) == {f"seen/{n}" for n in names}
    assert set(read(test / "outputs.json")) >= {"predictions-seen", "predictions-unseen"}


def test_glue_18_two_processes_test_several_sets_as_one(job: Path, here: Path) -> None:
    """The same bytes of predictions for each set, with and without labels, and the same metrics."""
    assert command(["test", "sets.toml"]) == 0

    both, one = run_of(job, "test"), run_of(here, "test")
    for split in ("seen", "unseen"):
        assert predictions_of(both, split)["row"].to_pylist() == list(range(SIZES[split]))
        assert predictions_of(both, split).equals(predictions_of(one, split))
    assert read(both / "metrics.json") == read(one / "metrics.json")


def test_glue_18_two_processes_validate_several_sets_as_one(job: Path, here: Path) -> None:
    """Each row of each set counts once: the metrics are those of a test of them."""
    sets = ["--set", "test.data=tokens", "--set", 'test.split=["books", "films"]']

    assert command(["test", "sets.toml", *sets]) == 0

    found, known = (
        read(run_of(f, s) / "metrics.json") for f, s in ((here, "test"), (job, "train"))
    )
    assert found.keys() == known.keys()
    for name, value in known.items():
        assert found[name] == pytest.approx(value, abs=1e-7 if name.endswith("loss") else 0)


def test_runs_list_shows_what_was_watched(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of several sets the first one's metric; of a test the first that has any."""
    monkeypatch.chdir(job)

    assert command(["runs", "list", "--json"]) == 0

    found = {each["stage"]: each["metric"]["name"] for each in json.loads(capsys.readouterr().out)}
    assert found == {"train": "books/f1", "test": "seen/f1"}


def test_glue_31_a_test_needs_nothing_of_the_training(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the files to train and validate on, without their outputs: checkpoint and test file do."""
    for name in ("train", "books", "films"):
        (here / "data" / f"{name}.csv").unlink()
    shutil.rmtree(here / ".mlrecipe" / "store")

    assert command(["test", "sets.toml"]) == 0

    assert "accuracy" in capsys.readouterr().out
    assert read(run_of(here, "test") / "run.json")["splits"] == {"seen": 11, "unseen": 13}
    assert sorted(read(run_of(here, "test") / "inputs.json")) == ["test_table", "test_tokens"]


def test_glue_31_a_test_uses_what_the_run_was_trained_on(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where one op has read all files, its stored output serves once they are gone; else they are missed."""
    shutil.rmtree(here / "data")
    sets = ["--set", "test.data=tokens", "--set", "test.split=films"]

    assert command(["test", "sets.toml", *sets]) == 0
    assert read(run_of(here, "test") / "run.json")["splits"] == {"films": 15}
    capsys.readouterr()
    shutil.rmtree(here / ".mlrecipe" / "store")

    assert command(["test", "sets.toml", *sets]) == 2
    assert "nodes.table.train: no such file" in capsys.readouterr().err


def test_one_batch_of_every_set_is_tried(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--fast-dev-run` validates and tests on all of them, and keeps nothing."""
    one = ["--set", "train.trainer.devices=1", "--set", "train.trainer.strategy=auto"]
    before = sorted(path.name for path in (here / "runs").iterdir())

    assert command(["train", "sets.toml", "--fast-dev-run", *one]) == 0

    said = capsys.readouterr()
    assert "one batch of every stage worked (train, validate, test)" in said.out + said.err
    assert sorted(path.name for path in (here / "runs").iterdir()) == before


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train.valid_split", '["books", "film"]', "train.valid_split[1]: no split 'film'"),
        ("train.valid_split", "[]", 'the list of splits is empty; `valid_split = ""`'),
        ("train.valid_split", '["train", "books"]', "that of training"),
        ("train.monitor", '"films/acuracy"', "did you mean 'films/accuracy'?"),
        ("train.monitor", '"valid/acuracy"', "did you mean 'books/accuracy'?"),
        ("test.split", '["seen", "seen"]', "test.split: split 'seen' is there twice"),
        ("test.split", '["seen", "unsen"]', "test.split[1]: no split 'unsen'"),
    ],
)
def test_check_finds_names_that_will_not_do(
    here: Path, capsys: pytest.CaptureFixture[str], key: str, value: str, message: str
) -> None:
    """Without running anything, with the key."""
    assert command(["check", "sets.toml", "--set", f"{key}={value}"]) == 2

    said = capsys.readouterr()
    assert message in said.out + said.err
