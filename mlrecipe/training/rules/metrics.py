"""What can be said against a recipe's metrics before any work; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping

from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import Problem
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.layers import Tree
from mlrecipe.registry import registries

_ONE, _TAGS = "single_label_classification", "token_classification"

_TASKS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "intent-and-slots": ((_ONE, _TAGS, "intent_and_slots"), "an intent and slots for each row"),
    "multi-label-classification": (("multi_label_classification",), "several labels for each row"),
    "multi-output-classification": ((_ONE,), "one label for each output"),
    "text-classification": ((_ONE,), "one label for each row"),
    "text-regression": (("regression",), "a number for each row"),
    "token-classification": ((_TAGS,), "a tag for each word"),
}
"""Built-in task → the problem types that its metrics are for, and these in words."""

_USUAL: Mapping[str, str] = {
    _ONE: "accuracy, f1, f1-macro, matthews-corrcoef",
    _TAGS: "span-f1, span-f1-macro, accuracy, f1-macro",
    "intent_and_slots": "accuracy, span-f1, exact-match",
    "multi_label_classification": "f1-macro, f1-micro, exact-match, average-precision",
    "regression": "pearson-corrcoef, spearman-corrcoef, mean-absolute-error, r2-score",
}

_OF_WHAT = ("precision", "recall", "f1")
"""Metrics of which it is not plain, where words have tags, whether spans or words are meant."""


def problems(tree: Tree, catalog: Catalog) -> list[Problem]:
    """Built-in metrics that do not go with the built-in task."""
    task = table_at(tree.values, ("task",))
    metrics, use = task.get("metrics"), task.get("use")
    if not isinstance(use, str) or use not in _TASKS or not isinstance(metrics, list):
        return []
    labels = task.get("labels")
    count = len(labels) if isinstance(labels, list) else None
    texts = [_mistake(name, *_TASKS[use]) or _too_few(name, count) for name in metrics]
    return [
        tree.problem(("task", "metrics", place), text) for place, text in enumerate(texts) if text
    ]


def _mistake(name: object, kinds: tuple[str, ...], words: str) -> str | None:
    """That the metric is not for these problem types; of metrics of the user's own nothing is known."""
    if not isinstance(name, str) or name not in registries["metric"]:
        return None
    types = registries["metric"].entry(name).types
    if not types or any(kind in types for kind in kinds):
        return None
    if kinds == (_TAGS,) and name in _OF_WHAT:
        say = f"say `span-{name}`, or `{name}-macro` or `{name}-micro` of words"
        return f"metric {name!r} may be that of spans or of words; {say}"
    usual = _USUAL[kinds[-1]]
    return f"metric {name!r} does not go with {words}; those that do: {usual} and others"


def _too_few(name: object, labels: int | None) -> str | None:
    """That the right one is always among so many of the most probable labels."""
    k = name.removeprefix("top-").removesuffix("-accuracy") if isinstance(name, str) else ""
    if labels is None or name != f"top-{k}-accuracy" or not k.isdigit() or labels > int(k):
        return None
    return f"metric {name!r} is always 1: there are only {labels} labels"
