"""Data files of any format as one `DatasetDict` that does not show which format they had."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from mlrecipe import events
from mlrecipe.builtin.ops import _columnar, _delimited, _json, _types
from mlrecipe.builtin.ops._delimited import Layout
from mlrecipe.builtin.ops._files import Source, check_same_columns
from mlrecipe.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, DatasetDict

    Tables = Mapping[str, Sequence["_Part"]]
    Change = Callable[[Source, pa.Table], pa.Table]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to become of the files' rows."""

    columns: Sequence[str] | None = None
    """Columns to keep, in this order; each must be in one split at least."""

    types: Mapping[str, str] = field(default_factory=dict)
    """Column → type, for those that should not be inferred."""

    classes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Column → names of its classes, for those that are known to be `ClassLabel`."""

    file_column: str | None = None
    """Name of a column to add, with the name of each row's file."""

    limit: int | None = None
    """At most this many rows of each split."""


@dataclass(slots=True, kw_only=True)
class _Part:
    """Some rows of one file."""

    source: Source
    table: pa.Table

    @property
    def is_text(self) -> bool:
        """Whether the cells are texts whose types are yet to be inferred."""
        return self.source.format in ("csv", "tsv")


def read(
    files: Mapping[str, Sequence[Source]],
    layout: Layout,
    wanted: Wanted,
    change: Change | None = None,
) -> DatasetDict:
    """The rows of each split's files, in the files' order, in memory.

    A column has one type in all splits. The files of a split have the same columns, but for JSON.

    Args:
        files: those of each split.
        layout: how cells are written in files of texts.
        wanted: what is to become of the rows.
        change: what is done to the rows of a file as they are read, some thousand at a time in their order.

    Raises:
        DataError: a file cannot be read, or the files of a split differ in their columns.
    """
    from datasets import DatasetDict

    layout.check()
    limit = wanted.limit
    parts = {split: _parts(found, layout, limit, change) for split, found in files.items()}
    for split, found in files.items():
        if not parts[split]:
            raise found[0].error("it has no row")
    there = {split: _names(found) for split, found in parts.items()}
    names = _kept(there, wanted.columns)
    _check_types(wanted, names)
    kinds = _kinds(parts, names, wanted)
    classes = {**_class_names(parts), **wanted.classes}
    tables = {
        split: _split_table(found, names[split], kinds, wanted) for split, found in parts.items()
    }
    return DatasetDict({split: dataset(table, classes) for split, table in tables.items()})


def dataset(table: pa.Table, classes: Mapping[str, Sequence[str]]) -> Dataset:
    """The table as a data set, with the given columns as `ClassLabel`."""
    from datasets import ClassLabel, Dataset, DatasetInfo, Features
    from datasets.table import InMemoryTable

    table = table.replace_schema_metadata(None)
    features = Features.from_arrow_schema(table.schema)
    for name, labels in classes.items():
        if name in features:
            features[name] = ClassLabel(names=list(labels))
            table = _as_class_ids(table, name, features[name])
    info = DatasetInfo(features=features)
    return Dataset(InMemoryTable(table), info=info, fingerprint=fingerprint())


def fingerprint() -> str:
    """A name for a new data set in memory; by default `datasets` hashes every byte of it."""
    return uuid4().hex[:16]


def _parts(
    sources: Sequence[Source], layout: Layout, limit: int | None, change: Change | None
) -> list[_Part]:
    parts: list[_Part] = []
    left = limit
    for source in sources:
        for read in _read(source, layout, left):
            table = read if change is None else change(source, read)
            parts.append(_Part(source=source, table=table))
            left = None if left is None else left - table.num_rows
            events.progress(sum(part.table.num_rows for part in parts), limit)
        if left is not None and left <= 0:
            break
    return parts


def _read(source: Source, layout: Layout, limit: int | None) -> Iterator[pa.Table]:
    if source.format in ("csv", "tsv"):
        return _delimited.read(source, layout, limit)
    if source.format in ("json", "jsonl"):
        return _json.read(source, layout.encoding, limit)
    return _columnar.read(source, limit)


def _names(parts: Sequence[_Part]) -> list[str]:
    """The columns of a split: those of all its files, in the order in which they come up."""
    for part in parts:
        if part.source.format not in ("json", "jsonl"):
            first = parts[0]
            check_same_columns(
                first.source, first.table.column_names, part.source, part.table.column_names
            )
    return list(dict.fromkeys(name for part in parts for name in part.table.column_names))


