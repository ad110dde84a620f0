"""What can be said against repeats and folds before any work; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import Problem
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.own import is_module


def problems(tree: Tree, catalog: Catalog) -> list[Problem]:
    """Keys that do nothing, or contradict each other."""
    train = table_at(tree.values, ("train",))
    if is_module(tree.values, catalog):
        return []  # said with all that does nothing there
    return [tree.problem(("train", key), message) for key, message in _mistakes(train)]


def _mistakes(train: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    folds, fold = (_count(train.get(key)) for key in ("folds", "fold"))
    if folds is not None and train.get("valid_split") == "":
        yield "folds", "each fold validates on its part, and `valid_split` must name that"
    if fold is not None and folds is None:
        yield "fold", "does nothing without `folds`"
    elif fold is not None and folds is not None and not 1 <= fold <= folds:
        yield "fold", f"{fold} is none of the folds, which are counted from 1 to {folds}"


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
