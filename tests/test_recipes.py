"""Every recipe in recipes/ runs, on small local data in the layouts that it expects."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from mlrecipe.cli.app import run as command
from tests import sequences

pytestmark = pytest.mark.heavy

ROOT = Path(__file__).parents[1]
ELSEWHERE = {"glue"}
"""Recipes with tests of their own: test_glue.py."""

RECIPES = sorted(p for p in (ROOT / "recipes").rglob("*.toml") if p.stem not in ELSEWHERE)
TINY = ROOT / "mlrecipe" / "data" / "tiny"
SMALL = {
    "conll2003-ner": ["train.epochs=1"],
    "cora-references": ["train.epochs=1"],
    "ewt-pos": ["train.epochs=1"],
    "imdb": [
        "nodes.split.size=20",
        "nodes.sample.sample={ train = 60, test = 30 }",
        "train.epochs=1",
    ],
    "imdb-hub": [
        "nodes.split.size=20", "nodes.reviews.path=hub", "train.epochs=1",
        "nodes.tokens.tokenizer=tiny", "model.checkpoint=${none}", "model.config=tiny",
    ],
    "multi-label": ["nodes.comments.name=${none}", "train.epochs=1"],
    "regression": ["nodes.split.size=20", "train.epochs=1"],
    "sms-spam": ["train.epochs=1"],
    "snips-joint": ["train.epochs=1"],
}  # fmt: skip
METRICS = {
    "conll2003-ner": "span-f1", "cora-references": "span-f1", "multi-label": "f1-micro",
    "regression": "pearson-corrcoef", "snips-joint": "exact-match",
}  # fmt: skip
"""What a recipe judges by, where that is not accuracy."""


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
    _write_messages(tmp_path / "data/sms_spam", rows)
    _write_pairs(tmp_path / "data/stsb", rows)
    _write_comments(tmp_path / "comments", rows)
    sequences.write_conll(tmp_path / "data/conll2003")
    sequences.write_treebank(tmp_path / "data/ud_english_ewt")
    sequences.write_requests(tmp_path / "data/snips")
    sequences.write_references(tmp_path / "data/cora_refs")
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
    monkeypatch.setenv("EMOTIONS", str(here / "comments"))
    settings = [part for text in SMALL[recipe.stem] for part in ("--set", text)]

    assert command(["run", recipe.name, *settings, "--json"]) == 0

    tested = json.loads(capsys.readouterr().out)[-1]
    assert tested["stage"] == "test"
    assert -1 <= tested["metrics"][f"test/{METRICS.get(recipe.stem, 'accuracy')}"] <= 1


@pytest.mark.parametrize(
    ("recipe", "options"),
    [("conll2003-ner", ["--pick", "model=bilstm"]), ("conll2003-ner", ["--set", "task.crf=true"]),
     ("ewt-pos", ["--pick", "tags=xpos"]), ("cora-references", ["--pick", "model=encoder"])],
)  # fmt: skip
def test_what_a_recipe_of_tags_proposes_is_accepted(
    here: Path, recipe: str, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commands in the first lines of the recipes have no mistakes."""
    monkeypatch.setenv("CHECKPOINT", str(_checkpoint(here)))

    assert command(["check", f"{recipe}.toml", *options]) == 0


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


def _write_messages(folder: Path, rows: list[dict[str, str]]) -> None:
    """Without a header and without quoting, as that data set is."""
    folder.mkdir(parents=True)
    spam = {"negative": "spam", "positive": "ham"}
    lines = [f"{spam[row['label']]}\t{row['text']}\r\n" for row in rows[:100]]
    (folder / "SMSSpamCollection.tsv").write_text("".join(lines), newline="")


def _write_pairs(folder: Path, rows: list[dict[str, str]]) -> None:
    """In GLUE's layout of STS-B."""
    folder.mkdir(parents=True)
    header = "index genre filename year old_index source1 source2 sentence1 sentence2 score"
    for name, part in (("train", rows[:120]), ("dev", rows[120:170])):
        lines = ["\t".join(header.split())]
        for number, (one, two) in enumerate(pairwise(part)):
            score = 4.2 if one["label"] == two["label"] else 0.5
            cells = [number, "main", "f", "2012", number, "a", "b", one["text"], two["text"], score]
            lines.append("\t".join(map(str, cells)))
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n")


def _write_comments(folder: Path, rows: list[dict[str, str]]) -> None:
    """In the hub's layout, with lists of class labels."""
    from datasets import ClassLabel, Dataset, Features, List, Value

    names = ["anger", "joy", "neutral"]
    features = Features({"text": Value("string"), "labels": List(ClassLabel(names=names))})
    found = {"negative": [0], "positive": [1, 2]}
    (folder / "data").mkdir(parents=True)
    for name, part in (("train", rows[:80]), ("validation", rows[80:110]), ("test", rows[110:140])):
        data = [{"text": row["text"], "labels": found[row["label"]]} for row in part]
        made = Dataset.from_list(data, features=features)
        made.to_parquet(folder / "data" / f"{name}-00000-of-00001.parquet")
