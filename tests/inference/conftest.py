"""A project whose recipe was trained on files of its own, and tables to predict."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlrecipe.cli.app import run as command
from mlrecipe.runs import run as running
from mlrecipe.runs.run import Run
from tests.projects import Done
from tests.training.tiny import LABELS, WORDS, write_tiny

RECIPE = """
name = "small"
plugins = ["ops.py"]
seed = 3

[nodes.files]
use = "load-files"
train = "train.csv"
valid = "valid.csv"
test = "test.csv"

[nodes.named]
use = "rename"
inputs = ["files"]
columns = { sentence = "text" }

[nodes.mixed]
use = "shuffle"
inputs = ["named"]
splits = ["train"]

[nodes.tokens]
use = "tokenize"
inputs = ["mixed"]
tokenizer = "tiny"
text = "text"
max_length = 24

[model]
use = "transformer"
config = "tiny"

[task]
use = "text-classification"
metrics = ["accuracy", "f1", "auroc"]

[train]
data = "tokens"
epochs = 2
batch_size = 8
optimizer = { use = "AdamW", lr = 2e-3 }
trainer = { accelerator = "cpu" }

[test]
batch_size = 16
"""

OPS = '''
from __future__ import annotations

import mlrecipe


@mlrecipe.op("shout", rowwise=True)
def shout(data):
    """Texts in capitals."""
    return data.map(lambda row: {"text": row["text"].upper()})


@mlrecipe.op("every-other")
def every_other(data):
    """Half of the rows."""
    return data.filter(lambda row, index: index % 2 == 0, with_indices=True)
'''


@dataclass(frozen=True)
class Project:
    """A project with one finished `run`."""

    folder: Path

    @property
    def run(self) -> Run:
        """Its train run."""
        found = running.newest(self.folder, stage="train", recipe="recipe.toml")
        assert found is not None
        return found

    @property
    def test(self) -> Run:
        """Its test run."""
        found = running.newest(self.folder, stage="test", recipe="recipe.toml")
        assert found is not None
        return found


def make_texts(count: int, *, seed: int) -> list[tuple[str, str]]:
    """Texts of 2 to 40 words with their labels; a word of its label stands in most."""
    random = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        label = int(random.random() < 0.5) if number > 1 else number
        words = random.choice(WORDS[6:], random.integers(2, 40)).tolist()
        if random.random() < 0.85:
            words[random.integers(0, min(len(words), 20))] = WORDS[
                random.choice([3, 4, 5] if not label else [0, 1, 2])
            ]
        rows.append((" ".join(words), LABELS[label]))
    return rows


def write_csv(path: Path, names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Path:
    """Write a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(rows)
    return path


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file by their columns."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A recipe prepared, trained and tested; read only."""
    folder = tmp_path_factory.mktemp("trained").resolve()
    (folder / ".mlrecipe").mkdir()
    (folder / "tiny").mkdir()
    write_tiny(folder / "tiny")
    (folder / "ops.py").write_text(OPS)
    (folder / "recipe.toml").write_text(RECIPE)
    for number, (name, count) in enumerate({"train": 160, "valid": 24, "test": 53}.items()):
        rows = make_texts(count, seed=number)
        write_csv(folder / f"{name}.csv", ["sentence", "label"], rows)
    before = Path.cwd()
    os.chdir(folder)
    try:
        assert command(["run", "recipe.toml", "--quiet"]) == 0
    finally:
        os.chdir(before)
    return Project(folder)


@pytest.fixture
def here(trained: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The trained project as the current folder."""
    monkeypatch.chdir(trained.folder)
    return trained


@pytest.fixture
def cli(here: Project, capfd: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs a command in the project, in this process."""

    def call(*arguments: str | Path) -> Done:
        capfd.readouterr()
        code = command([str(argument) for argument in arguments])
        captured = capfd.readouterr()
        return Done(code, captured.out, captured.err)

    return call
