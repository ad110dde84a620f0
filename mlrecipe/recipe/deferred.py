"""Deferred texts: `${secret:X}` and `${run_dir}`, read at the moment of use and never before.

Until then the text stays as the recipe wrote it: so it is hashed, stored and shown, never what it stands for.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from mlrecipe.errors import RequestError
from mlrecipe.recipe.positions import KeyPath
from mlrecipe.secrecy import conceal

_REFERENCE = re.compile(r"\$\$\{|\$\{(secret:([^{}]*)|run_dir)\}")


class Deferred(str):
    """A text with references that only its use resolves; its own value is the recipe's text of it."""

    __slots__ = ()

    @property
    def secrets(self) -> list[str]:
        """The environment variables that its secrets are read from."""
        return [match[2] for match in _REFERENCE.finditer(self) if match[2]]


def reveal(value: Any, *, run_dir: str | None = None) -> Any:
    """The value with every deferred text below it read; tables and lists are copied.

    Raises:
        RequestError: a secret is not set in the environment.
    """
    if isinstance(value, Mapping):
        return {key: reveal(below, run_dir=run_dir) for key, below in value.items()}
    if isinstance(value, list):
        return [reveal(below, run_dir=run_dir) for below in value]
    if not isinstance(value, Deferred):
        return value
    return _REFERENCE.sub(lambda match: _read(match, run_dir), value)


def deferred_in(value: Any, path: KeyPath = ()) -> list[tuple[KeyPath, Deferred]]:
    """Every deferred text at or below the value, with the path that leads to it."""
    if isinstance(value, Mapping):
        return [f for key, below in value.items() for f in deferred_in(below, (*path, key))]
    if isinstance(value, list):
        return [f for i, below in enumerate(value) for f in deferred_in(below, (*path, i))]
    return [(path, value)] if isinstance(value, Deferred) else []


def plain(value: Any) -> Any:
    """The value with every deferred text below it as the plain text that the recipe has."""
    if isinstance(value, str):
        return str(value) if isinstance(value, Deferred) else value
    if isinstance(value, Mapping):
        return {key: plain(below) for key, below in value.items()}
    if isinstance(value, list):
        return [plain(below) for below in value]
    return value


def _read(match: re.Match[str], run_dir: str | None) -> str:
    if match[0] == "$${":
        return "${"
    if match[1] == "run_dir":
        assert run_dir is not None  # nodes may not name it
        return run_dir
    found = os.environ.get(match[2])
    if found is None:
        raise RequestError(
            f"the secret {match[2]!r} is not set", hint=f"set the environment variable {match[2]}"
        )
    return conceal(found)