def _kept(names: Mapping[str, list[str]], columns: Sequence[str] | None) -> Mapping[str, list[str]]:
    if columns is None:
        return names
    known = dict.fromkeys(name for found in names.values() for name in found)
    for column in columns:
        if column not in known:
            raise unknown_column(column, known, key="columns")
    for split, found in names.items():
        missing = [column for column in columns if column not in found]
        if missing:
            events.emit(events.Note(f"split {split!r} has no column {', '.join(missing)}"))
    return {split: [c for c in columns if c in found] for split, found in names.items()}


def unknown_column(
    name: str, known: Sequence[str] | Mapping[str, object], *, key: str
) -> DataError:
    """The error for a column that is not there: it lists those that are, and the nearest."""
    near = did_you_mean(name, known)
    return DataError(
        f"there is no column {name!r} (the columns are {', '.join(known)})",
        key=key,
        hint=near if near.startswith("did") else None,
    )


def _check_types(wanted: Wanted, names: Mapping[str, list[str]]) -> None:
    known = dict.fromkeys(name for found in names.values() for name in found)
    for name in wanted.types:
        if name not in known:
            raise unknown_column(name, known, key="types")
    if wanted.file_column in known:
        raise DataError(
            f"the files have a column {wanted.file_column!r} already", key="file_column"
        )


def _kinds(
    parts: Tables, names: Mapping[str, list[str]], wanted: Wanted
) -> dict[str, pa.DataType | None]:
    """The type of every column whose type is not asked for; None where Arrow is to find one."""
    found: dict[str, list[pa.DataType]] = {}
    for split, some in parts.items():
        for part in some:
            for name in set(names[split]) & set(part.table.column_names) - set(wanted.types):
                found.setdefault(name, []).append(_kind(part, name))
    return {name: _types.agreed(kinds) for name, kinds in found.items()}


def _kind(part: _Part, name: str) -> pa.DataType:
    import pyarrow as pa

    column = part.table.column(name)
    is_text = part.is_text and pa.types.is_string(column.type)
    return _types.inferred(column) if is_text else _types.canonical(column.type)


def _split_table(
    parts: Sequence[_Part],
    names: Sequence[str],
    kinds: Mapping[str, pa.DataType | None],
    wanted: Wanted,
) -> pa.Table:
    import pyarrow as pa

    tables = [_converted(part, names, kinds, wanted) for part in parts]
    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise parts[0].source.error(f"the files' columns have types that differ: {error}") from None
    order = [*names, *([wanted.file_column] if wanted.file_column else [])]
    return _without_null_type(table.select(order))


def _converted(
    part: _Part,
    names: Sequence[str],
    kinds: Mapping[str, pa.DataType | None],
    wanted: Wanted,
) -> pa.Table:
    import pyarrow as pa

    columns = {}
    for name in names:
        if name not in part.table.column_names:
            columns[name] = pa.chunked_array([pa.nulls(part.table.num_rows)])
            continue
        column = part.table.column(name)
        if name in wanted.types:
            columns[name] = _types.asked_for(column, name, wanted.types[name])
        else:
            columns[name] = _convert(part, name, column, kinds[name])
    if wanted.file_column:
        file = [part.source.path.name] * part.table.num_rows
        columns[wanted.file_column] = pa.chunked_array([file], pa.string())
    return pa.table(columns)


def _convert(
    part: _Part, name: str, column: pa.ChunkedArray, kind: pa.DataType | None
) -> pa.ChunkedArray:
    import pyarrow as pa

    try:
        return _types.converted(column, kind or _types.canonical(column.type))
    except pa.ArrowException as error:
        raise part.source.error(f"column {name!r} cannot become {kind}: {error}") from error


def _without_null_type(table: pa.Table) -> pa.Table:
    """Columns of nothing but null are strings, as they are in CSV."""
    import pyarrow as pa

    fields = [
        pa.field(field.name, pa.string() if pa.types.is_null(field.type) else field.type)
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def _class_names(parts: Tables) -> dict[str, list[str]]:
    """Column → names of its classes, where files have them; the same ones in all files."""
    found: dict[str, list[str]] = {}
    for some in parts.values():
        for part in some:
            for name, labels in _columnar.class_names(part.table.schema).items():
                if found.setdefault(name, labels) != labels:
                    raise part.source.error(
                        f"column {name!r} has the classes {labels}, in another file {found[name]}"
                    )
    return found


def _as_class_ids(table: pa.Table, name: str, feature: object) -> pa.Table:
    """The column as the ids of its classes, whether it has their names or their ids."""
    import pyarrow as pa

    column = table.column(name)
    if pa.types.is_string(column.type):
        ids = feature.encode_example  # type: ignore[attr-defined]
        column = pa.chunked_array(
            [[None if value is None else ids(value) for value in column.to_pylist()]], pa.int64()
        )
    return table.set_column(table.column_names.index(name), name, column.cast(pa.int64()))
