"""What is known of all records at once: the newest of each node, and every `own` hash.

Rows of the index, caught up from the records on disk: what another process wrote without an index,
what was copied in or deleted, shows in the time of a records folder.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from mlrecipe.errors import StoreError
from mlrecipe.interfaces import Fingerprint
from mlrecipe.store import records
from mlrecipe.store.index import LazyIndex
from mlrecipe.store.records import Record

_SHARDS = "shards"

# A folder changed this recently may change again without its time moving on.
_RACY_NS = 2_000_000_000


class Ledger:
    """Look-ups over all records of one folder."""

    def __init__(
        self, index: LazyIndex, folder: Path, read: Callable[[Fingerprint], Record | None]
    ) -> None:
        self._index = index
        self._folder = folder
        self._read = read
        self._caught_up = -1

    def latest(self, recipe: str, node: str) -> Record | None:
        """The record that this node of this recipe gave or used last."""
        row = self._row(_node_key(recipe, node))
        return self._read(Fingerprint(row.split()[-1])) if row else None

    def has_own(self, own: str) -> bool:
        """Whether some record has this `own` hash."""
        return bool(self._row(f"own:{own}"))

    def add(self, record: Record) -> None:
        """Note a record that has just been written."""
        self._index.update(_rows(record))

    def note_uses(self, found: Mapping[str, Record], recipe: str, when: str) -> None:
        """Note which record each of these nodes of a recipe uses, whoever wrote it."""
        rows = {}
        for node, record in found.items():
            key = _node_key(recipe, node)
            if not (self._index.get(key) or "").endswith(record.fingerprint):
                rows[key] = f"{when} {record.fingerprint}"
        if rows:  # writing costs much more than reading
            self._index.update(rows)

    def _row(self, key: str) -> str | None:
        """The row, if the record that it names is still there."""
        row = self._index.get(key)
        if self._is_live(row):
            return row
        if row is not None:  # its record was deleted; another may have to take its place
            self._index.delete(key)
            self._index.delete(_SHARDS)
            self._caught_up = -1
        self._catch_up()
        return self._index.get(key)

    def _is_live(self, row: str | None) -> bool:
        return row is not None and self._path(row.split()[-1]).exists()

    def _path(self, fingerprint: str) -> Path:
        return self._folder / fingerprint[:2] / f"{fingerprint}.json"

    def _catch_up(self) -> None:
        """Read the records of every folder that has changed since the index last saw it."""
        if self._caught_up == self._index.generation or not self._folder.is_dir():
            return
        seen = json.loads(self._index.get(_SHARDS) or "{}")
        now = {entry.name: entry.stat().st_mtime_ns for entry in os.scandir(self._folder)}
        rows: dict[str, str] = {}
        for shard in (name for name in sorted(now) if now[name] != seen.get(name)):
            for record in self._records(shard):
                self._merge(rows, _rows(record))
        if now != seen:
            # The file system's clock may be another host's, and a day ahead of this one's.
            limit = max(time.time_ns(), *now.values()) - _RACY_NS
            settled = {name: changed for name, changed in now.items() if changed < limit}
            self._index.update(rows | {_SHARDS: json.dumps(settled)})
        self._caught_up = self._index.generation

    def _records(self, shard: str) -> Iterator[Record]:
        for path in (self._folder / shard).glob("*.json"):
            try:
                yield records.from_bytes(path.read_bytes())
            except (OSError, ValueError, StoreError):
                continue  # `record` says what is wrong with it when somebody asks for it

    def _merge(self, rows: dict[str, str], new: dict[str, str]) -> None:
        """Add rows, keeping the newer one of a node: their times sort as text."""
        for key, row in new.items():
            old = rows.get(key) or self._index.get(key)
            if old is None or not self._is_live(old) or old < row:
                rows[key] = row


def _node_key(recipe: str, node: str) -> str:
    return "latest:" + json.dumps([recipe, node])


def _rows(record: Record) -> dict[str, str]:
    return {
        f"own:{record.own}": record.fingerprint,
        _node_key(record.recipe, record.node): f"{record.created} {record.fingerprint}",
    }
