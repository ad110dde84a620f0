"""Hashing while writing: files whose bytes are hashed in a thread beside, and which files those were."""

from __future__ import annotations

import hashlib
import os
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from io import FileIO
from pathlib import Path
from typing import Any

_PIECE = 4 << 20
_SMALL = 64 << 10
_READ = 1 << 20
_AHEAD = 8 << 20
"""Bytes kept in memory for the thread; what it is behind by more than that it reads from the file."""


class HashingFile:
    """A new binary file; what is written must not change until the file is closed."""

    closed = False

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = open(path, "xb", buffering=0)  # noqa: SIM115  closed by `close`
        self._hash = hashlib.sha256()
        self._pending = bytearray()
        self._thread: _Thread | None = None
        self._stamp: tuple[int, ...] = ()

    def __enter__(self) -> HashingFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, data: Any) -> int:
        """Write all of a bytes-like object."""
        view = memoryview(data)
        if view.nbytes < _SMALL:
            self._pending += view.cast("B") if view.nbytes else b""
            if len(self._pending) >= _SMALL:
                self.flush()
            return view.nbytes
        self.flush()
        view = view.cast("B")
        for start in range(0, view.nbytes, _PIECE):
            self._put(view[start : start + _PIECE])
        return view.nbytes

    def flush(self) -> None:
        """Hand what is buffered to the kernel."""
        if self._pending:
            pending, self._pending = self._pending, bytearray()
            self._put(memoryview(pending))

    def close(self) -> None:
        """Close the file; its last bytes may still be hashed after that."""
        if self.closed:
            return
        self.closed = True
        try:
            self.flush()
            self._stamp = _stamp(self._file.fileno())
        finally:
            if self._thread is not None:
                self._thread.end()
            self._file.close()
        written = _written.get()
        if written is not None:
            written[os.fspath(self._path)] = self

    def is_of(self, handle: int) -> bool:
        """Whether the open file is this one, and nothing has been written to it since."""
        return self._stamp == _stamp(handle)

    def hexdigest(self) -> str:
        """SHA-256 of all that was written, once the file is closed; waits for the thread."""
        if self._thread is not None:
            self._thread.join()
            if not self._thread.is_whole:
                return read(self._path)
        return self._hash.hexdigest()

    def _put(self, piece: memoryview) -> None:
        if self._thread is None and piece.nbytes >= _SMALL:
            self._thread = _Thread(self._path, self._file.tell(), self._hash)
            self._thread.start()
        if self._thread is None:
            self._hash.update(piece)
        is_taken = self._thread is None or self._thread.takes(piece)  # hashed while it is written
        _write_all(self._file, piece)
        if self._thread is not None and not is_taken:
            self._thread.leave(piece.nbytes)


class _Thread(threading.Thread):
    """Hashes pieces that it is given, and those that it is left to read from the file, in their order."""

    def __init__(self, path: Path, offset: int, total: Any) -> None:
        super().__init__(daemon=True)
        self._file = open(path, "rb", buffering=0)  # noqa: SIM115  closed by `run`
        self._file.seek(offset)
        self._hash = total
        self._queue: queue.SimpleQueue[memoryview | int | None] = queue.SimpleQueue()
        self._given = self._done = 0
        self.is_whole = False

    def takes(self, piece: memoryview) -> bool:
        """Have the piece hashed, unless too many are waiting."""
        if self._given - self._done > _AHEAD:
            return False
        self._given += piece.nbytes
        self._queue.put(piece)
        return True

    def leave(self, size: int) -> None:
        """Have the file's next `size` bytes hashed, which have been written."""
        self._queue.put(size)

    def end(self) -> None:
        """Nothing more comes."""
        self._queue.put(None)

    def run(self) -> None:
        """Hash without the GIL, which both the hash and reading let go."""
        with self._file, suppress(OSError):
            while (item := self._queue.get()) is not None:
                if isinstance(item, memoryview):
                    self._hash.update(item)
                    self._done += item.nbytes
                    self._file.seek(item.nbytes, os.SEEK_CUR)
                else:
                    _hash_next(self._file, item, self._hash)
            self.is_whole = True


Written = dict[str, HashingFile]
"""Path → the closed file that was hashed while it was written."""

_written: ContextVar[Written | None] = ContextVar("written", default=None)


@contextmanager
def collecting() -> Iterator[Written]:
    """What is hashed while it is written in this block."""
    written: Written = {}
    token = _written.set(written)
    try:
        yield written
    finally:
        _written.reset(token)


def read(path: Path) -> str:
    """SHA-256 of a file's bytes, read again.

    Raises:
        OSError: it cannot be read.
    """
    total = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        _hash_next(file, os.fstat(file.fileno()).st_size, total)
    return total.hexdigest()


def _hash_next(file: FileIO, size: int, total: Any) -> None:
    """Add the file's next bytes."""
    buffer = memoryview(bytearray(min(_READ, size)))
    while size:
        got = file.readinto(buffer[:size])
        if not got:
            raise OSError("it became shorter while it was read")
        total.update(buffer[:got])
        size -= got


def _write_all(file: FileIO, piece: memoryview) -> None:
    while piece:
        piece = piece[file.write(piece) :]


def _stamp(handle: int) -> tuple[int, ...]:
    facts = os.fstat(handle)
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns
