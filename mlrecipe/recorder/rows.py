"""Rows that grow by one or by many, kept as Arrow; a column that comes later is null in the rows before."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import pyarrow as pa

from mlrecipe.errors import DataError
from mlrecipe.recorder.arrays import column, plain

_LOOSE = 256
"""Tables that are gathered before they become one: Arrow is slow where a column is in many pieces."""

_SINGLE = 1000
"""Rows that are logged one by one before they become a table."""

_WIDENING = {"promote_options": "permissive"}
"""Of integers and floats come floats, of nulls and anything that."""


class Rows:
    """A table that grows."""

    def __init__(self, table: pa.Table | None = None) -> None:
        table = pa.table({}) if table is None else table.replace_schema_metadata(None)
        twice = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
        if twice:
            raise DataError(f"two columns are called {twice[0]!r}")
        self._schema: pa.Schema = table.schema
        self._whole: list[pa.Table] = [table]
        self._loose: list[pa.Table] = []
        self._single: list[dict[str, Any]] = []
        self._seen: dict[str, dict[Hashable, Any]] = {}
        self._count: int = table.num_rows

    def __len__(self) -> int:
        return self._count

    @property
    def names(self) -> list[str]:
        """The columns, in the order in which they came."""
        return list(dict.fromkeys([*self._schema.names, *self._seen]))

    def add(self, columns: Mapping[str, Any]) -> None:
        """Add rows: a list, array, tensor or Arrow column of their values for each column.

        Raises:
            DataError: the columns differ in length, or one in type from the rows before.
        """
        found = {name: column(name, values) for name, values in columns.items()}
        _check_lengths({name: len(values) for name, values in found.items()})
        self._settle()
        self._append(pa.table(found))

    def add_one(self, values: Mapping[str, Any]) -> None:
        """Add a row.

        Raises:
            DataError: a value is of another type than those of the rows before, or there is none.
        """
        if not values:
            raise DataError("a row needs a value at least")
        row = {name: plain(value) for name, value in values.items()}
        new = {name: kind for name, value in row.items() for kind in self._new_kinds(name, value)}
        for name, kind in new.items():
            self._seen.setdefault(name, {})[kind] = row[name]
        self._single.append(row)
        self._count += 1
        if len(self._single) >= _SINGLE:
            self._settle()

    def table(self) -> pa.Table:
        """All rows."""
        self._settle()
        if self._loose:
            self._whole.append(self._joined(self._loose).combine_chunks())
            self._loose = []
        if len(self._whole) > 1:
            self._whole = [self._joined([t for t in self._whole if t.num_columns])]
        return self._whole[0]

    def _new_kinds(self, name: str, value: Any) -> list[Hashable]:
        """The value's kind, where the column has none of it yet, but can take it.

        Raises:
            DataError: it cannot.
        """
        kind, seen = _kind(value), self._seen.get(name, {})
        if kind in seen:
            return []
        made = column(name, [*seen.values(), value])
        if name in self._schema.names:
            self._check_type(pa.field(name, made.type))
        return [kind]

    def _settle(self) -> None:
        """Make a table of the rows that were logged one by one."""
        rows = self._single
        if not rows:
            return
        names = dict.fromkeys(name for row in rows for name in row)
        table = pa.table({n: column(n, [row.get(n) for row in rows]) for n in names})
        self._schema = self._unified(table.schema)
        self._single = []
        self._count -= len(rows)  # `_append` counts them
        self._append(table)

    def _append(self, table: pa.Table) -> None:
        self._schema = self._unified(table.schema)
        self._count += table.num_rows
        self._loose.append(table)
        if len(self._loose) >= _LOOSE:
            self._whole.append(self._joined(self._loose).combine_chunks())
            self._loose = []

    def _unified(self, new: pa.Schema) -> pa.Schema:
        """The schema with new columns, and with types wide enough for both."""
        known = self._schema.names
        if all(f.name in known and f.type == self._schema.field(f.name).type for f in new):
            return self._schema
        for field in new:
            self._check_type(field)
        return pa.unify_schemas([self._schema, new], **_WIDENING)

    def _check_type(self, field: pa.Field) -> None:
        if field.name not in self._schema.names:
            return
        old = self._schema.field(field.name)
        # Arrow would turn texts into bytes.
        if {old.type, field.type} == {pa.string(), pa.binary()}:
            raise _differing(field, old)
        try:
            pa.unify_schemas([pa.schema([old]), pa.schema([field])], **_WIDENING)
        except (pa.ArrowException, TypeError) as error:
            raise _differing(field, old) from error

    def _joined(self, tables: list[pa.Table]) -> pa.Table:
        """The tables one after another, with the columns and types of all rows."""
        whole = pa.concat_tables([self._schema.empty_table(), *tables], **_WIDENING)
        columns = [
            pa.chunked_array([chunk for chunk in found.chunks if len(chunk)], type=found.type)
            for found in whole.columns
        ]
        return pa.table(columns, schema=whole.schema)


def _kind(value: Any) -> Hashable:
    """What Arrow goes by: the type, of lists and dicts with what is inside."""
    if isinstance(value, list):
        return (list, frozenset(map(_kind, value)))
    if isinstance(value, dict):
        return (dict, frozenset((name, _kind(item)) for name, item in value.items()))
    return (type(value),)


def _differing(field: pa.Field, old: pa.Field) -> DataError:
    return DataError(
        f"column {field.name!r} has had values of type {old.type}, and now gets {field.type}",
        hint="give every row one kind of value",
    )


def _check_lengths(lengths: Mapping[str, int]) -> None:
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name!r} {count:,}" for name, count in lengths.items())
        raise DataError(
            f"the columns of a batch must be equally long: {told}",
            hint="a value that a row does not have is None",
        )
