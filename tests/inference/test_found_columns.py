"""Predicting with a model whose columns were found in the data that it was trained on."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mlrecipe.cli.app import run as command
from tests.training.tiny import WORDS, write_tiny

pytestmark = pytest.mark.heavy

RECIPE = """
name = "found"
nodes.rows = { use = "load-files", train = "train.csv" }
nodes.tokens = { use = "tokenize", inputs = ["rows"], tokenizer = "tiny", max_length = 24 }
model = { use = "transformer", config = "tiny" }
task = { use = "text-classification" }

[train]
data = "tokens"
valid_split = ""
epochs = 1
monitor = "train/loss"
trainer = { accelerator = "cpu" }
"""


def write(path: Path, **columns: list[str]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def predictions(path: Path) -> list[tuple[str, str]]:
    with path.open(newline="") as file:
        return [(row["prediction"], row["p_ham"]) for row in csv.DictReader(file)]


def test_glue_8_new_rows_go_by_the_columns_that_were_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """A column of the new file that looks more like texts changes nothing; one without theirs is refused."""
    (tmp_path / ".mlrecipe").mkdir()
    (tmp_path / "tiny").mkdir()
    write_tiny(tmp_path / "tiny")
    (tmp_path / "found.toml").write_text(RECIPE)
    texts = [f"{WORDS[i % 6]} {WORDS[6 + i]}" for i in range(24)]
    write(tmp_path / "train.csv", v1=[["ham", "spam"][i % 6 > 2] for i in range(24)], v2=texts)
    write(tmp_path / "plain.csv", v2=texts[:3])
    write(tmp_path / "mixed.csv", text=texts[3:6], v2=texts[:3])
    write(tmp_path / "other.csv", text=texts[:3])
    monkeypatch.chdir(tmp_path)

    assert command(["train", "found"]) == 0
    for name in ("plain", "mixed"):
        given = ["--input", f"{name}.csv", "--output", f"{name}.out.csv"]
        assert command(["predict", "found", *given]) == 0
    refused = command(["predict", "found", "--input", "other.csv", "--output", "x.csv"])

    assert predictions(tmp_path / "plain.out.csv") == predictions(tmp_path / "mixed.out.csv")
    assert refused == 2
    assert "no column 'v2'" in capsys.readouterr().err
