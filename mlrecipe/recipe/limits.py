"""Limits: what numbers of a recipe may be, whatever the rest of it says."""

from __future__ import annotations

from typing import Any

from mlrecipe.errors import Problem
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.positions import KeyPath

SEEDS = (0, 2**32 - 1)
"""What numpy and Lightning accept."""

LEAST: dict[KeyPath, int] = {
    ("limit",): 1,
    ("train", "batch_size"): 1,
    ("train", "eval_batch_size"): 1,
    ("train", "epochs"): 1,
    ("train", "max_steps"): 1,
    ("train", "validate_every"): 1,
    ("test", "batch_size"): 1,
}


def check(tree: Tree) -> list[Problem]:
    """Numbers that are out of range; values of another type are left to the structure."""
    problems = []
    for path, least in LEAST.items():
        value = _at(tree, path)
        if type(value) is int and value < least:
            problems.append(tree.problem(path, f"expected at least {least}, got {value}"))
    for path in _seeds(tree):
        value = _at(tree, path)
        if type(value) is int and not SEEDS[0] <= value <= SEEDS[1]:
            message = f"a seed lies between {SEEDS[0]} and {SEEDS[1]}, got {value}"
            problems.append(tree.problem(path, message))
    return problems


def _seeds(tree: Tree) -> list[KeyPath]:
    nodes = tree.values.get("nodes")
    names = list(nodes) if isinstance(nodes, dict) else []
    return [("seed",), ("train", "seed"), *(("nodes", name, "seed") for name in names)]


def _at(tree: Tree, path: KeyPath) -> Any:
    found: Any = tree.values
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found
