"""What `check` says of a recipe's task where words have tags."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlrecipe.code.catalog import Catalog
from mlrecipe.graph import foresee
from mlrecipe.recipe.layers import Layer, default_layer, merge
from mlrecipe.training.checks import problems

TAGS, FRAMES = "token-classification", "intent-and-slots"


def found(task: dict[str, Any], **train: Any) -> dict[str, str]:
    values = {
        "model": {"use": "transformer", "config": "x"}, "task": task,
        "train": {"monitor": "valid/loss", **train},
    }  # fmt: skip
    tree = merge([default_layer(), Layer(name="r.toml", values=values)])
    return {problem.key: problem.message for problem in problems(tree, Catalog())}


@pytest.mark.parametrize(
    ("task", "key", "message"),
    [
        ({"use": TAGS, "crf": True, "pooling": "all"}, "pooling", "a CRF tags words"),
        ({"use": TAGS, "crf": True, "pooling": "all"}, "pooling", "say `first` or `mean`"),
        ({"use": TAGS, "crf": True, "constrained": True}, "constrained", "does nothing with `crf`"),
        ({"use": TAGS, "constrained": True, "scheme": "plain"}, "constrained", "does nothing with plain"),
        ({"use": TAGS, "labels": ["O", "O"]}, "labels", "'O' is there twice"),
        ({"use": TAGS, "crf": True, "label_smoothing": 0.1}, "label_smoothing", "whole sequences"),
        ({"use": TAGS, "class_weights": {"x": 1.0}, "labels": ["O", "x"]}, "class_weights", "no weight for"),
        ({"use": TAGS, "labels": ["O"]}, "labels", "two tags at least"),
        ({"use": TAGS, "labels": ["O", "S-x"], "scheme": "IOB2"}, "scheme", "IOB2 has no tag 'S-x'"),
        ({"use": TAGS, "tags": "tokens"}, "tags", "'tokens' is that of the words"),
        ({"use": FRAMES, "slots": "words"}, "slots", "'words' is that of the words"),
        ({"use": FRAMES, "intent": "a", "slots": "a"}, "slots", "that of the intent"),
        ({"use": FRAMES, "weights": {"intnet": 1.0}}, "weights.intnet", "did you mean"),
        ({"use": FRAMES, "weights": {"intent": 0, "tags": 0}}, "weights", "not all 0"),
        ({"use": FRAMES, "labels": {"tags": ["O", "O"]}}, "labels.tags", "'O' is there twice"),
    ],
)  # fmt: skip
def test_mistakes_with_tags_are_found(task: dict[str, Any], key: str, message: str):
    """At their own place, before anything runs."""
    assert message in found(task)[f"task.{key}"]


@pytest.mark.parametrize("use", [TAGS, FRAMES])
def test_recipes_of_tags_without_mistakes_pass(use: str):
    """With nothing but defaults."""
    assert found({"use": use}) == {}


@pytest.mark.parametrize("use", [TAGS, FRAMES])
def test_rows_of_words_cannot_be_sampled_by_class(use: str):
    """A row is of no one class."""
    assert "take `all` or `weighted`" in found({"use": use}, sampling="balanced")["train.sampling"]


@pytest.mark.parametrize(
    ("monitor", "is_known"),
    [
        ("valid/exact-match", True),
        ("valid/intent/accuracy", True),
        ("valid/tags/span-f1", True),
        ("valid/intent/span-f1", False),
        ("valid/accuracy", False),
    ],
)
def test_metrics_of_intents_and_slots_can_be_watched(monitor: str, is_known: bool):
    """Under the names under which they are reported."""
    said = found(
        {"use": FRAMES, "metrics": ["accuracy", "span-f1", "exact-match"]}, monitor=monitor
    )

    assert ("train.monitor" not in said) is is_known


def test_a_misspelt_metric_is_told_of_once():
    """What is watched cannot be judged then, and the misspelt name is no advice."""
    said = found({"use": TAGS, "metrics": ["span-f"]}, monitor="valid/span-f1")

    assert "train.monitor" not in said


def test_data_without_words_are_found_before_anything_runs(tmp_path: Path):
    """The message names the op that gives what is missing."""
    (tmp_path / "rows.csv").write_text("text,tags\na,b\n")
    values = {
        "nodes": {
            "rows": {"use": "load-files", "train": "rows.csv"},
            "tokens": {"use": "tokenize", "inputs": ["rows"], "tokenizer": "x"},
        },
        "model": {"use": "transformer", "config": "x"}, "task": {"use": TAGS},
        "train": {"data": "tokens", "valid_split": ""},
    }  # fmt: skip
    tree = merge([default_layer(), Layer(name="r.toml", values=values)])

    said = {problem.key: problem.message for problem in foresee.check(tree, Catalog(), tmp_path)}

    assert "no column 'word_starts'" in said["train.data"]
    assert "take the output of an op `tokenize-words`" in said["train.data"]


@pytest.mark.long
@pytest.mark.parametrize("use", [TAGS, FRAMES, "multi-output-classification"])
def test_values_of_other_kinds_are_no_trouble(use: str):
    """What is wrong with them is said elsewhere."""
    keys = "tags intent slots labels scheme pooling crf constrained metrics weights class_weights outputs"
    odd: list[Any] = [{}, {"a": {}}, {"a": []}, [], [{}], [[]], [1, "x"], 1, 1.5, True, "", "x"]
    for key in keys.split():
        for value in odd:
            found({"use": use, "outputs": ["a", "b"], key: value}, monitor="valid/x")
