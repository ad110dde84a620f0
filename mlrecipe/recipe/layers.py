"""Layers: the sources that a recipe is made of, lowest first, and the one rule by which they merge.

Tables merge; arrays and scalars replace; where `use` changes, the parameters given before go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlrecipe.errors import Problem
from mlrecipe.recipe.keys import dotted
from mlrecipe.recipe.positions import KeyPath, Positions, positions
from mlrecipe.recipe.schema import DEFAULTS, Origin

COMPONENTS: tuple[KeyPath, ...] = (
    ("data",), ("model",), ("task",), ("train", "optimizer"), ("train", "scheduler"),
)  # fmt: skip
"""Tables that may be written as the bare name of a component."""


_KEPT = ("inputs", "cache", "force", "version", "shards")
"""Keys of a node that are no parameters of its op, and stay when the op changes."""


class _Unresolved:
    def __repr__(self) -> str:
        return "unresolved"


UNRESOLVED = _Unresolved()
"""Stands for a value that could not be read or resolved: reported already, not to be checked again."""


@dataclass(slots=True)
class Text:
    """A file's TOML text, whose positions are read when they are first asked for."""

    content: str
    _positions: Positions | None = None

    @property
    def positions(self) -> Positions:
        """Where its keys are."""
        if self._positions is None:
            self._positions = positions(self.content)
        return self._positions


@dataclass(slots=True)
class Layer:
    """One source of values."""

    name: str
    """What an error calls it: the file as the user typed it, `--set #2`, `default`."""

    values: dict[str, Any]
    text: Text | None = None
    """The text that the values were read from, for a file."""

    folder: Path | None = None
    """Where its relative paths start; None: where the recipe's do."""

    prefix: KeyPath = ()
    """Where in the text the values' root is: `("variant", "model", "tiny")`."""

    note: str = ""
    """What an origin adds: `variant model=tiny`."""

    def origin(self, path: KeyPath) -> Origin:
        """Where this layer has the key, or the nearest table above it."""
        if self.text is None:
            return Origin(file=self.name, note=self.note)
        places, whole = self.text.positions.places, (*self.prefix, *path)
        for depth in range(len(whole), 0, -1):
            place = places.get(whole[:depth])
            if place:
                return Origin(file=self.name, line=place[0], column=place[1], note=self.note)
        return Origin(file=self.name, line=1, note=self.note)

    def problem(self, path: KeyPath, message: str) -> Problem:
        """A problem with what this layer says at `path`, with its place."""
        at = self.origin(path)
        key = dotted((*self.prefix, *path))
        return Problem(message=message, key=key, file=at.file, line=at.line, column=at.column)


@dataclass(slots=True)
class Tree:
    """The merged values of all layers, and which layer gave each."""

    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[KeyPath, Layer] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)
    references: dict[KeyPath, str] = field(default_factory=dict)
    """Texts with references as they were written, by the path of the value that took their place."""

    def origin(self, path: KeyPath) -> Origin:
        """Where the value at `path` was written, or the nearest table above it."""
        for depth in range(len(path), 0, -1):
            if (layer := self.sources.get(path[:depth])) is not None and layer.name != "default":
                return layer.origin(path)
        files = [layer for layer in self.layers if layer.text is not None]
        return Origin(file=files[-1].name, line=1) if files else Origin(file="default")

    def problem(self, path: KeyPath, message: str) -> Problem:
        """A problem with the value at `path`, with its place."""
        at = self.origin(path)
        key = dotted(path)
        return Problem(message=message, key=key, file=at.file, line=at.line, column=at.column)

    def overlay(self, layer: Layer) -> None:
        """Put a layer on top."""
        _normalize(layer.values)
        self.layers.append(layer)
        _merge(self, self.values, layer.values, (), layer)


def default_layer() -> Layer:
    """What holds where nothing else is said, for tables that are merged rather than replaced."""
    return Layer(name="default", values=copy(DEFAULTS))


def merge(layers: Sequence[Layer]) -> Tree:
    """All layers in one tree; a later layer wins."""
    tree = Tree()
    for layer in layers:
        tree.overlay(layer)
    return tree


def remove(layers: Sequence[Layer], path: KeyPath) -> bool:
    """Take a key, or an item of a list by its number, out of every layer; says whether any had it."""
    had = [_remove(layer, path) for layer in layers]
    return any(had)


def copy(value: Any) -> Any:
    """Tables and lists copied, so that changing one leaves the other alone."""
    if isinstance(value, dict):
        return {key: copy(below) for key, below in value.items()}
    return [copy(below) for below in value] if isinstance(value, list) else value


def _remove(layer: Layer, path: KeyPath) -> bool:
    _normalize(layer.values)
    table: Any = layer.values
    for key in path[:-1]:
        table = table.get(key) if isinstance(table, dict) else None
    last: Any = path[-1]
    if isinstance(table, list) and str(last).isdigit() and int(last) < len(table):
        last = int(last)
    elif not isinstance(table, dict) or last not in table:
        return False
    del table[last]
    return True


def _merge(
    tree: Tree, target: dict[str, Any], patch: Mapping[str, Any], prefix: KeyPath, layer: Layer
) -> None:
    if "use" in patch and "use" in target and patch["use"] != target["use"]:
        for key in [k for k in target if k not in _KEPT]:
            _drop(tree, target, key, prefix)
    for key, value in patch.items():
        path = (*prefix, key)
        old = target.get(key)
        if isinstance(value, dict) and isinstance(old, dict):
            _merge(tree, old, value, path, layer)
            tree.sources[path] = layer
        else:
            if key in target:
                _drop(tree, target, key, prefix)
            target[key] = copy(value)
            _mark(tree, path, value, layer)


def _drop(tree: Tree, target: dict[str, Any], key: str, prefix: KeyPath) -> None:
    for path in _paths(target.pop(key), (*prefix, key)):
        tree.sources.pop(path, None)


def _mark(tree: Tree, path: KeyPath, value: Any, layer: Layer) -> None:
    for below in _paths(value, path):
        tree.sources[below] = layer


def _paths(value: Any, path: KeyPath) -> Iterator[KeyPath]:
    """The path of a value and of everything in the tables below it."""
    yield path
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _paths(below, (*path, key))


def _normalize(values: dict[str, Any]) -> None:
    """Write `optimizer = "SGD"` as the table that it stands for."""
    for path in COMPONENTS:
        table: Any = values
        for key in path[:-1]:
            table = table.get(key) if isinstance(table, dict) else None
        if isinstance(table, dict) and isinstance(table.get(path[-1]), str):
            table[path[-1]] = {"use": table[path[-1]]}
