"""Writing rows for other programs: data frames, CSV, JSON Lines and Parquet; and reading streams of Arrow."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from mlrecipe.errors import DataError
from mlrecipe.recorder import images
from mlrecipe.recorder.arrays import json_value

_STEP = 1000


def frame(table: pa.Table) -> Any:
    """The rows as a data frame, images as images of Pillow."""
    pictures = {name: images.decode(table.column(name).to_pylist())
                for name in images.columns(table.schema)}  # fmt: skip
    found = table.replace_schema_metadata(None).to_pandas()
    for name, values in pictures.items():
        found[name] = values
    return found


def csv(table: pa.Table, path: Path) -> None:
    """Write the rows as CSV; lists and structs as JSON, images as paths of files beside it."""
    from pyarrow import csv as arrow_csv

    _check(table, "CSV")
    with path.open("wb") as file:
        head = images.moved_out(table.slice(0, 0), path.parent).schema
        schema = pa.schema([(field.name, _flat_type(field.type)) for field in head])
        with arrow_csv.CSVWriter(file, schema) as writer:
            for part in _parts(table, path):
                writer.write_table(_flat(part))


def json_lines(table: pa.Table, path: Path) -> None:
    """Write a line of JSON for each row; images as paths of files beside it."""
    _check(table, "JSON")
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for part in _parts(table, path):
            file.writelines(json_text(row) + "\n" for row in part.to_pylist())


def json_text(value: Any, *, indent: int | None = None) -> str:
    """The value as JSON, with null for NaN and infinities."""
    found = _finite(json_value(value, "value"))
    return json.dumps(found, ensure_ascii=False, allow_nan=False, indent=indent)


def parquet(table: pa.Table, path: Path) -> None:
    """Write the rows as Parquet."""
    from pyarrow.parquet import write_table

    write_table(table, path)


def read(path: Path) -> pa.Table:
    """The table in a stream of Arrow.

    Raises:
        DataError: there is no such file, or it is not a whole stream.
    """
    try:
        with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
            return stream.read_all()
    except FileNotFoundError as error:
        raise DataError(f"there is no file {str(path)!r}", key="path") from error
    except (pa.ArrowInvalid, OSError) as error:
        message = f"{str(path)!r} is no file of predictions, or only a part of one"
        raise DataError(message, key="path") from error


def _parts(table: pa.Table, path: Path) -> Iterator[pa.Table]:
    """Some rows after others, paths of files beside `path` instead of images."""
    for start in range(0, table.num_rows, _STEP):
        yield images.moved_out(table.slice(start, _STEP), path.parent)


def _flat_type(kind: pa.DataType) -> pa.DataType:
    """The type in CSV, which has no lists and no structs."""
    return pa.string() if pa.types.is_nested(kind) or pa.types.is_null(kind) else kind


def _flat(table: pa.Table) -> pa.Table:
    for place, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            texts = [None if v is None else json_text(v) for v in table.column(place).to_pylist()]
            table = table.set_column(place, field.name, pa.array(texts, pa.string()))
        elif pa.types.is_null(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(pa.string()))
    return table


def _finite(value: Any) -> Any:
    """The value with null for NaN and infinities, which JSON does not have."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _check(table: pa.Table, what: str) -> None:
    pictures = images.columns(table.schema)
    for field in table.schema:
        if "binary" in str(field.type) and field.name not in pictures:
            raise DataError(
                f"column {field.name!r} holds bytes, which {what} cannot",
                hint="drop it, or write Parquet",
            )
