"""Arrow tables as canonical files: the bytes depend on the rows and their types alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from xxhash import xxh3_128

from mlrecipe.store.hashing import HashingFile

FILE = "data.arrow"

_VIEWS = {"string_view": pa.large_string(), "binary_view": pa.large_binary()}


def write(batches: Iterable[pa.Table], schema: pa.Schema, path: Path) -> str:
    """Write tables of `batch_rows` rows (the last may be shorter) as one uncompressed stream.

    Returns a hash of the file, good for telling files apart but not for trust.
    """
    sink = _Sink(path)
    with sink, pa.ipc.new_stream(sink, schema) as stream:
        for table in batches:
            stream.write_batch(_canonical_batch(table, schema))
    return sink.quick.hexdigest()


def batch_rows(rows: int) -> int:
    """Rows per record batch of a table: batches are part of the bytes, so this hangs on its length alone.

    Loading looks at every batch, which takes 15 µs: there must not be too many of them.
    """
    return min(max(rows // 1000, 1000), 10_000)


def slices(table: pa.Table) -> Iterator[pa.Table]:
    """The table in pieces of `batch_rows` rows."""
    step = batch_rows(table.num_rows)
    for start in range(0, table.num_rows, step):
        yield table.slice(start, step)


def read(path: Path) -> pa.Table:
    """The table in a file of `write`, memory-mapped and read-only."""
    with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as stream:
        return stream.read_all()


class _Sink(HashingFile):
    """A file with a second hash, so cheap (50 times faster than SHA-256) that it needs no thread."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.quick = xxh3_128()

    def write(self, data: pa.Buffer) -> int:
        """Write the buffer, which Arrow does not change afterwards."""
        self.quick.update(data)
        return super().write(data)


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
    if str(kind) in _VIEWS:  # `take` does not know them
        return _canonical(array.cast(_VIEWS[str(kind)])).cast(kind)
    if pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind):
        starts, lengths = _offsets(array)[:-1], pc.fill_null(pc.list_value_length(array), 0)
        values = _canonical(array.flatten())
        return type(array).from_arrays(starts, lengths, values, type=kind, mask=_nulls(array))
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
    is_small = pa.types.is_list(array.type) or pa.types.is_list_view(array.type)
    kind = pa.int32() if is_small else pa.int64()
    lengths = pc.fill_null(pc.list_value_length(array), 0)
    ends = pc.cumulative_sum(lengths).cast(kind)
    return pa.concat_arrays([pa.array([0], kind), ends])
