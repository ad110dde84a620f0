"""The index: rows of text that make look-ups quick and can be lost at any moment."""

from __future__ import annotations

import sqlite3
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from diskcache import DEFAULT_SETTINGS, Cache, Timeout

from mlrecipe.store.disk import RefusedError, TextDisk

T = TypeVar("T")

_PATIENCE = 2.0
"""Seconds to wait for another process's transaction."""

_SETTINGS = DEFAULT_SETTINGS | {
    "eviction_policy": "none",
    "cull_limit": 0,
    "size_limit": 1 << 60,
    "statistics": 0,
}
_COUNTS = {"count", "size", "hits", "misses"}


class IndexFault(Exception):
    """The index cannot be used now: locked, read-only, a full disk."""


class CorruptIndex(IndexFault):
    """The index will never be usable again: throw it away."""


class Index(Protocol):
    """Rows of UTF-8 text by key. Any method may raise `IndexFault`."""

    def get(self, key: str) -> str | None:
        """The row of that key, or None."""

    def update(self, rows: Mapping[str, str]) -> None:
        """Set all these rows at once."""

    def delete(self, key: str) -> None:
        """Drop a row, if it is there."""

    def keys(self, prefix: str) -> list[str]:
        """Every key that begins so, sorted."""

    def clear(self) -> None:
        """Drop every row."""

    def close(self) -> None:
        """Let go of files."""


class MemoryIndex:
    """An index that ends with the process."""

    def __init__(self) -> None:
        self._rows: dict[str, str] = {}

    def get(self, key: str) -> str | None:
        """The row of that key, or None."""
        return self._rows.get(key)

    def update(self, rows: Mapping[str, str]) -> None:
        """Set all these rows."""
        self._rows.update(rows)

    def delete(self, key: str) -> None:
        """Drop a row, if it is there."""
        self._rows.pop(key, None)

    def keys(self, prefix: str) -> list[str]:
        """Every key that begins so, sorted."""
        return sorted(key for key in self._rows if key.startswith(prefix))

    def clear(self) -> None:
        """Drop every row."""
        self._rows.clear()

    def close(self) -> None:
        """Nothing to let go of."""


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


class LazyIndex:
    """An index that is opened when it is first needed and that no fault stops.

    A corrupt one is moved aside and made anew; one that cannot be used is replaced by memory.
    """

    def __init__(
        self, folder: Path, open_: Callable[[Path], Index], *, discard: Callable[[Path], None]
    ) -> None:
        self.generation = 0
        """Goes up whenever all rows are lost."""
        self._folder = folder
        self._open = open_
        self._discard = discard
        self._index: Index | None = None
        self._opening = threading.Lock()

    def get(self, key: str) -> str | None:
        """The row of that key, or None; makes no files."""
        if self._index is None and not self._folder.exists():
            return None
        return self._use(lambda index: index.get(key))

    def update(self, rows: Mapping[str, str]) -> None:
        """Set all these rows; makes the index if there is none."""
        self._use(lambda index: index.update(rows))

    def delete(self, key: str) -> None:
        """Drop a row, if it is there."""
        self._use(lambda index: index.delete(key))

    def keys(self, prefix: str) -> list[str]:
        """Every key that begins so, sorted."""
        return self._use(lambda index: index.keys(prefix))

    def clear(self) -> None:
        """Drop every row."""
        self._use(lambda index: index.clear())
        self.generation += 1

    def close(self) -> None:
        """Let go of files; the next use opens it again."""
        with self._opening:
            if self._index is not None:
                self._index.close()
                self._index = None

    def _use(self, work: Callable[[Index], T]) -> T:
        try:
            return work(self._opened())
        except CorruptIndex:
            self._lose()
            self._discard(self._folder)
        except IndexFault:
            self._lose(MemoryIndex())
        try:
            return work(self._opened())
        except IndexFault:
            self._lose(MemoryIndex())
            return work(self._opened())

    def _opened(self) -> Index:
        with self._opening:
            if self._index is None:
                self._index = self._open(self._folder)
            return self._index

    def _lose(self, instead: Index | None = None) -> None:
        self.close()
        with self._opening:
            self._index = instead
            self.generation += 1


def _open(folder: Path, make: Callable[[], object]) -> Cache:
    if not folder.exists():
        make()
        folder.mkdir(mode=0o700, exist_ok=True)
    if (folder / "cache.db").exists():
        _check(folder / "cache.db")
    return Cache(str(folder), timeout=_PATIENCE, disk=TextDisk, **_SETTINGS)


def _check(path: Path) -> None:
    """Look before diskcache does: it sets any setting as an attribute and waits long for locks."""
    connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
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
    """What `work` gives, with every trouble of sqlite and of the disk as an `IndexFault`."""
    try:
        return work()
    except (sqlite3.OperationalError, Timeout, OSError) as error:
        lasting = str(error).startswith("no such")  # a table or a column
        raise (CorruptIndex if lasting else IndexFault)(str(error)) from error
    except (sqlite3.Error, TypeError, ValueError, AttributeError, KeyError) as error:
        raise CorruptIndex(str(error)) from error
