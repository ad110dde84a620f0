"""What `check` says of a recipe's model where words have tags."""

from __future__ import annotations

from typing import Any

import pytest

from mlrecipe.code.catalog import Catalog
from mlrecipe.recipe.layers import Layer, default_layer, merge
from mlrecipe.training.checks import problems

BILSTM = {"use": "word-char-bilstm"}
ENCODER = {"use": "transformer", "checkpoint": "x"}


def found(
    model: dict[str, Any], *, task: str = "token-classification", **tokens: Any
) -> dict[str, str]:
    values = {
        "nodes": {"words": {"use": "tokenize-words", **tokens}},
        "model": model,
        "task": {"use": task},
        "train": {"monitor": "valid/loss", "data": "words"},
    }
    tree = merge([default_layer(), Layer(name="r.toml", values=values)])
    return {problem.key: problem.message for problem in problems(tree, Catalog())}


@pytest.mark.parametrize(
    ("model", "tokens"), [(BILSTM, {}), (ENCODER, {"tokenizer": "x"})], ids=["letters", "pieces"]
)
def test_a_model_with_the_tokens_it_reads_passes(model: dict[str, Any], tokens: dict[str, Any]):
    """Letters for one, pieces for the other."""
    assert found(model, **tokens) == {}


@pytest.mark.parametrize(
    ("model", "tokens", "message"),
    [(BILSTM, {"tokenizer": "x"}, "leave it out"), (ENCODER, {}, "is needed")],
    ids=["pieces", "letters"],
)
def test_a_model_with_tokens_of_the_other_kind_is_a_mistake(
    model: dict[str, Any], tokens: dict[str, Any], message: str
):
    """Found before the data are read."""
    assert message in found(model, **tokens)["nodes.words.tokenizer"]


@pytest.mark.parametrize("key", ["max_length", "stride"])
def test_windows_of_letters_are_a_mistake(key: str):
    """There is one only; a variant that takes the tokenizer away may leave them as they are."""
    tokens: dict[str, Any] = {key: 16}

    assert "does nothing without" in found(BILSTM, **tokens)[f"nodes.words.{key}"]
    assert found(BILSTM, tokenizer=None, **tokens) == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [("hidden", 0), ("word_bytes", 1), ("dropout", 1.0), ("word_dropout", -0.5)],
)
def test_a_size_that_cannot_be_is_a_mistake(key: str, value: float):
    """At its own place."""
    assert f"{value!r} is not" in found({**BILSTM, key: value})[f"model.{key}"]


def test_a_model_that_tags_words_is_a_mistake_for_a_task_on_texts():
    """It says which task."""
    message = found(BILSTM, task="text-classification")["model.use"]

    assert "'text-classification' does not" in message
