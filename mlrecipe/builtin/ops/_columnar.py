"""Parquet and Arrow files: their rows, and the class names that `datasets` keeps in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mlrecipe.builtin.ops._files import COMPRESSED, Source, open_binary

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS = 10_000
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")


def read(source: Source, limit: int | None) -> Iterator[pa.Table]:
    """The rows in tables of some thousand; at most `limit` rows are read.

    Columns in which pandas keeps an unnamed index are left out.

    Raises:
        DataError: the file is not what its format says.
    """
    import pyarrow as pa

    with _opened(source) as file:
        try:
            yield from _limited(_batches(source, file), limit)
        except (pa.ArrowException, OSError) as error:
            raise source.error(f"no {source.format} file: {error}") from error


def class_names(schema: pa.Schema) -> Mapping[str, list[str]]:
    """Column → names of its classes, where `datasets` wrote them into the file."""
    from datasets import ClassLabel, Features

    if not schema.metadata or b"huggingface" not in schema.metadata:
        return {}
    features = Features.from_arrow_schema(schema)
    return {
        name: list(feature.names)
        for name, feature in features.items()
        if isinstance(feature, ClassLabel) and feature.names
    }


@contextmanager
def _opened(source: Source) -> Iterator[Any]:
    """The file for Arrow, which maps it or reads of it only what it needs."""
    import pyarrow as pa

    if source.path.suffix.lower() in COMPRESSED:
        with open_binary(source) as file:
            yield pa.BufferReader(file.read())
    else:
        with pa.memory_map(str(source.path)) as file:
            yield file


def _batches(source: Source, file: Any) -> Iterator[pa.Table]:
    import pyarrow as pa
    from pyarrow import parquet

    if source.format == "parquet":
        reader = parquet.ParquetFile(file)
        yield _without_index(reader.schema_arrow.empty_table())
        for batch in reader.iter_batches(batch_size=_ROWS):
            yield _without_index(pa.Table.from_batches([batch]))
        return
    for batch in _arrow_batches(file):
        yield _without_index(batch)


def _arrow_batches(file: Any) -> Iterator[pa.Table]:
    """The batches of an Arrow file, in either of its two layouts."""
    import pyarrow as pa

    magic = file.read(6)
    file.seek(0)
    reader = pa.ipc.open_file(file) if magic == b"ARROW1" else pa.ipc.open_stream(file)
    yield reader.schema.empty_table()
    if magic == b"ARROW1":
        batches = (reader.get_batch(number) for number in range(reader.num_record_batches))
    else:
        batches = iter(reader)
    for batch in batches:
        yield pa.Table.from_batches([batch])


def _without_index(table: pa.Table) -> pa.Table:
    index = [name for name in table.column_names if _PANDAS_INDEX.fullmatch(name)]
    return table.drop_columns(index) if index else table


def _limited(tables: Iterator[pa.Table], limit: int | None) -> Iterator[pa.Table]:
    left = limit
    for table in tables:
        part = table if left is None else table.slice(0, left)
        yield part
        if left is not None:
            left -= part.num_rows
            if left <= 0:
                return
