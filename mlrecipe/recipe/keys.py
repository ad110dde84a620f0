"""Keys: the dotted paths by which a recipe's values are named, in overrides, references and messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import tomli

from mlrecipe.errors import did_you_mean, suggest
from mlrecipe.recipe.positions import KeyPath


def parse(text: str) -> tuple[str, ...]:
    """The parts of a TOML dotted key, or nothing when the text is none."""
    if "\n" in text or "#" in text.replace('"', "'").split("'")[0]:
        return ()
    try:
        table: Any = tomli.loads(f"{text} = 0")
    except (ValueError, RecursionError):
        return ()
    path: list[str] = []
    while isinstance(table, dict):
        if len(table) != 1:
            return ()
        key, table = next(iter(table.items()))
        path.append(key)
    return tuple(path)


def dotted(path: KeyPath) -> str:
    """The path as a recipe writes it: `nodes."my node".inputs[0]`."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            text += ("." if text else "") + (key if _is_bare(key) else _quoted(key))
    return text


def leaves(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every value below `value` that is no table, with its path; an empty table counts as one."""
    if isinstance(value, Mapping) and (value or not path):
        for key, below in value.items():
            yield from leaves(below, (*path, key))
    else:
        yield path, value


def table_at(values: Any, path: KeyPath) -> Mapping[str, Any]:
    """The table at `path`, or an empty one where there is none."""
    for key in path:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values if isinstance(values, Mapping) else {}


def nearest(table: KeyPath, name: str, names: Iterable[str]) -> str:
    """`did you mean 'train.seed'?` of the keys of a table, or what keys there are."""
    known = list(names)
    near = suggest(name, known)
    if near is not None:
        return f"did you mean {dotted((*table, near))!r}?"
    return did_you_mean("", [dotted((*table, key)) for key in known])


def _is_bare(key: str) -> bool:
    return bool(key) and all(c.isascii() and (c.isalnum() or c in "-_") for c in key)


def _quoted(key: str) -> str:
    """The key as a basic string of TOML."""
    escaped = key.replace("\\", "\\\\").replace('"', '\\"')
    return (
        '"' + "".join(c if c >= " " and c != "\x7f" else f"\\u{ord(c):04X}" for c in escaped) + '"'
    )
