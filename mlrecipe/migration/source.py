"""Configuration files of other frameworks, read as plain values; no key is lost and nothing in them is run."""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mlrecipe.errors import RequestError

_FLOAT = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+")
_INTERPOLATION = re.compile(r"\$\{[^}]*\}?")
_DEEPEST = 50
"""Tables and lists in each other; a configuration of people has a handful."""

_MOST = 100_000
"""Values, those that an alias repeats counted each time."""


def read_json(path: Path) -> dict[str, Any]:
    """The table in a JSON file.

    Raises:
        RequestError: it cannot be read, is no JSON or no table, has a key twice, or is nested too deeply.
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
    except (
        ValueError,
        RecursionError,
    ) as error:  # a number of thousands of digits; thousands of brackets
        raise RequestError(f"{path}: not valid JSON: {_reason(error)}") from error
    return _table(values, path)


def read_yaml(path: Path) -> dict[str, Any]:
    """The table in a YAML file; `1e-3` is a number, as it is for Hydra.

    Raises:
        RequestError: it cannot be read, is no YAML or no table, has a key twice, has interpolations, has an
            alias of what it stands in, or aliases that make it endless.
    """
    import yaml

    text = _text(path)
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        for message, line in _yaml_problems(tree):
            raise RequestError(f"{path}:{line}: {message[0]}", hint=message[1])
        if tree is not None:
            _measure(tree, path)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}:{mark.column + 1}" if mark else str(path)
        what = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise RequestError(f"{place}: not valid YAML: {what}") from error
    except (ValueError, RecursionError) as error:  # a date that is none; thousands of brackets
        raise RequestError(f"{path}: not valid YAML: {_reason(error)}") from error
    return _table(_numbers(values), path)


def _yaml_problems(tree: Any) -> Iterator[tuple[tuple[str, str | None], int]]:
    """What a resolved configuration may not have: message with hint, and line."""
    pending, done = deque([tree]), set()
    while pending:
        node = pending.popleft()
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


def _measure(tree: Any, path: Path) -> None:
    """Refuse aliases in a circle, and a tree that is too deep or, with each alias written out, too large."""
    sizes: dict[int, int] = {}
    above: set[int] = set()
    pending = [(tree, False)]
    while pending:
        node, is_done = pending.pop()
        below = _below(node)
        if is_done:
            above.discard(id(node))
            sizes[id(node)] = 1 + sum(sizes[id(inner)] for inner in below)
        elif id(node) in above:
            raise RequestError(f"{path}:{_line(node)}: an alias stands inside of what it repeats")
        elif id(node) not in sizes:
            above.add(id(node))
            pending.append((node, True))
            pending += [(inner, False) for inner in below]
        if sizes.get(id(node), 0) > _MOST:
            message = f"with its aliases written out it has more than {_MOST} values"
            raise RequestError(f"{path}:{_line(node)}: {message}")


def _below(node: Any) -> list[Any]:
    if node.id == "mapping":
        return [part for pair in node.value for part in pair]
    return node.value if node.id == "sequence" else []


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


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
    pending: list[tuple[Any, int]] = [(values, 1)]
    while pending:
        value, depth = pending.pop()
        if isinstance(value, (dict, list)):
            if depth > _DEEPEST:
                raise RequestError(
                    f"{path}: more than {_DEEPEST} tables and lists inside each other"
                )
            below = value.values() if isinstance(value, dict) else value
            pending += [(inner, depth + 1) for inner in below]
    try:
        json.dumps(values, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        raise RequestError(f"{path}: half a character (\\ud800) in a text") from error
    return values


def _reason(error: Exception) -> str:
    return "nested too deeply" if isinstance(error, RecursionError) else _lower(str(error))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
