"""The recipes for words and tags on a few real rows with a real encoder: run by `make test-real`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mlrecipe.cli.app import run as command

pytestmark = [pytest.mark.real, pytest.mark.heavy, pytest.mark.timeout(900)]

RECIPES = Path(__file__).parents[1] / "recipes"
QUICK = ["train.epochs=2", "train.batch_size=16", "train.optimizer.lr=5e-4"]


@pytest.fixture
def here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real_data: Path, real_model: Path
) -> Path:
    """A project with the recipes, and where data and encoder are; the current folder."""
    (tmp_path / ".mlrecipe").mkdir()
    for recipe in RECIPES.glob("*.toml"):
        shutil.copy(recipe, tmp_path)
    folders = {"CONLL_DIR": "conll2003", "EWT_DIR": "ud_english_ewt", "SNIPS_DIR": "snips"}
    for variable, folder in folders.items():
        monkeypatch.setenv(variable, str(real_data / folder))
    monkeypatch.setenv("CHECKPOINT", str(real_model))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("recipe", "metric", "least"),
    [("conll2003-ner", "span-f1", 0.4), ("ewt-pos", "accuracy", 0.7),
     ("snips-joint", "intent/accuracy", 0.6)],
)  # fmt: skip
def test_the_encoder_learns_from_a_few_hundred_rows(
    here: Path, capsys: pytest.CaptureFixture[str], recipe: str, metric: str, least: float
) -> None:
    """From 400 rows, seen twice, it tells far more than chance."""
    settings = [part for text in ["limit=400", *QUICK] for part in ("--set", text)]
    assert command(["run", f"{recipe}.toml", "--json", *settings]) == 0

    tested = json.loads(capsys.readouterr().out)[-1]
    assert tested["metrics"][f"test/{metric}"] > least


def test_the_rows_of_the_recipes_are_those_that_are_known(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Sentences of each split as the literature counts them."""
    known = {
        "conll2003-ner": {"train": 14_041, "valid": 3_250, "test": 3_453},
        "ewt-pos": {"train": 12_544, "valid": 2_001, "test": 2_077},
        "snips-joint": {"train": 13_084, "valid": 700, "test": 700},
    }
    for recipe, rows in known.items():
        assert command(["prepare", f"{recipe}.toml", "tokens"]) == 0
        capsys.readouterr()
        assert command(["inspect", "tokens", f"{recipe}.toml", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["summary"]["rows"] == rows
