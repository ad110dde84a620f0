"""The index: rows of text that make look-ups quick and can be lost at any moment."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds to wait for another process's transaction."""


class IndexFault(Exception):
    """The index cannot be used now: locked, read-only, a full disk."""


class CorruptIndex(IndexFault):
    """The index will never be usable again: throw it away."""


class RefusedError(Exception):
    """A row holds, or is to hold, something that an index never keeps."""


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

    @property
    def is_there(self) -> bool:
        """Whether there may be rows, as far as can be told without making files."""
        return self._index is not None or self._folder.exists()

    def get(self, key: str) -> str | None:
        """The row of that key, or None; makes no files."""
        if not self.is_there:
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
