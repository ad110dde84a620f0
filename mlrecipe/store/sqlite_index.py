"""The index in a plain table of sqlite: the twin of the one in diskcache, with nothing in between."""

from __future__ import annotations

import os
import sqlite3
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path

from mlrecipe.store import index
from mlrecipe.store.index import CorruptIndex, RefusedError
from mlrecipe.store.sqlite_faults import guarded

_FILE = "rows.db"

# A connection that a forked child inherits must be neither used nor closed there.
_inherited: list[sqlite3.Connection] = []


class SqliteIndex:
    """An index in a file of sqlite; `make` is called before its folder is made.

    Raises:
        IndexFault: it cannot be opened.
    """

    def __init__(self, folder: Path, *, make: Callable[[], object] = lambda: None) -> None:
        self._path = folder / _FILE
        self._own = _Own()
        guarded(lambda: self._start(make))
        weakref.finalize(self, _close, self._own)

    def get(self, key: str) -> str | None:
        """The row of that key, or None; None too for a row that this index never wrote."""
        row = guarded(
            lambda: self._connection().execute("SELECT value FROM rows WHERE key = ?", [key])
            .fetchone()
        )  # fmt: skip
        return row[0] if row and isinstance(row[0], str) else None

    def update(self, rows: Mapping[str, str]) -> None:
        """Set all these rows in one transaction.

        Raises:
            RefusedError: one is no text, which sqlite would make of it.
        """
        if any(type(text) is not str for row in rows.items() for text in row):
            raise RefusedError("refused what is no text in the index")

        def work() -> None:
            with self._connection() as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany("REPLACE INTO rows VALUES (?, ?)", rows.items())

        guarded(work)

    def delete(self, key: str) -> None:
        """Drop a row, if it is there."""
        guarded(lambda: self._connection().execute("DELETE FROM rows WHERE key = ?", [key]))

    def keys(self, prefix: str) -> list[str]:
        """Every key that begins so, sorted."""
        rows = guarded(lambda: self._connection().execute("SELECT key FROM rows").fetchall())
        strange = [key for (key,) in rows if not isinstance(key, str)]
        if strange:
            raise CorruptIndex(f"refused a key {type(strange[0]).__name__} in the index")
        return sorted(key for (key,) in rows if key.startswith(prefix))

    def clear(self) -> None:
        """Drop every row."""
        guarded(lambda: self._connection().execute("DELETE FROM rows"))

    def close(self) -> None:
        """Let go of this thread's connection."""
        _close(self._own)

    def _start(self, make: Callable[[], object]) -> None:
        if not self._path.parent.exists():
            make()
            self._path.parent.mkdir(mode=0o700, exist_ok=True)
        self._connection()

    def _connection(self) -> sqlite3.Connection:
        """This thread's and this process's connection."""
        own = self._own
        if own.connection is not None and own.pid != os.getpid():
            _inherited.append(own.connection)
            own.connection = None
        if own.connection is None:
            own.connection, own.pid = _open(self._path), os.getpid()
        return own.connection


class _Own(threading.local):
    """What each thread has for itself."""

    connection: sqlite3.Connection | None = None
    pid = 0


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=index.PATIENCE, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute("PRAGMA trusted_schema = OFF")  # others may have written the file
        connection.execute("PRAGMA synchronous = NORMAL")
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'rows'").fetchone():
            _make(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _make(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
    )


def _close(own: _Own) -> None:
    if own.connection is not None and own.pid == os.getpid():
        own.connection.close()
        own.connection = None
