"""What can be said against the checkpoints that a recipe wants, before any work; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import Problem
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.positions import KeyPath

_AVERAGES = ("WeightAveraging", "EMAWeightAveraging", "StochasticWeightAveraging")
"""Callbacks that put an average in the place of the weights; one at most can do so."""


def problems(tree: Tree, catalog: Catalog) -> list[Problem]:
    """Keys of `[train]` that keep nothing, and averages that would hide each other."""
    train = table_at(tree.values, ("train",))
    return [tree.problem(("train", *path), message) for path, message in _mistakes(train)]


def _mistakes(train: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Each mistake's place in `[train]` and what is wrong."""
    top = train.get("top_k")
    if isinstance(top, int) and top > 1 and train.get("valid_split") == "":
        message = "does nothing without validation: there is no metric to choose the best by"
        yield ("top_k",), message
    averaging = [
        name
        for name, table in table_at(train, ("callbacks",)).items()
        if isinstance(table, Mapping) and table.get("use") in _AVERAGES
    ]
    for name in averaging[1:]:
        message = (
            f"the weights can be averaged in one way only, and {averaging[0]!r} does so already"
        )
        yield ("callbacks", name), f"{message}; take one of them out"
