"""Shards: runs of rows of a node's first input, each worked on and stored as a computation of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlrecipe.errors import DataError
from mlrecipe.graph.encode import digest
from mlrecipe.graph.graph import Node
from mlrecipe.interfaces import Fingerprint, RowFormat
from mlrecipe.pipeline.plan import Step, input_digests
from mlrecipe.registry import registries
from mlrecipe.store import formats
from mlrecipe.store.records import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One of the runs of rows that an input is cut into."""

    index: int
    """From 0."""

    count: int

    def __str__(self) -> str:
        return f"{self.index + 1}/{self.count}"

    def rows(self, count: int) -> range:
        """Which of so many rows are the shard's; the longer runs come first, so that the first has any."""
        size, more = divmod(count, self.count)
        start = self.index * size + min(self.index, more)
        return range(start, start + size + (self.index < more))


def shards_of(step: Step, inputs: Mapping[str, Record]) -> list[Shard]:
    """The shards that a node is to run in, none where it runs whole.

    Where it is known how many rows there are, there are no more shards than rows.
    """
    count = step.node.spec.shards
    if count > 1 and (rows := _rows(step.node, inputs)):
        count = max(1, min(count, max(rows.values())))
    return [Shard(index=index, count=count) for index in range(count)] if count > 1 else []


def own(step: Step, shard: Shard) -> str:
    """What takes the place of a node's own hash for one of its shards."""
    return own_of(step.own, shard)


def own_of(whole: str, shard: Shard) -> str:
    """The same, from the hash that stands for the node as a whole."""
    return digest(["shard", whole, shard.index, shard.count])


def fingerprint(step: Step, inputs: Mapping[str, Record], shard: Shard) -> Fingerprint:
    """The fingerprint of one shard, once the records of the node's inputs are known."""
    return Fingerprint(digest(["node", own(step, shard), list(input_digests(step.node, inputs))]))


def cut(value: Any, shard: Shard) -> Any:
    """The shard's rows of a value.

    Raises:
        DataError: the value has no rows.
    """
    return _format(value).part(value, shard.rows)


def join(values: Sequence[Any]) -> Any:
    """What the op would have made of all rows at once; mapped from the store, not read.

    Raises:
        DataError: the shards' outputs have no rows, or do not go together.
    """
    return _format(values[0]).join(values)


def place(shard: Shard, node: Node, inputs: Mapping[str, Record]) -> str:
    """Which rows a shard has, for errors that count rows from its first: ` (in shard 2/3, from row 34 on)`."""
    rows = _rows(node, inputs)
    starts = [
        f"row {shard.rows(n).start}{f' of {name!r}' * bool(name)}" for name, n in rows.items()
    ]
    return f" (in shard {shard}{f', from {_listed(starts)} on' if starts else ''})"


def _listed(items: list[str]) -> str:
    return ", ".join(items[:4]) + (" …" if len(items) > 4 else "")


def _rows(node: Node, inputs: Mapping[str, Record]) -> dict[str, int]:
    """Split → rows of the input that is cut; empty where that is not known."""
    first = node.inputs[0]
    rows: dict[str, int] = dict(inputs[first.node].summary.get("rows") or {})
    return {k: n for k, n in rows.items() if not first.entry or k == first.entry}


def _format(value: Any) -> RowFormat:
    format_ = registries["format"].get(formats.choose(value))()
    if isinstance(format_, RowFormat):
        return format_
    kind = type(value).__name__
    raise DataError(f"a value of type {kind!r} cannot be cut into shards", key="shards")
