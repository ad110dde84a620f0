"""Configuration files of other frameworks, read as plain values; no key is lost and nothing in them is run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlrecipe.errors import RequestError

_FLOAT = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+")
_INTERPOLATION = re.compile(r"\$\{[^}]*\}?")


def read_json(path: Path) -> dict[str, Any]:
    """The table in a JSON file.

    Raises:
        RequestError: it cannot be read, is no JSON or no table, or has a key twice.
    """
    text = _text(path)
    try:
        values = json.loads(text, object_pairs_hook=_unique)
    except json.JSONDecodeError as error:
        hint = None
        if path.suffix in (".jsonnet", ".libsonnet"):
            hint = f"evaluate it first: jsonnet {path.name} > {path.stem}.json"
        place = f"{path}:{error.lineno}:{error.colno}"
        raise RequestError(f"{place}: not valid JSON: {_lower(error.msg)}", hint=hint) from error
    except _TwiceError as error:
        line = _line_of_second(text, str(error))
        message = f"{path}:{line}: key {str(error)!r} is there twice in one table"
        raise RequestError(message) from error
    return _table(values, path)


def read_yaml(path: Path) -> dict[str, Any]:
    """The table in a YAML file; `1e-3` is a number, as it is for Hydra.

    Raises:
        RequestError: it cannot be read, is no YAML or no table, has a key twice, or has interpolations.
    """
    import yaml

    text = _text(path)
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        for message, line in _yaml_problems(tree):
            raise RequestError(f"{path}:{line}: {message[0]}", hint=message[1])
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        what = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise RequestError(f"{place}: not valid YAML: {what}") from error
    return _table(_numbers(values), path)


def _yaml_problems(tree: Any) -> Iterator[tuple[tuple[str, str | None], int]]:
    """What a resolved configuration may not have: message with hint, and line."""
    pending, done = [tree], set()
    while pending:
        node = pending.pop(0)
        if node is None or id(node) in done:  # an anchor may be used many times
            continue
        done.add(id(node))
        if node.id == "scalar" and (found := _INTERPOLATION.search(node.value)):
            hint = "save the resolved one: python train.py --cfg job --resolve > config.yaml"
            message = f"{found[0]!r} is not resolved"
            yield (message, hint), node.start_mark.line + 1
        elif node.id == "sequence":
            pending += node.value
        elif node.id == "mapping":
            seen: set[str] = set()
            for key, value in node.value:
                if key.id == "scalar" and key.value in seen:
                    message = f"key {key.value!r} is there twice in one table"
                    yield (message, None), key.start_mark.line + 1
                seen.add(key.value if key.id == "scalar" else "")
                pending.append(value)


def _numbers(value: Any) -> Any:
    """The values with texts for keys, and numbers for texts such as `1e-3`, which YAML 1.1 takes for text."""
    if isinstance(value, Mapping):
        return {str(key): _numbers(below) for key, below in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [_numbers(item) for item in value]
    return float(value) if isinstance(value, str) and _FLOAT.fullmatch(value) else value


class _TwiceError(ValueError):
    """A key is there twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in pairs:
        if key in table:
            raise _TwiceError(key)
        table[key] = value
    return table


def _line_of_second(text: str, key: str) -> int:
    """The line of the second place where a key of that name is written, 1 if that cannot be told."""
    places = [found.start() for found in re.finditer(re.escape(json.dumps(key)) + r"\s*:", text)]
    return text.count("\n", 0, places[1]) + 1 if len(places) > 1 else 1


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RequestError(f"no file {str(path)!r}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RequestError(f"cannot read {str(path)!r}: {error}") from error


def _table(values: Any, path: Path) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise RequestError(f"{path}:1: a configuration is a table, this is something else")
    return values


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
