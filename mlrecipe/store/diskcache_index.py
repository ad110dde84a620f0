"""The index in a diskcache folder, on guard against what others may have put there."""

from __future__ import annotations

import sqlite3
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from diskcache import DEFAULT_SETTINGS, Cache, Timeout

from mlrecipe.store import index, sqlite_faults
from mlrecipe.store.disk import TextDisk
from mlrecipe.store.index import CorruptIndex, IndexFault, RefusedError

T = TypeVar("T")

_SETTINGS = DEFAULT_SETTINGS | {
    "eviction_policy": "none",
    "cull_limit": 0,
    "size_limit": 1 << 60,
    "statistics": 0,
}
_COUNTS = {"count", "size", "hits", "misses"}


class DiskcacheIndex:
    """An index in a diskcache folder; `make` is called before that folder is made.

    Raises:
        IndexFault: it cannot be opened.
    """

    def __init__(self, folder: Path, *, make: Callable[[], object] = lambda: None) -> None:
        self._cache = _guarded(lambda: _open(folder, make))
        weakref.finalize(self, self._cache.close)

    def get(self, key: str) -> str | None:
        """The row of that key, or None; None too for a row that this index never wrote."""
        try:
            found = _guarded(lambda: self._cache.get(key))
        except RefusedError:
            return None
        return found if isinstance(found, str) else None

    def update(self, rows: Mapping[str, str]) -> None:
        """Set all these rows in one transaction."""

        def work() -> None:
            with self._cache.transact():
                for key, value in rows.items():
                    self._cache.set(key, value)

        _guarded(work)

    def delete(self, key: str) -> None:
        """Drop a row, if it is there."""
        _guarded(lambda: self._cache.delete(key))

    def keys(self, prefix: str) -> list[str]:
        """Every key that begins so, sorted."""
        try:
            return _guarded(lambda: sorted(key for key in self._cache if key.startswith(prefix)))
        except RefusedError as error:
            raise CorruptIndex(str(error)) from error

    def clear(self) -> None:
        """Drop every row."""
        _guarded(self._cache.clear)

    def close(self) -> None:
        """Let go of this thread's connection."""
        self._cache.close()


def _open(folder: Path, make: Callable[[], object]) -> Cache:
    if not folder.exists():
        make()
        folder.mkdir(mode=0o700, exist_ok=True)
    if (folder / "cache.db").exists():
        _check(folder / "cache.db")
    return Cache(str(folder), timeout=index.PATIENCE, disk=TextDisk, **_SETTINGS)


def _check(path: Path) -> None:
    """Look before diskcache does: it sets any setting as an attribute and waits long for locks."""
    connection = sqlite3.connect(path, timeout=index.PATIENCE, isolation_level=None)
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
            is_made = ("Settings",) in tables
            rows = connection.execute("SELECT key FROM Settings").fetchall() if is_made else []
        finally:
            connection.execute("ROLLBACK")
    finally:
        connection.close()
    strange = {key for (key,) in rows} - _SETTINGS.keys() - _COUNTS
    if strange:
        raise CorruptIndex(f"settings that diskcache does not have: {sorted(map(str, strange))}")


def _guarded(work: Callable[[], T]) -> T:
    try:
        return sqlite_faults.guarded(work)
    except Timeout as error:
        raise IndexFault(str(error)) from error
