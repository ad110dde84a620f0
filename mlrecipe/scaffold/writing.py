"""Pieces of a recipe's text: comments of full lines, tables, values as TOML writes them."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterable, Mapping

_WIDTH = 100


def section(name: str, keys: Mapping[str, object]) -> str:
    """A table with its keys."""
    return f"[{name}]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in keys.items())


def remark(*paragraphs: str) -> str:
    """Paragraphs as lines of a comment; those from a person's file cannot end it."""
    lines: Iterable[str] = (
        line
        for text in paragraphs
        for line in textwrap.wrap(_one_line(text), _WIDTH - 2, break_on_hyphens=False)
    )
    return "".join(f"# {line}\n" for line in lines)


def _one_line(text: str) -> str:
    """Nothing from a person's file may end a comment: control characters become spaces."""
    clean = "".join(char if char.isprintable() else " " for char in text)
    return clean[:1].upper() + clean[1:]


def toml(value: object) -> str:
    """A value as TOML writes it, and as a recipe takes it literally: `${` would be replaced."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return _toml_list(value)
    if isinstance(value, dict):
        return _toml_table(value)
    # JSON's text is TOML's, but for the delete character, which TOML wants escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f").replace("${", "$${")


def _toml_table(values: dict[str, object]) -> str:
    items = (f"{_toml_key(key)} = {toml(value)}" for key, value in values.items())
    return f"{{ {', '.join(items)} }}"


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else toml(key)


def _toml_list(values: list[object]) -> str:
    items = [toml(value) for value in values]
    line = f"[{', '.join(items)}]"
    if len(line) <= _WIDTH - 10:
        return line
    return "[\n" + "".join(f"  {item},\n" for item in items) + "]"
