"""What can be said against the checkpoints that a recipe wants, before any work; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import Problem
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.layers import Tree

_COUNTS = ("top_k", "save_every", "resume_every")


def problems(tree: Tree, catalog: Catalog) -> list[Problem]:
    """Keys of `[train]` that keep nothing."""
    train = table_at(tree.values, ("train",))
    return [tree.problem(("train", key), message) for key, message in _mistakes(train)]


def _mistakes(train: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in _COUNTS:
        value = train.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value < 1:
            yield key, f"{value} is not at least 1"
    top = train.get("top_k")
    if isinstance(top, int) and top > 1 and train.get("valid_split") == "":
        yield "top_k", "does nothing without validation: there is no metric to choose the best by"
