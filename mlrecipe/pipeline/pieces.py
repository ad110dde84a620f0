"""Pieces: which stored shards are still of use, and which another result stands for."""

from __future__ import annotations

import json
from collections.abc import Iterator

from mlrecipe.interfaces import Fingerprint
from mlrecipe.pipeline import shards
from mlrecipe.pipeline.shards import Shard
from mlrecipe.store import usage
from mlrecipe.store.records import Record
from mlrecipe.store.usage import Census, NodeKey

_PLACES = {"shard", "symbols", "versions", "schema"}
"""Parts of a record that the shards of one computation need not have in common."""


def superfluous(found: Census) -> set[Fingerprint]:
    """The shards of which the whole is in the store, with its output, whoever put it together."""
    wholes: dict[str, list[str]] = {}
    for entry in found.entries.values():
        record = entry.record
        if _shard(record) is None and (record.value is not None or found.item(entry) is not None):
            wholes.setdefault(_inputs(record), []).append(record.own)
    return {
        fingerprint
        for fingerprint, entry in found.entries.items()
        if (shard := _shard(entry.record)) is not None
        and any(
            shards.own_of(own, shard) == entry.record.own
            for own in wholes.get(_inputs(entry.record), ())
        )
    }


def stale(found: Census) -> set[NodeKey]:
    """The shards, as their names have it, of another computation than the node's last."""
    groups: dict[NodeKey, list[NodeKey]] = {}
    for recipe, node in found.newest:
        if usage.whole(node) != node:
            groups.setdefault((recipe, usage.whole(node)), []).append((recipe, node))
    return {key for whole, keys in groups.items() for key in _old(whole, keys, found)}


def _old(whole: NodeKey, keys: list[NodeKey], found: Census) -> Iterator[NodeKey]:
    """Those shards that a newer whole, or newer shards of something else, have taken the place of."""
    made = {key: found.entries[found.newest[key]].record for key in keys}
    last = max(made, key=lambda key: (made[key].created, key))
    joined = found.entries[found.newest[whole]].record.created if whole in found.newest else ""
    for key, record in made.items():
        is_other = _family(key, record) != _family(last, made[last])
        if is_other or record.created <= joined:
            yield key


def _family(key: NodeKey, record: Record) -> tuple[str, str]:
    """What the shards of one computation have in common: their number and all that went into it."""
    parts = {name: part for name, part in record.parts.items() if name not in _PLACES}
    return key[1].rpartition("/")[2], json.dumps(parts, sort_keys=True, default=str)


def _inputs(record: Record) -> str:
    return json.dumps([record.op, record.parts.get("digests", [])])


def _shard(record: Record) -> Shard | None:
    """Which shard a record is of; None for that of a whole."""
    listed = record.parts.get("shard")
    if not isinstance(listed, (list, tuple)) or len(listed) != 2:
        return None
    number, count = listed
    if not isinstance(number, int) or not isinstance(count, int):
        return None
    return Shard(index=number - 1, count=count)
