"""Origins: where each value of a recipe came from, for people to read."""

from __future__ import annotations

from typing import Any

from mlrecipe.recipe.keys import dotted, leaves
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.positions import KeyPath, positions

_COLUMN = 48
"""Where comments start at the earliest."""


def place(tree: Tree, path: KeyPath) -> str:
    """Where the value at `path` was written: `base.toml:7:1 (variant model=tiny)`, `--set #2`, `default`."""
    depth = next((d for d in range(len(path), 0, -1) if path[:d] in tree.sources), 0)
    layer = tree.sources.get(path[:depth])
    if layer is None or layer.name == "default":
        return "default"
    if not _has(layer.values, path) and path[:depth] not in tree.references:
        return "default"
    origin = layer.origin(path)
    text = ":".join(str(part) for part in (origin.file, origin.line, origin.column) if part)
    return f"{text} ({origin.note})" if origin.note else text


def origins(tree: Tree) -> dict[str, str]:
    """Key → place for every value that was written somewhere, or is a default of the recipe's tables."""
    return {dotted(path): place(tree, path) for path, _ in leaves(tree.values)}


def annotated(text: str, tree: Tree) -> str:
    """A resolved recipe's TOML with the origin of every value as a comment on its line."""
    comments: dict[int, str] = {}
    for path, (line, _) in positions(text).places.items():
        if not any(isinstance(step, int) for step in path):
            comments[line] = _comment(tree, path)
    out = []
    for number, row in enumerate(text.rstrip("\n").split("\n"), 1):
        comment = None if row.startswith("[") else comments.get(number)
        out.append(f"{row:<{_COLUMN}}  # {comment}" if comment else row)
    return "\n".join(out)


def _comment(tree: Tree, path: KeyPath) -> str:
    reference = tree.references.get(path)
    shown = place(tree, path)
    if reference is None:
        return shown
    return f"{shown}  {' '.join(reference.split())}"


def _has(values: Any, path: KeyPath) -> bool:
    for key in path:
        try:
            values = values[key]
        except (KeyError, IndexError, TypeError):
            return False
    return True
