"""The ledger: which leaves of a configuration were carried over, which were not, and why."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Path = tuple[str | int, ...]
"""Keys and positions from the root of a configuration."""

OURS = "mlrecipe sets this itself"
NONE = "no counterpart"
UNKNOWN = "not known to runway or mlrecipe"
DEAD = "never read by runway"

_KNOWN = (NONE, OURS, DEAD)

_SECRET = re.compile(r"(^|_)(api_?key|api_?token|access_?token|auth_?token|password|secret)$", re.I)
_HIDDEN = "(hidden)"


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
    """Leaf → key of the recipe that says the same."""

    whys: dict[Path, str] = field(default_factory=dict)
    """Leaf or table → why neither it nor anything below it is in the recipe."""

    warnings: list[str] = field(default_factory=list)

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

    def take(self, *path: str | int, to: str) -> Any:
        """The value at a path, noted as carried to the recipe's key `to`."""
        value = self.get(*path)
        for leaf in self._leaves(path):
            self.carried[leaf] = to
        return value

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

    def close(self, why: str = UNKNOWN) -> list[Dropped]:
        """Everything that was not carried, in the order of the configuration; what is open gets `why`."""
        for key in self.values:
            self.drop(key, why=why)
        order = {leaf: number for number, leaf in enumerate(self.leaves())}
        last = len(order)
        first = {
            path: min((n for leaf, n in order.items() if leaf[: len(path)] == path), default=last)
            for path in self.whys
        }
        return [
            Dropped(dotted(path), without_secrets(self.get(*path), path), self.whys[path])
            for path in sorted(self.whys, key=first.__getitem__)
        ]

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


def is_secret(key: str | int) -> bool:
    """Whether a key of that name holds what no recipe may hold, such as `api_key`."""
    return isinstance(key, str) and _SECRET.search(key) is not None


def without_secrets(value: Any, path: Path = ()) -> Any:
    """The value with secrets in it hidden."""
    if path and is_secret(path[-1]) and value is not None:
        return _HIDDEN
    if isinstance(value, Mapping):
        return {key: without_secrets(below, (key,)) for key, below in value.items()}
    if isinstance(value, list):
        return [without_secrets(item) for item in value]
    return value
