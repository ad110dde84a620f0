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
    """Counts that are none, and keys that do nothing."""
    train = table_at(tree.values, ("train",))
    found = list(_mistakes(train))
    if train.get("folds") is not None and is_module(tree.values, catalog):
        found.append(("folds", "a module of your own has rows that nobody else can divide"))
    return [tree.problem(("train", key), message) for key, message in found]


def _mistakes(train: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    repeat, folds, fold = (_count(train.get(key)) for key in ("repeat", "folds", "fold"))
    if repeat is not None and repeat < 1:
        yield "repeat", f"{repeat} is not at least 1"
    if folds is not None and folds < 2:
        yield "folds", f"{folds} is not at least 2"
    if folds is not None and train.get("valid_split") == "":
        yield "folds", "each fold validates on its part, and `valid_split` must name that"
    if fold is not None and folds is None:
        yield "fold", "does nothing without `folds`"
    elif fold is not None and folds is not None and not 1 <= fold <= folds:
        yield "fold", f"{fold} is none of the folds, which are counted from 1 to {folds}"


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
