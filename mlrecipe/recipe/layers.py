"""Layers: the sources that a recipe is made of, lowest first, and the one rule by which they merge.

Tables merge; arrays and scalars replace; where `use` changes, the parameters given before go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli

from mlrecipe.errors import Problem, RequestError
from mlrecipe.recipe.positions import KeyPath, Positions, positions
from mlrecipe.recipe.schema import DEFAULTS, Origin

COMPONENTS: tuple[KeyPath, ...] = (
    ("model",), ("task",), ("train", "optimizer"), ("train", "scheduler"),
)  # fmt: skip
"""Tables that may be written as the bare name of a component."""


_KEPT = ("inputs", "cache", "force", "version")
"""Keys of a node that are no parameters of its op, and stay when the op changes."""


class _Unresolved:
    def __repr__(self) -> str:
        return "unresolved"


UNRESOLVED = _Unresolved()
"""Stands for a value that could not be read or resolved: reported already, not to be checked again."""


@dataclass(slots=True)
class Layer:
    """One source of values."""

    name: str
    """What an error calls it: the file as the user typed it, `--set #2`, `default`."""

    values: dict[str, Any]
    text: str | None = None
    """The TOML text, for a file."""

    _positions: Positions | None = None

    def origin(self, path: KeyPath) -> Origin:
        """Where this layer has the key, or the nearest table above it."""
        if self.text is None:
            return Origin(file=self.name)
        if self._positions is None:
            self._positions = positions(self.text)
        for depth in range(len(path), 0, -1):
            place = self._positions.places.get(path[:depth])
            if place:
                return Origin(file=self.name, line=place[0], column=place[1])
        return Origin(file=self.name, line=1)


@dataclass(slots=True)
class Tree:
    """The merged values of all layers, and which layer gave each."""

    values: dict[str, Any] = field(default_factory=dict)
    sources: dict[KeyPath, Layer] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)

    def origin(self, path: KeyPath) -> Origin:
        """Where the value at `path` was written, or the nearest table above it."""
        for depth in range(len(path), 0, -1):
            if (layer := self.sources.get(path[:depth])) is not None and layer.name != "default":
                return layer.origin(path)
        files = [layer for layer in self.layers if layer.text is not None]
        return Origin(file=files[-1].name, line=1) if files else Origin(file="default")

    def problem(self, path: KeyPath, message: str) -> Problem:
        """A problem with the value at `path`, with its place."""
        origin = self.origin(path)
        return Problem(
            message=message, key=dotted(path), file=origin.file, line=origin.line,
            column=origin.column,
        )  # fmt: skip


def file_layers(path: Path, *, shown: str) -> tuple[list[Layer], list[Problem]]:
    """The layers that a recipe file stands for, lowest first, and what is wrong with their texts.

    Raises:
        RequestError: there is no such file, or it cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise RequestError(f"no such recipe: {shown!r}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"{shown!r} cannot be read: {error}") from None
    values, problems = _parse(text, shown)
    return [Layer(name=shown, values=values, text=text)], problems


def default_layer() -> Layer:
    """What holds where nothing else is said, for tables that are merged rather than replaced."""
    return Layer(name="default", values=_copy(DEFAULTS))


def merge(layers: Sequence[Layer]) -> Tree:
    """All layers in one tree; a later layer wins."""
    tree = Tree(layers=list(layers))
    for layer in layers:
        _normalize(layer.values)
        _merge(tree, tree.values, layer.values, (), layer)
    return tree


def leaves(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every value below `value` that is no table, with its path; an empty table counts as one."""
    if isinstance(value, Mapping) and (value or not path):
        for key, below in value.items():
            yield from leaves(below, (*path, key))
    else:
        yield path, value


def dotted(path: KeyPath) -> str:
    """The path as a recipe writes it: `nodes."my node".inputs[0]`."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += ("." if text else "") + (key if _is_bare(key) else f'"{key}"')
    return text


def _parse(text: str, shown: str) -> tuple[dict[str, Any], list[Problem]]:
    """The values of a text; keys declared twice are reported and left out, so that the rest can be checked."""
    problems: list[Problem] = []
    data = text.encode()
    while True:
        try:
            return tomli.loads(data.decode()), problems
        except tomli.TOMLDecodeError as error:
            repeats = positions(data.decode()).repeats
            if not repeats:
                message = f"not valid TOML: {_lower(error.msg)}"
                place = (error.lineno, error.colno)
                problems.append(
                    Problem(message=message, file=shown, line=place[0], column=place[1])
                )
                return {}, problems
        for repeat in repeats:
            message = f"declared twice; first in line {repeat.first[0]}"
            problems.append(
                Problem(message=message, key=dotted(repeat.path), file=shown,
                        line=repeat.place[0], column=repeat.place[1])
            )  # fmt: skip
            blank = bytes(b if b == 10 else 32 for b in data[repeat.start : repeat.end])
            data = data[: repeat.start] + blank + data[repeat.end :]


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
            target[key] = _copy(value)
            _mark(tree, path, value, layer)


def _drop(tree: Tree, target: dict[str, Any], key: str, prefix: KeyPath) -> None:
    del target[key]
    gone = (*prefix, key)
    for path in [p for p in tree.sources if p[: len(gone)] == gone]:
        del tree.sources[path]


def _mark(tree: Tree, path: KeyPath, value: Any, layer: Layer) -> None:
    tree.sources[path] = layer
    if isinstance(value, dict):
        for key, below in value.items():
            _mark(tree, (*path, key), below, layer)


def _normalize(values: dict[str, Any]) -> None:
    """Write `optimizer = "SGD"` as the table that it stands for."""
    for path in COMPONENTS:
        table: Any = values
        for key in path[:-1]:
            table = table.get(key) if isinstance(table, dict) else None
        if isinstance(table, dict) and isinstance(table.get(path[-1]), str):
            table[path[-1]] = {"use": table[path[-1]]}


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(below) for key, below in value.items()}
    return [_copy(below) for below in value] if isinstance(value, list) else value


def _is_bare(key: str) -> bool:
    return bool(key) and all(c.isascii() and (c.isalnum() or c in "-_") for c in key)


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
