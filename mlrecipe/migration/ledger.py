"""The ledger: which leaves of a configuration were carried over, which were not, and why."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlrecipe.migration.secrets import without_secrets

Path = tuple[str | int, ...]
"""Keys and positions from the root of a configuration."""

OURS = "mlrecipe sets this itself"
NONE = "no counterpart"
UNKNOWN = "not known to runway or mlrecipe"
DEAD = "never read by runway"

_KNOWN = (NONE, OURS, DEAD)
_SAME: Any = object()


@dataclass(frozen=True, slots=True)
class Dropped:
    """A key that the recipe does not have, with all below it."""

    key: str
    """Dotted, `trainer.callbacks[0].verbose`."""

    value: Any
    """As it was; secrets are hidden."""

    why: str


@dataclass(slots=True)
class Ledger:
    """Reads a configuration and remembers what became of each of its leaves.

    A leaf is a value that is no table, or a list without tables; an empty table is one too.
    """

    values: Mapping[str, Any]
    carried: dict[Path, str] = field(default_factory=dict)
    """Leaf → key of the recipe that says the same, or that says it by not being there."""

    whys: dict[Path, str] = field(default_factory=dict)
    """Leaf or table → why neither it nor anything below it is in the recipe."""

    warnings: list[str] = field(default_factory=list)

    variables: dict[str, Any] = field(default_factory=dict, repr=False)
    """Environment variable → the secret that it is to hold."""

    _promises: dict[Path, tuple[str, Any]] = field(init=False, default_factory=dict, repr=False)
    """Leaf or table that was carried → key of the recipe, and the value that it must have in the end."""

    def get(self, *path: str | int, default: Any = None) -> Any:
        """The value at a path, `default` where there is none; nothing is noted."""
        found: Any = self.values
        for key in path:
            try:
                found = found[key]
            except (KeyError, IndexError, TypeError):
                return default
        return found

    def has(self, *path: str | int) -> bool:
        """Whether there is something at a path."""
        missing = object()
        return self.get(*path, default=missing) is not missing

    def keys(self, *path: str | int) -> list[str]:
        """Keys of the table at a path; empty where there is no table."""
        table = self.get(*path)
        return list(table) if isinstance(table, Mapping) else []

    def take(self, *path: str | int, to: str, value: Any = _SAME) -> Any:
        """The value at a path, noted as carried to the recipe's key `to`.

        `close` looks whether that key is there, with this value or with `value`.
        """
        found = self.get(*path)
        self._carry(path, to, found if value is _SAME else value)
        return found

    def leave(self, *path: str | int, to: str) -> None:
        """Note that the recipe says what is at a path by not having its key `to`, which `close` looks after."""
        self._carry(path, to, None)

    def move(self, to: str, other: str) -> None:
        """Note that what was carried to the recipe's key `to` is now at another."""
        for path, (key, value) in list(self._promises.items()):
            if key == to:
                self._carry(path, other, value)

    def _carry(self, path: Path, to: str, value: Any) -> None:
        self._promises[path] = (to, value)
        for leaf in self._leaves(path):
            self.carried[leaf] = to

    def drop(self, *path: str | int, why: str) -> None:
        """Note that what is at a path, as far as it is not carried yet, has no place in the recipe."""
        if not self.has(*path):
            return
        leaves = list(self._leaves(path))
        open_leaves = [leaf for leaf in leaves if not self.is_settled(leaf)]
        if len(open_leaves) == len(leaves):
            self.whys[path] = why
            return
        value = self.get(*path)
        below = value if isinstance(value, Mapping) else range(len(value)) if open_leaves else ()
        for key in below:
            self.drop(*path, key, why=why)

    def warn(self, text: str) -> None:
        """Note what deserves attention, once."""
        if text not in self.warnings:
            self.warnings.append(text)

    def is_settled(self, leaf: Path) -> bool:
        """Whether it is known what becomes of a leaf."""
        return leaf in self.carried or any(leaf[:n] in self.whys for n in range(len(leaf) + 1))

    def leaves(self) -> list[Path]:
        """Every leaf of the configuration."""
        return list(self._leaves(()))

    def close(self, recipe: Mapping[str, Any], why: str = UNKNOWN) -> list[Dropped]:
        """Everything that was not carried, in the order of the configuration; what is open gets `why`.

        What was noted as carried is, only if the values of the recipe say so.
        """
        for path, (to, value) in self._promises.items():
            found = _value(recipe, to)
            if self.has(*path) and not (found is value or found == value):
                self._take_back(path)
                other = f"{to} is set by another key" if found is not None else "nothing says it"
                self.drop(*path, why=f"{NONE}: {other}")
        for key in self.values:
            self.drop(key, why=why)
        above = (leaf[:depth] for leaf in self.leaves() for depth in range(1, len(leaf) + 1))
        return [
            Dropped(dotted(path), without_secrets(self.get(*path), path), self.whys[path])
            for path in dict.fromkeys(above)
            if path in self.whys
        ]

    def _take_back(self, path: Path) -> None:
        for leaf in self._leaves(path):
            self.carried.pop(leaf, None)

    def _leaves(self, path: Path) -> Iterator[Path]:
        if path and not self.has(*path):
            return
        value = self.get(*path)
        if isinstance(value, Mapping) and value:
            for key in value:
                yield from self._leaves((*path, key))
        elif isinstance(value, list) and any(isinstance(item, (Mapping, list)) for item in value):
            for number in range(len(value)):
                yield from self._leaves((*path, number))
        elif path:
            yield path


def _value(recipe: Mapping[str, Any], key: str) -> Any:
    """The value of a dotted key, None where there is none."""
    found: Any = recipe
    for name in key.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def by_reason(dropped: Sequence[Dropped]) -> dict[str, list[tuple[Dropped, str]]]:
    """Reason → what was dropped for it, each with its detail; what deserves most attention first."""
    found: dict[str, list[tuple[Dropped, str]]] = {}
    for item in dropped:
        reason, _, detail = item.why.partition(": ")
        found.setdefault(reason, []).append((item, detail))
    order = (NONE, *(reason for reason in found if reason not in _KNOWN), OURS, DEAD)
    return {reason: found[reason] for reason in order if reason in found}


def dotted(path: Path) -> str:
    """A path as one text: `data_pipeline.transforms."input:Load".cache`."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        else:
            name = key if re.fullmatch(r"[\w-]+", key) else json.dumps(key, ensure_ascii=False)
            text += f".{name}" if text else name
    return text
