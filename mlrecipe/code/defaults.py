"""Defaults: what a parameter is when a recipe does not say, read from source as a recipe would write it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mlrecipe.code import kinds
from mlrecipe.code.kinds import Kind


class _Required:
    def __repr__(self) -> str:
        return "required"


REQUIRED = _Required()
"""Default of a parameter that has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A default that is no literal; it stays with the code, whose digest covers it."""

    source: str


def of_field(node: ast.expr, kind: Kind) -> Any:
    """The default of a dataclass field; `field(default_factory=…)` for lists, dicts and literal lambdas."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "field":
        for keyword in node.keywords:
            if keyword.arg == "default":
                return of(keyword.value, kind)
            if keyword.arg == "default_factory":
                return _of_factory(keyword.value, kind)
        return REQUIRED
    return of(node, kind)


def _of_factory(node: ast.expr, kind: Kind) -> Any:
    match node:
        case ast.Name(id="list"):
            return []
        case ast.Name(id="dict"):
            return {}
        case ast.Lambda(body=body):
            return of(body, kind)
    return Unreadable(source=ast.unparse(node))


def of(node: ast.expr, kind: Kind) -> Any:
    """A default as a recipe would give it, so that writing it out changes nothing."""
    value = literal(node)
    try:
        value = _toml_value(value)
    except TypeError:
        return Unreadable(source=ast.unparse(node))
    return kinds.convert(value, kind)[0]


def _toml_value(value: Any) -> Any:
    """The value with lists for tuples.

    Raises:
        TypeError: TOML has nothing like it.
    """
    if isinstance(value, (list, tuple)):
        return [_toml_value(item) for item in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _toml_value(item) for key, item in value.items()}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(type(value).__name__)


def literal(node: ast.expr) -> Any:
    """The value that is written out, or `Unreadable`."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return Unreadable(source=ast.unparse(node))


def to_json(default: Any) -> Any:
    """The default as JSON values; `from_json` gives it back."""
    if default is REQUIRED:
        return {"kind": "required"}
    if isinstance(default, Unreadable):
        return {"kind": "unreadable", "source": default.source}
    return {"kind": "value", "value": default}


def from_json(data: Mapping[str, Any]) -> Any:
    """The default that `to_json` wrote."""
    if data["kind"] == "required":
        return REQUIRED
    if data["kind"] == "unreadable":
        return Unreadable(source=data["source"])
    return data["value"]
