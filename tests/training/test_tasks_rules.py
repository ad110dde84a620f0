"""What `check` says of a recipe's task."""

from __future__ import annotations

from typing import Any

import pytest

from mlrecipe.code.catalog import Catalog
from mlrecipe.recipe.layers import Layer, default_layer, merge
from mlrecipe.training.checks import problems

SEVERAL = "multi-label-classification"
OUTPUTS = "multi-output-classification"


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
        ({"threshold": 1}, "threshold", "1 is not between 0 and 1"),
        ({"separator": ""}, "separator", "an empty text separates nothing"),
        ({"labels": ["a", "a"]}, "labels", "label 'a' is there twice"),
        ({"labels_from": []}, "labels_from", "there is no column"),
        ({"labels_from": ["a", "a"]}, "labels_from", "'a' is there twice"),
        ({"labels_from": ["a"], "labels": ["a"]}, "labels", "does nothing with `labels_from`"),
        ({"labels_from": ["a"], "label": "x"}, "label", "does nothing with `labels_from`"),
        ({"labels_from": ["a"], "separator": ","}, "separator", "does nothing with"),
        ({"labels": ["a"], "pos_weight": {"b": 1.0}}, "pos_weight.b", "no label 'b'"),
        ({"labels": ["a"], "pos_weight": [1.0, 2.0]}, "pos_weight", "are 2 weights for 1 label"),
        ({"labels_from": ["a"], "pos_weight": [-1.0]}, "pos_weight", "weights are 0 or more"),
    ],
)
def test_mistakes_with_several_labels_are_found(task: dict[str, Any], key: str, message: str):
    """At their own place, before anything runs."""
    said = found({"use": SEVERAL, **task})

    assert message in said[f"task.{key}"]


@pytest.mark.parametrize(
    ("task", "key", "message"),
    [
        ({"outputs": []}, "outputs", "there is no column"),
        ({"outputs": ["a", "a"]}, "outputs", "'a' is there twice"),
        ({"outputs": ["intent"], "weights": {"intnet": 2.0}}, "weights.intnet", "did you mean"),
        ({"outputs": ["intent"], "labels": {"topic": ["x"]}}, "labels.topic", "no output 'topic'"),
        ({"outputs": ["a"], "labels": {"a": ["x", "x"]}}, "labels.a", "'x' is there twice"),
        ({"outputs": ["a", "b"], "weights": {"a": 0, "b": 0}}, "weights", "not all 0"),
    ],
)
def test_mistakes_with_several_outputs_are_found(task: dict[str, Any], key: str, message: str):
    """At their own place, before anything runs."""
    said = found({"use": OUTPUTS, **task})

    assert message in said[f"task.{key}"]


@pytest.mark.parametrize("task", [SEVERAL, "text-regression"])
def test_rows_of_no_one_class_cannot_be_sampled_by_it(task: str):
    """The message says what can be."""
    said = found({"use": task}, sampling="balanced")

    assert "take `all` or `weighted`" in said["train.sampling"]


@pytest.mark.parametrize(
    ("monitor", "is_known"),
    [("valid/accuracy", True), ("valid/intent/accuracy", True), ("valid/topic/accuracy", False)],
)
def test_metrics_of_each_output_can_be_watched(monitor: str, is_known: bool):
    """Under the column's name, and their mean under the metric's own."""
    said = found({"use": OUTPUTS, "outputs": ["intent", "side"]}, monitor=monitor)

    assert ("train.monitor" not in said) is is_known
