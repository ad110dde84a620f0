"""Interpolation: `${a.b}`, `${env:X:-default}`, `${none}` and their like in a recipe's texts.

A text that is one reference keeps the type of what it refers to; an embedded reference becomes text. `$${` is
a literal `${`. Paths are absolute and nothing is ever run.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from mlrecipe.code.defaults import REQUIRED
from mlrecipe.errors import Problem, did_you_mean
from mlrecipe.recipe import keys
from mlrecipe.recipe.deferred import Deferred
from mlrecipe.recipe.keys import dotted, leaves
from mlrecipe.recipe.layers import UNRESOLVED, Tree, copy
from mlrecipe.recipe.positions import KeyPath

_REFERENCE = re.compile(r"\$\$\{|\$\{([^{}]*)\}")
_WHOLE = re.compile(r"\$\{([^{}]*)\}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KNOWN = ["env:", "secret:", "required:", "none", "recipe_dir", "run_dir"]

FORMS = {
    "${train.batch_size}": "the value of that key, with its type; its default where it is not set",
    "run-${name}": "the key's value as text",
    "${nodes.split.inputs.0}": "an item of a list, from 0",
    "${env:DIR:-data}": "an environment variable, with a default; read as TOML where the key takes no text",
    "${secret:TOKEN}": "an environment variable, read when it is used; never stored, hashed or shown (if it "
    "has 4 characters or more)",
    "${required:why}": "must be overridden; the error says why",
    "${none}": "no value",
    "${recipe_dir}": "the folder of the recipe that is run",
    "${run_dir}": "the folder of the run, in `[train]`",
    "$${x}": "the text `${x}`",
}
"""What a reference may be, and what it means."""

Adjust = Callable[[KeyPath, str], str]
"""What a text becomes that was written at a path: relative paths of other files are made the recipe's."""

Default = Callable[[KeyPath], Any]
"""What holds at a path that the recipe does not set; `REQUIRED` where nothing does."""

Typed = Callable[[KeyPath, str], Any]
"""What a text from the environment means at a path: where that takes no text, it is read as TOML."""


class _Unresolved(Exception):
    """A reference that cannot be resolved, with the message for the user."""


class _Echo(Exception):
    """A reference to something unresolved, which is reported there."""


def interpolate(
    tree: Tree,
    *,
    recipe_dir: str,
    adjust: Adjust = lambda path, text: text,
    default: Default = lambda path: REQUIRED,
    typed: Typed = lambda path, text: text,
) -> list[Problem]:
    """Replace every reference in the tree by its value; returns what could not be resolved."""
    resolver = _Resolver(tree.values, recipe_dir, adjust, default, typed)
    problems = []
    for path, value in list(leaves(tree.values)):
        try:
            found = resolver.resolve(value, (path,))
            if isinstance(value, str) and "${" in value:
                tree.references[path] = value
        except _Unresolved as error:
            problems.append(tree.problem(path, str(error)))
            found = UNRESOLVED
        except _Echo:
            found = UNRESOLVED
        _put(tree.values, path, found)
    return problems


