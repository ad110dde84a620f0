"""Overrides: what `--set KEY=VALUE` means, directed by the type that the key has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tomli

from mlrecipe.code.catalog import Catalog
from mlrecipe.code.kinds import accepts_text, convert, is_text
from mlrecipe.errors import Problem
from mlrecipe.recipe.layers import UNRESOLVED, Layer, Tree, dotted, merge
from mlrecipe.recipe.positions import KeyPath
from mlrecipe.recipe.shape import kind_at

FILE_ONLY = ("plugins", "relative_to")
"""Keys that no override changes: they decide what code is read, and where."""


def apply(
    layers: Sequence[Layer], overrides: Sequence[str], catalog: Catalog
) -> tuple[Tree, list[Problem]]:
    """The tree of the layers with every override on top, later ones winning.

    Overrides of `use` are applied first: they decide what types the other keys have.
    """
    problems: list[Problem] = []
    split = [_split(text, number, problems) for number, text in enumerate(overrides, 1)]
    parsed = [item for item in split if item is not None]
    uses = [item for item in parsed if item[1][-1] == "use"]
    tree = merge([*layers, *(_layer(n, path, value) for n, path, value in uses)])
    on_top = []
    for number, path, text in sorted(parsed, key=lambda item: item[1][-1] != "use"):
        value = text if path[-1] == "use" else _value(tree, number, path, text, catalog, problems)
        on_top.append(_layer(number, path, value))
    return merge([*layers, *on_top]) if parsed else tree, problems


def _split(
    text: str, number: int, problems: list[Problem]
) -> tuple[int, tuple[str, ...], str] | None:
    key, equals, value = text.partition("=")
    path = _key_path(key)
    if path and path[0] in FILE_ONLY:
        message = "read from the recipe file alone: write it there"
        problems.append(Problem(message=message, key=path[0], file=f"--set #{number}"))
        return None
    if equals and path:
        return number, path, value
    message = f"expected KEY=VALUE with a dotted key, got {text!r}; for example train.batch_size=32"
    problems.append(Problem(message=message, file=f"--set #{number}"))
    return None


def _key_path(text: str) -> tuple[str, ...]:
    """The parts of a TOML dotted key, or nothing when the text is none."""
    if "\n" in text or "#" in text.replace('"', "'").split("'")[0]:
        return ()
    try:
        table: Any = tomli.loads(f"{text} = 0")
    except tomli.TOMLDecodeError:
        return ()
    path: list[str] = []
    while isinstance(table, dict):
        if len(table) != 1:
            return ()
        key, table = next(iter(table.items()))
        path.append(key)
    return tuple(path)


def _layer(number: int, path: KeyPath, value: Any) -> Layer:
    for key in reversed(path):
        value = {key: value}
    return Layer(name=f"--set #{number}", values=value)


def _value(
    tree: Tree, number: int, path: KeyPath, text: str, catalog: Catalog, problems: list[Problem]
) -> Any:
    kind = kind_at(path, tree.values, catalog)
    if text.startswith("${"):
        return text
    if is_text(kind):
        return _text(text)
    parsed, error = _toml(text)
    if error is None:
        return parsed
    if kind.name == "any" or accepts_text(kind):
        return text
    message = convert(text, kind)[1][0][1] + _dot_hint(text)
    problems.append(Problem(message=message, key=dotted(path), file=f"--set #{number}"))
    return UNRESOLVED


def _text(text: str) -> str:
    """The text as it stands, unless all of it is one quoted TOML string."""
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        parsed, error = _toml(text)
        if error is None and isinstance(parsed, str):
            return parsed
    return text


def _toml(text: str) -> tuple[Any, str | None]:
    """The one TOML value that `text` is; a newline cannot smuggle in a second key."""
    try:
        table = tomli.loads(f"value = {text}")
    except tomli.TOMLDecodeError as error:
        return None, error.msg
    return (table["value"], None) if list(table) == ["value"] else (None, "more than one value")


def _dot_hint(text: str) -> str:
    return f"; write 0{text}" if text.startswith(".") and text[1:].isdigit() else ""
