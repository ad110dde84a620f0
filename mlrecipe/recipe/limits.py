"""Limits: what numbers of a recipe may be, whatever the rest of it says."""

from __future__ import annotations

import re
from typing import Any

from mlrecipe.errors import Problem
from mlrecipe.recipe.evaluation import NODES
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.positions import KeyPath

SEEDS = (0, 2**32 - 1)
"""What numpy and Lightning accept."""

_TRAIN = {
    "batch_size": 1, "device_batch_size": 1, "eval_batch_size": 1, "tokens_per_batch": 1, "pad_to": 1,
    "epochs": 1, "max_steps": 1, "validate_every": 1, "top_k": 1, "save_every": 1, "resume_every": 1,
    "repeat": 1, "folds": 2,
}  # fmt: skip
LEAST: dict[KeyPath, int] = {
    ("limit",): 1,
    ("test", "batch_size"): 1,
    ("evaluate", "keep_validations"): 0,
    **{("train", key): least for key, least in _TRAIN.items()},
}

_FOLDER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
"""What may be the name of a run directory, or a part of it."""


def check(tree: Tree) -> list[Problem]:
    """Numbers that are out of range; values of another type are left to the structure."""
    problems = []
    of_nodes = dict.fromkeys(_of_nodes(tree, "shards") + _of_nodes(tree, "limit"), 1)
    for path, least in (LEAST | of_nodes).items():
        value = _at(tree, path)
        if type(value) is int and value < least:
            problems.append(tree.problem(path, f"expected at least {least}, got {value}"))
    for path in [("seed",), ("train", "seed"), *_of_nodes(tree, "seed")]:
        value = _at(tree, path)
        if type(value) is int and not SEEDS[0] <= value <= SEEDS[1]:
            message = f"a seed lies between {SEEDS[0]} and {SEEDS[1]}, got {value}"
            problems.append(tree.problem(path, message))
    for path in [("run", "name"), ("test", "suffix")]:
        value = _at(tree, path)
        if isinstance(value, str) and value and not _FOLDER.fullmatch(value):
            message = f"expected letters, digits, '.', '_' and '-', got {value!r}"
            problems.append(tree.problem(path, message))
    name = tree.values.get("name")
    if isinstance(name, str) and not (name.strip() and name.isprintable()):
        problems.append(
            tree.problem(("name",), f"expected a name of printable characters, got {name!r}")
        )
    return problems


def _of_nodes(tree: Tree, key: str) -> list[KeyPath]:
    """The paths of a key of every node, of data or of evaluation."""
    families: list[KeyPath] = [("nodes",), NODES]
    return [(*path, name, key) for path in families for name in table_at(tree.values, path)]


def _at(tree: Tree, path: KeyPath) -> Any:
    found: Any = tree.values
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found
