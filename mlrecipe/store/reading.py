"""Reading diskcache's index without diskcache: most commands look a few rows up and change none."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path

from mlrecipe.store import index
from mlrecipe.store.index import Index

# The only rows that an index writes: text in the table itself. Of others the opened index says what they are.
_ROW = (
    "SELECT value FROM Cache"
    " WHERE key = ? AND raw = 1 AND mode = 1 AND filename IS NULL AND expire_time IS NULL"
)
_SETTINGS = frozenset(
    "count size hits misses statistics tag_index eviction_policy size_limit cull_limit disk_min_file_size"
    " disk_pickle_protocol sqlite_auto_vacuum sqlite_cache_size sqlite_journal_mode sqlite_mmap_size"
    " sqlite_synchronous".split()
)

_inherited: list[sqlite3.Connection] = []


class ReadFirst:
    """An index whose rows are read from its table until something else is asked of it; `open_` opens it then.

    Importing and opening diskcache takes 9 ms. Whatever is not as it always is, `open_` deals with.
    """

    def __init__(self, path: Path, open_: Callable[[], Index]) -> None:
        self._open = open_
        self._index: Index | None = None
        self._opening = threading.Lock()
        self._reader = _connected(path)
        self._owner = _here()
        if self._reader is not None:
            weakref.finalize(self, _close, self._reader, os.getpid())

    def get(self, key: str) -> str | None:
        """The row of that key, or None; None too for a row that no index ever wrote."""
        if self._reader is None or self._owner != _here():
            return self._opened().get(key)
        try:
            row = self._reader.execute(_ROW, [key]).fetchone()
        except sqlite3.Error:
            return self._opened().get(key)
        return row[0] if row and isinstance(row[0], str) else None

    def update(self, rows: Mapping[str, str]) -> None:
        """Set all these rows at once."""
        self._opened().update(rows)

    def delete(self, key: str) -> None:
        """Drop a row, if it is there."""
        self._opened().delete(key)

    def keys(self, prefix: str) -> list[str]:
        """Every key that begins so, sorted."""
        return self._opened().keys(prefix)

    def clear(self) -> None:
        """Drop every row."""
        self._opened().clear()

    def close(self) -> None:
        """Let go of files."""
        self._let_go()
        if self._index is not None:
            self._index.close()

    def _opened(self) -> Index:
        with self._opening:
            if self._index is None:
                self._let_go()
                self._index = self._open()
            return self._index

    def _let_go(self) -> None:
        if self._reader is not None and self._owner == _here():
            self._reader.close()
            self._reader = None


def _connected(path: Path) -> sqlite3.Connection | None:
    """A connection that reads only; None where there is no such file or anything about it is strange."""
    if not os.path.isfile(path):  # sqlite would make one
        return None
    try:
        connection = sqlite3.connect(
            path, timeout=index.PATIENCE, isolation_level=None, check_same_thread=False
        )
    except sqlite3.Error:
        return None
    if _is_ours(connection):
        return connection
    connection.close()
    return None


def _is_ours(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")  # others may have written the file
        return all(name in _SETTINGS for (name,) in connection.execute("SELECT key FROM Settings"))
    except sqlite3.Error:
        return False


def _close(connection: sqlite3.Connection, pid: int) -> None:
    """Close a connection, but never one that a forked child inherited."""
    if os.getpid() == pid:
        connection.close()
    else:
        _inherited.append(connection)


def _here() -> tuple[int, int]:
    """A connection is of use only where it was made."""
    return os.getpid(), threading.get_ident()
