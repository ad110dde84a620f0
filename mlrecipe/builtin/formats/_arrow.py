"""Arrow tables as canonical files: the bytes depend on the rows and their types alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

FILE = "data.arrow"

BATCH_ROWS = 1000
"""Rows per record batch, always: batches are part of the bytes."""


def write(batches: Iterable[pa.Table], schema: pa.Schema, path: Path) -> str:
    """Write tables of `BATCH_ROWS` rows (the last may be shorter) as one uncompressed stream.

    Returns the SHA-256 of the file in hex.
    """
    with path.open("wb") as file:
        sink = _Hashing(file)
        with pa.ipc.new_stream(sink, schema) as stream:
            for table in batches:
                stream.write_batch(_canonical_batch(table, schema))
        return sink.hexdigest()


def slices(table: pa.Table) -> Iterator[pa.Table]:
    """The table in pieces of `BATCH_ROWS` rows."""
    for start in range(0, table.num_rows, BATCH_ROWS):
        yield table.slice(start, BATCH_ROWS)


def read(path: Path) -> pa.Table:
    """The table in a file of `write`, memory-mapped and read-only."""
    with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as stream:
        return stream.read_all()


class _Hashing:
    """A binary file that hashes what is written to it."""

    closed = False

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = sha256()

    def write(self, data: pa.Buffer) -> int:
        view = memoryview(data)
        self._hash.update(view)
        return self._file.write(view)

    def flush(self) -> None:
        self._file.flush()

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


def _canonical_batch(table: pa.Table, schema: pa.Schema) -> pa.RecordBatch:
    columns = [_whole(table.column(name)) for name in schema.names]
    arrays = [
        _canonical(column if column.type == field.type else column.cast(field.type))
        for column, field in zip(columns, schema, strict=True)
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _canonical(array: pa.Array) -> pa.Array:
    """The same values in fresh buffers: no offsets, no unused bytes, nothing left under nulls."""
    kind = array.type
    if pa.types.is_dictionary(kind):
        codes, words = _canonical(array.indices), _canonical(array.dictionary)
        return pa.DictionaryArray.from_arrays(codes, words, ordered=kind.ordered)
    if pa.types.is_struct(kind) and kind.num_fields:
        # `flatten` carries the struct's nulls into its fields, which hides the values below them.
        fields = [_canonical(field) for field in array.flatten()]
        return pa.StructArray.from_arrays(fields, fields=list(kind), mask=_nulls(array))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        make = pa.ListArray if pa.types.is_list(kind) else pa.LargeListArray
        values = _canonical(array.flatten())
        return make.from_arrays(_offsets(array), values, type=kind, mask=_nulls(array))
    return array.take(pa.array(np.arange(len(array))))


def _nulls(array: pa.Array) -> pa.Array | None:
    return array.is_null() if array.null_count else None


def _offsets(array: pa.Array) -> pa.Array:
    kind = pa.int32() if pa.types.is_list(array.type) else pa.int64()
    lengths = pc.fill_null(pc.list_value_length(array), 0)
    ends = pc.cumulative_sum(lengths).cast(kind)
    return pa.concat_arrays([pa.array([0], kind), ends])
