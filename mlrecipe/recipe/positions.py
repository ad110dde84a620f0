"""Positions: the line and column of every key of a TOML text, from its syntax tree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Node

KeyPath = tuple[str | int, ...]
Place = tuple[int, int]
"""Line and column, from 1."""


@dataclass(slots=True)
class Positions:
    """Where the keys of one text are."""

    places: dict[KeyPath, Place] = field(default_factory=dict)
    """Key path → place of the key, or of the element in an array."""

    repeats: list[Repeat] = field(default_factory=list)
    """Tables and keys that are declared a second time."""

    declared: set[KeyPath] = field(default_factory=set)
    """Keys and tables that are written out, not only implied by a longer header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """A key or table that an earlier line has declared already."""

    path: KeyPath
    place: Place
    first: Place

    start: int
    """First byte of the repeated declaration."""

    end: int
    """Byte after the repeated declaration, for a table its keys included."""


def positions(text: str) -> Positions:
    """The place of every key in `text`, which may be broken: what can be read of it is."""
    import tree_sitter_toml
    from tree_sitter import Language, Parser

    parser = Parser(Language(tree_sitter_toml.language()))
    root = parser.parse(text.encode()).root_node
    found = Positions()
    arrays: dict[KeyPath, int] = {}
    for child in root.children:
        if child.type == "pair":
            _add_pair(found, child, ())
        elif child.type in ("table", "table_array_element"):
            _add_table(found, child, arrays)
    return found


def _add_table(found: Positions, node: Node, arrays: dict[KeyPath, int]) -> None:
    keys = [c for c in node.children if c.type in ("bare_key", "quoted_key", "dotted_key")]
    if not keys:
        return
    path = _through_arrays(tuple(_key(keys[0])), arrays)
    for depth in range(1, len(path)):
        found.places.setdefault(path[:depth], _place(keys[0]))
    if node.type == "table_array_element":
        index = arrays.get(path, -1) + 1
        arrays[path] = index
        found.places.setdefault(path, _place(keys[0]))
        path = (*path, index)
        found.places[path] = _place(keys[0])
    elif not _declare(found, path, keys[0], node):
        return
    for child in node.children:
        if child.type == "pair":
            _add_pair(found, child, path)


def _through_arrays(path: KeyPath, arrays: dict[KeyPath, int]) -> KeyPath:
    """`a.b` below `[[a]]` means the newest element of the array `a`."""
    out: KeyPath = ()
    for position, key in enumerate(path):
        out = (*out, key)
        if out in arrays and position < len(path) - 1:
            out = (*out, arrays[out])
    return out


def _add_pair(found: Positions, node: Node, prefix: KeyPath) -> None:
    key, *_, value = node.children
    names = _key(key)
    for depth in range(1, len(names)):
        found.places.setdefault((*prefix, *names[:depth]), _place(key))
    path = (*prefix, *names)
    if _declare(found, path, key, node):
        _add_value(found, value, path)


def _add_value(found: Positions, node: Node, path: KeyPath) -> None:
    if node.type == "inline_table":
        for child in node.children:
            if child.type == "pair":
                _add_pair(found, child, path)
    elif node.type == "array":
        for index, child in enumerate(_elements(node)):
            below: KeyPath = (*path, index)
            found.places[below] = _place(child)
            _add_value(found, child, below)


def _elements(node: Node) -> Iterator[Node]:
    return (c for c in node.children if c.is_named and c.type != "comment")


def _declare(found: Positions, path: KeyPath, key: Node, whole: Node) -> bool:
    """Note the place of a declaration; False when it repeats an earlier one."""
    if path in found.declared:
        found.repeats.append(
            Repeat(
                path=path,
                place=_place(key),
                first=found.places[path],
                start=whole.start_byte,
                end=whole.end_byte,
            )
        )
        return False
    found.declared.add(path)
    found.places[path] = _place(key)
    return True


def _key(node: Node) -> list[str]:
    if node.type == "dotted_key":
        return [part for child in node.children if child.type != "." for part in _key(child)]
    text = (node.text or b"").decode()
    if node.type == "quoted_key":
        import tomli

        return [next(iter(tomli.loads(f"{text} = 0")))]
    return [text]


def _place(node: Node) -> Place:
    return node.start_point.row + 1, node.start_point.column + 1
