"""Kinds as JSON Schema: which JSON values stand for values of a parameter's type."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mlrecipe.code import kinds
from mlrecipe.code.defaults import REQUIRED
from mlrecipe.code.kinds import Kind
from mlrecipe.code.signatures import Parameter

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
REFERENCE = "reference"
"""Name of the definition of texts with a reference, which stand for values of any kind."""

_TYPES = {"int": "integer", "float": "number", "bool": "boolean"}


def ref(name: str) -> Schema:
    """What stands for a definition."""
    return {"$ref": f"#/definitions/{name}"}


def of_kind(kind: Kind, *, text: Schema = TEXT) -> Schema:
    """The schema of the values of a kind.

    Where no text may stand, one with a reference may: `"${train.lr}"` for a number, `"${none}"` for none.

    Args:
        kind: what type the values have.
        text: the schema of texts in them, such as names of nodes.
    """
    choices = _choices(kind, text)
    if {} in choices:
        return {}
    if text not in choices:
        choices.append(ref(REFERENCE))
    return choices[0] if len(choices) == 1 else {"anyOf": choices}


def of_parameter(parameter: Parameter, schema: Schema | None = None) -> Schema:
    """The schema of a parameter's values, with its doc and its default.

    `schema` says what the values are, where that is more than their kind.
    """
    described: Schema = {"description": parameter.doc} if parameter.doc else {}
    values = of_kind(parameter.kind) if schema is None else schema
    described |= (
        {"anyOf": [values]} if "$ref" in values else values
    )  # draft-07: no siblings of $ref
    if _is_writable(parameter.default):
        described["default"] = parameter.default
    return described


def constant(name: str, doc: str = "") -> Schema:
    """The schema of one text, with what it means."""
    return {"const": name, "description": doc} if doc else {"const": name}


def any_of(names: Mapping[str, str]) -> Schema:
    """The schema of texts of which each has a meaning, or of a reference to one."""
    return {"anyOf": [*(constant(*item) for item in names.items()), ref(REFERENCE)]}


def _choices(kind: Kind, text: Schema) -> list[Schema]:
    """Schemas of which one must hold; an empty one accepts everything."""
    if kind.name == "union":
        found = [choice for arg in kind.args for choice in _choices(arg, text)]
        return [choice for i, choice in enumerate(found) if choice not in found[:i]]
    if kind.name == "none":
        return []
    if kind.name == "literal":
        return [{"enum": [arg for arg in kind.args if arg is not None]}]
    if kind.name == "list":
        return [{"type": "array", "items": of_kind(kind.args[0], text=text)}]
    if kind.name == "dict":
        values = of_kind(kind.args[0], text=text)
        return [{"type": "object", "additionalProperties": values or True}]
    if kind.name in _TYPES:
        return [{"type": _TYPES[kind.name]}]
    return [text] if kinds.accepts_text(kind) else [{}]


def _is_writable(value: Any) -> bool:
    """Whether a recipe can say this default: TOML has no null, JSON no infinity."""
    if isinstance(value, dict):
        return all(map(_is_writable, value.values()))
    if isinstance(value, list):
        return all(map(_is_writable, value))
    if value is REQUIRED or not isinstance(value, (bool, int, float, str)):
        return False
    return not isinstance(value, float) or math.isfinite(value)
