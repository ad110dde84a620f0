"""Interpolation: `${a.b}`, `${env:X:-default}`, `${none}` and `${recipe_dir}` in a recipe's texts.

A text that is one reference keeps the type of what it refers to; an embedded reference becomes text. `$${` is
a literal `${`. Paths are absolute and nothing is ever run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from mlrecipe.errors import Problem, did_you_mean
from mlrecipe.recipe.layers import UNRESOLVED, Tree, dotted, leaves
from mlrecipe.recipe.positions import KeyPath

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}")
_WHOLE = re.compile(r"\$\{([^{}]*)\}")


class _Unresolved(Exception):
    """A reference that cannot be resolved, with the message for the user."""


class _Echo(Exception):
    """A reference to something unresolved, which is reported there."""


def interpolate(tree: Tree, *, recipe_dir: str) -> list[Problem]:
    """Replace every reference in the tree by its value; returns what could not be resolved."""
    resolver = _Resolver(tree.values, recipe_dir)
    problems = []
    for path, value in list(leaves(tree.values)):
        try:
            _put(tree.values, path, resolver.resolve(value, (path,)))
        except _Unresolved as error:
            problems.append(tree.problem(path, str(error)))
            _put(tree.values, path, UNRESOLVED)
        except _Echo:
            _put(tree.values, path, UNRESOLVED)
    return problems


class _Resolver:
    def __init__(self, values: Mapping[str, Any], recipe_dir: str) -> None:
        self._values = values
        self._recipe_dir = recipe_dir

    def resolve(self, value: Any, chain: tuple[KeyPath, ...]) -> Any:
        if isinstance(value, list):
            return [self.resolve(item, chain) for item in value]
        if isinstance(value, dict):
            return {key: self.resolve(item, chain) for key, item in value.items()}
        if not isinstance(value, str) or "${" not in value:
            return value
        whole = _WHOLE.fullmatch(value)
        if whole:
            return self._refer(whole[1], chain)
        return _REFERENCE.sub(lambda match: self._embed(match, chain), value)

    def _embed(self, match: re.Match[str], chain: tuple[KeyPath, ...]) -> str:
        if match[0] == "$${":
            return "${"
        found = self._refer(match[1], chain)
        if found is UNRESOLVED:
            raise _Echo
        if isinstance(found, (dict, list)):
            raise _Unresolved(f"{match[0]} is no single value and cannot stand inside a text")
        if isinstance(found, bool):
            return "true" if found else "false"
        return str(found)

    def _refer(self, name: str, chain: tuple[KeyPath, ...]) -> Any:
        if name == "none":
            return None
        if name == "recipe_dir":
            return self._recipe_dir
        if name.startswith("env:"):
            return _environment(name[4:])
        if ":" in name:
            known = ["env:", "none", "recipe_dir"]
            raise _Unresolved(f"unknown reference ${{{name}}}; {did_you_mean(name, known)}")
        path = tuple(name.split("."))
        if path in chain:
            loop = " → ".join(dotted(step) for step in (*chain[chain.index(path) :], path))
            raise _Unresolved(f"references go in a circle: {loop}")
        return self.resolve(self._lookup(name, path), (*chain, path))

    def _lookup(self, name: str, path: tuple[str, ...]) -> Any:
        found: Any = self._values
        for depth, key in enumerate(path):
            if not isinstance(found, dict) or key not in found:
                near = ".".join(path[:depth])
                known = (
                    [f"{near}.{k}".lstrip(".") for k in found] if isinstance(found, dict) else []
                )
                raise _Unresolved(f"${{{name}}} refers to nothing; {did_you_mean(name, known)}")
            found = found[key]
        return found


def _environment(text: str) -> str:
    name, has_default, default = text.partition(":-")
    found = os.environ.get(name)
    if found is None and not has_default:
        raise _Unresolved(
            f"the environment variable {name} is not set; set it, or write ${{env:{name}:-default}}"
        )
    return found or default  # as in a shell, `:-` counts what is empty as not set


def _put(values: Any, path: KeyPath, value: Any) -> None:
    for key in path[:-1]:
        values = values[key]
    values[path[-1]] = value
