"""Streams: Arrow files that are written a batch at a time, and read however far they were written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

_END = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""What ends a stream: a message of no length (Arrow columnar format, "Encapsulated message format")."""


class Stream:
    """An Arrow IPC stream to which batches are added; each is in the file before the next is made.

    The bytes are those that pyarrow writes, its buffers compressed by zstd: equal batches give equal files.
    """

    def __init__(self, path: Path, schema: pa.Schema, *, batches: int = 0) -> None:
        """Write a stream, after its first `batches` where it is there already."""
        self._schema = schema
        self._start = _written(schema)[: -len(_END)]
        self._file = self._opened(path, batches)

    def write(self, batch: pa.RecordBatch) -> None:
        """Add a batch."""
        whole = _written(self._schema, batch)
        self._file.write(whole[len(self._start) : -len(_END)])
        self._file.flush()

    def close(self, *, is_whole: bool = True) -> None:
        """Close the file; only a whole one says that it ends."""
        if is_whole:
            self._file.write(_END)
        self._file.close()

    def _opened(self, path: Path, batches: int) -> BinaryIO:
        ends = places(path) if batches else []
        if not batches:
            file: BinaryIO = path.open("wb")
            file.write(self._start)
            file.flush()
            return file
        file = path.open("r+b")
        file.truncate(ends[batches])
        file.seek(0, 2)
        return file


def places(path: Path) -> list[int]:
    """Where in a stream, whole or not, its schema ends and each of its batches; empty without a schema."""
    found: list[int] = []
    for _, place in _read(path):
        found.append(place)
    return found


def finished(path: Path) -> pa.Table:
    """The rows of a stream that was written batch by batch, as far as it is there.

    Raises:
        pa.ArrowInvalid: not even its schema is there.
    """
    with pa.OSFile(str(path)) as file:
        schema = pa.ipc.open_stream(file).schema
    return pa.Table.from_batches([batch for batch, _ in _read(path) if batch is not None], schema)


def _read(path: Path) -> Iterator[tuple[pa.RecordBatch | None, int]]:
    """Nothing and where the schema ends, then each batch and where it ends, until one is not whole."""
    try:
        with pa.OSFile(str(path)) as file:
            stream = pa.ipc.open_stream(file)
            yield None, file.tell()
            while True:
                yield stream.read_next_batch(), file.tell()
    except (StopIteration, pa.ArrowInvalid, OSError):
        return


def _written(schema: pa.Schema, *batches: pa.RecordBatch) -> Any:
    """A whole stream as bytes."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with pa.ipc.new_stream(sink, schema, options=options) as stream:
        for batch in batches:
            stream.write_batch(batch)
    return sink.getvalue().to_pybytes()
