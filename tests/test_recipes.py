"""Every recipe in recipes/ runs, on small local data in the layouts that it expects."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from pathlib import Path

import pytest

from mlrecipe.cli.app import run as command

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).parents[1]
RECIPES = sorted((ROOT / "recipes").rglob("*.toml"))
TINY = ROOT / "mlrecipe" / "data" / "tiny"
SMALL = {
    "imdb": [
        "nodes.split.size=20",
        "nodes.sample.sample={ train = 60, test = 30 }",
        "train.epochs=1",
    ],
    "imdb-hub": [
        "nodes.split.size=20", "nodes.reviews.path=hub", "train.epochs=1",
        "nodes.tokens.tokenizer=tiny", "model.checkpoint=${none}", "model.config=tiny",
    ],
}  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with small data, a small network and all recipes; the current folder."""
    (tmp_path / ".mlrecipe").mkdir()
    shutil.copytree(TINY, tmp_path / "tiny")
    for recipe in RECIPES:
        shutil.copy(recipe, tmp_path)
    with (ROOT / "mlrecipe/data/demo/reviews.csv").open() as file:
        rows = list(csv.DictReader(file))
    _write_files(tmp_path / "data/imdb", rows)
    _write_hub(tmp_path / "hub", rows)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_recipes() -> None:
    """The list that the next test goes through is not empty, and each has its settings here."""
    assert {path.stem for path in RECIPES} == set(SMALL)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_each_recipe_runs(
    here: Path, recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From its data to test metrics, with nothing changed but sizes and the checkpoint."""
    monkeypatch.setenv("CHECKPOINT", str(_checkpoint(here)))
    settings = [part for text in SMALL[recipe.stem] for part in ("--set", text)]

    assert command(["run", recipe.name, *settings, "--json"]) == 0

    tested = json.loads(capsys.readouterr().out)[-1]
    assert tested["stage"] == "test"
    assert 0 <= tested["metrics"]["test/accuracy"] <= 1


def _checkpoint(folder: Path) -> Path:
    """A pretrained checkpoint in Hugging Face's layout: the tiny network with weights."""
    from transformers import AutoConfig, AutoModel

    target = folder / "checkpoint"
    shutil.copytree(TINY, target)
    AutoModel.from_config(AutoConfig.from_pretrained(TINY)).save_pretrained(target)
    return target


def _write_files(folder: Path, rows: list[dict[str, str]]) -> None:
    folder.mkdir(parents=True)
    for name, part in (("train", rows[:160]), ("test", rows[160:260])):
        with gzip.open(folder / f"{name}.csv.gz", "wt", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["text", "label", "id"])
            for number, row in enumerate(part):
                writer.writerow([row["text"], row["label"][:3], number])


def _write_hub(folder: Path, rows: list[dict[str, str]]) -> None:
    from datasets import ClassLabel, Dataset

    for name, part in (
        ("train", rows[:160]),
        ("test", rows[160:260]),
        ("unsupervised", rows[260:300]),
    ):
        data = Dataset.from_list(part).cast_column(
            "label", ClassLabel(names=["negative", "positive"])
        )
        (folder / "data").mkdir(parents=True, exist_ok=True)
        data.to_parquet(folder / "data" / f"{name}-00000-of-00001.parquet")