class _Resolver:
    def __init__(
        self, values: Mapping[str, Any], recipe_dir: str, adjust: Adjust, default: Default,
        typed: Typed,
    ) -> None:  # fmt: skip
        self._values = values
        self._recipe_dir = recipe_dir
        self._adjust = adjust
        self._default = default
        self._typed = typed

    def resolve(self, value: Any, chain: tuple[KeyPath, ...], inside: KeyPath = ()) -> Any:
        """A value without references; `inside`: its place in the lists that stand at the chain's end."""
        if isinstance(value, list):
            return [self.resolve(item, chain, (*inside, i)) for i, item in enumerate(value)]
        if isinstance(value, dict):
            return {k: self.resolve(v, (*chain, (*chain[-1], k))) for k, v in value.items()}
        if not isinstance(value, str) or isinstance(value, Deferred):
            return value
        if "${" not in value:
            return self._adjust(chain[-1], value)
        whole = _WHOLE.fullmatch(value)
        if whole and not _is_deferred(whole[1]):
            found = self._refer(whole[1], chain)
            if not whole[1].startswith("env:"):
                return found
            return self._typed((*chain[-1], *inside), self._adjust(chain[-1], found))
        return self._embedded(value, chain)

    def _embedded(self, value: str, chain: tuple[KeyPath, ...]) -> str:
        if "${" in _REFERENCE.sub("", value):
            raise _Unresolved(
                "a reference that is not closed, or stands inside another; write $${ for the text ${"
            )
        deferred = any(_is_deferred(match[1] or "") for match in _REFERENCE.finditer(value))
        if deferred:
            if "${run_dir}" in value and any(step[0] != "train" for step in chain):
                is_node = any("nodes" in step[:2] for step in chain)
                why = ": a node's output belongs to no run" if is_node else ""
                raise _Unresolved(f"${{run_dir}} is known only while training, in [train]{why}")
            return Deferred(_REFERENCE.sub(lambda match: self._kept(match, chain), value))
        text = _REFERENCE.sub(lambda match: self._embed(match, chain), value)
        first = _WHOLE.match(value)
        starts_elsewhere = first is not None and ":" not in first[1]
        return text if starts_elsewhere else self._adjust(chain[-1], text)

    def _kept(self, match: re.Match[str], chain: tuple[KeyPath, ...]) -> str:
        """A reference inside a deferred text: deferred as well, or resolved now."""
        if match[0] == "$${" or _is_deferred(match[1]):
            return match[0]
        return self._embed(match, chain).replace("${", "$${")

    def _embed(self, match: re.Match[str], chain: tuple[KeyPath, ...]) -> str:
        if match[0] == "$${":
            return "${"
        found = self._refer(match[1], chain)
        if found is UNRESOLVED:
            raise _Echo
        if isinstance(found, (dict, list)):
            raise _Unresolved(f"{match[0]} is no single value and cannot stand inside a text")
        if found is None:
            raise _Unresolved(f"{match[0]} is none and cannot stand inside a text")
        if isinstance(found, Deferred):
            raise _Unresolved(f"{match[0]} is read late and cannot stand inside another text")
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
        if name.startswith("required:"):
            return self._required(name[9:], chain)
        if ":" in name:
            raise _Unresolved(f"unknown reference ${{{name}}}; {did_you_mean(name, _KNOWN)}")
        path = keys.parse(name) or tuple(name.split("."))
        if path in chain:
            loop = " → ".join(dotted(step) for step in (*chain[chain.index(path) :], path))
            raise _Unresolved(f"references go in a circle: {loop}")
        return self.resolve(self._lookup(name, path), (*chain, path))

    def _required(self, why: str, chain: tuple[KeyPath, ...]) -> Any:
        if len(chain) > 1:
            raise _Echo
        key = dotted(chain[0])
        reason = f": {why.strip()}" if why.strip() else ""
        raise _Unresolved(f"must be given{reason}; for example --set {key}=…")

    def _lookup(self, name: str, path: tuple[str, ...]) -> Any:
        found: Any = self._values
        for depth, key in enumerate(path):
            if isinstance(found, list) and key.isdigit() and int(key) < len(found):
                found = found[int(key)]
            elif isinstance(found, dict) and key in found:
                found = found[key]
            elif (fallback := self._default(path)) is not REQUIRED:
                return copy(fallback)
            else:
                raise _Unresolved(f"${{{name}}} refers to nothing; {_beside(found, path, depth)}")
        return found


def _beside(found: Any, path: KeyPath, depth: int) -> str:
    """What there is where a path leads to nothing."""
    if isinstance(found, list):
        count = f"{len(found)} item{'s' * (len(found) != 1)}"
        return f"{dotted(path[:depth])} has {count}, from 0"
    if not isinstance(found, dict):
        return f"{dotted(path[:depth])} is no table"
    return keys.nearest(path[:depth], str(path[depth]), found)


def _is_deferred(name: str) -> bool:
    return name == "run_dir" or name.startswith("secret:")


def _environment(text: str) -> str:
    name, has_default, default = text.partition(":-")
    if not _VARIABLE.fullmatch(name):
        raise _Unresolved(f"{name!r} is no name of a variable; write ${{env:NAME:-default}}")
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
