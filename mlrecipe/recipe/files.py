"""Files: the text of a recipe as values, with everything that is wrong with it as TOML or JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import tomli

from mlrecipe.errors import Problem, RequestError
from mlrecipe.recipe.depth import TOO_DEEP, is_too_deep
from mlrecipe.recipe.keys import dotted
from mlrecipe.recipe.layers import Layer, Text
from mlrecipe.recipe.positions import positions

INVALID = "not valid"
"""How the message begins of a text that could not be read at all."""


def read(path: Path, *, shown: str, note: str = "") -> tuple[Layer, list[Problem]]:
    """The layer that a TOML file is, and what is wrong with its text.

    Raises:
        RequestError: there is no such file, or it cannot be read.
    """
    text = _text(path, shown)
    values, problems = _parse(text, shown)
    layer = Layer(name=shown, values=values, text=Text(text), folder=path.parent, note=note)
    return layer, problems


def read_json(path: Path, *, shown: str) -> tuple[Layer, list[Problem]]:
    """The layer that a JSON file is, and what is wrong with its text; `null` is none.

    Raises:
        RequestError: there is no such file, or it cannot be read.
    """
    problems, values = [], None
    try:
        values = json.loads(_text(path, shown), object_pairs_hook=_once)
        if is_too_deep(values):
            values = None
            raise ValueError(TOO_DEEP)
    except json.JSONDecodeError as error:
        message = f"{INVALID} JSON: {_lower(error.msg)}"
        problems.append(Problem(message=message, file=shown, line=error.lineno, column=error.colno))
    except (ValueError, RecursionError) as error:
        problems.append(Problem(message=f"{INVALID} JSON: {error}", file=shown))
    try:
        json.dumps(values, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        problems.append(Problem(message=f"{INVALID} JSON: half a character (\\ud800)", file=shown))
    if values is not None and not isinstance(values, dict):
        problems.append(Problem(message=f"{INVALID}: expected an object of keys", file=shown))
    values = values if isinstance(values, dict) else {}
    return Layer(name=shown, values=values, folder=path.parent), problems


def _text(path: Path, shown: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise RequestError(f"no such recipe: {shown!r}") from None
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise RequestError(f"{shown!r} cannot be read: {error}") from None


def _parse(text: str, shown: str) -> tuple[dict[str, Any], list[Problem]]:
    """The values of a text; keys declared twice are reported and left out, so that the rest can be checked."""
    problems: list[Problem] = []
    data = text.encode()
    while True:
        try:
            values = tomli.loads(data.decode())
            if is_too_deep(values):
                raise RecursionError
            return values, problems
        except RecursionError:
            return {}, [Problem(message=f"{INVALID} TOML: {TOO_DEEP}", file=shown)]
        except ValueError as error:
            if not isinstance(error, tomli.TOMLDecodeError):  # a number of thousands of digits
                return {}, [Problem(message=f"{INVALID} TOML: {_lower(str(error))}", file=shown)]
            repeats = positions(data.decode()).repeats
            if not repeats:
                message = f"{INVALID} TOML: {_lower(error.msg)}"
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


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is there twice")
    return table


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
