"""The op `map-labels`: other values for labels, and classes in a fixed order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlrecipe
from mlrecipe.builtin.ops import _splits
from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.interfaces import Column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from datasets import Dataset

    from mlrecipe.builtin.ops._splits import D


@mlrecipe.op("map-labels")
def map_labels(
    data: D,
    *,
    column: Column = "label",
    mapping: dict[str, Any] | None = None,
    labels: list[str] | None = None,
    target: str | None = None,
) -> D:
    """Give labels other values, or make them classes in a fixed order.

    A value that has no entry is an error that names it. A missing label stays missing. Splits
    without the column stay as they are.

    Args:
        data: a data set, with splits or without.
        column: column with the labels.
        mapping: old value to new value, `{ neg = "negative", pos = "positive" }`; numbers are
            written as texts on the left: `{ "0" = "negative" }`.
        labels: names of the classes, in order; the column (after `mapping`) becomes a `ClassLabel`.
            Whole numbers are taken for names where `labels` has them, else for positions in
            `labels`, from 0.
        target: column for the result; by default `column` itself.
    """
    if mapping is None and labels is None:
        raise DataError("nothing to do: set mapping, labels or both", key="mapping")
    found = _splits.splits_of(data)
    _splits.check_columns(found, [column], key="column")
    taken = any(target in split.column_names for split in found.values())
    if target not in (None, column) and taken:
        raise DataError(f"there is a column {target!r} already", key="target")
    _check_one_type(mapping)
    _check_labels(labels)

    def change(name: str, split: Dataset) -> Dataset:
        if column not in split.column_names:
            return split
        values: Sequence[Any] = _named(split, column)
        if mapping is not None:
            values = _looked_up(values, mapping, name, "mapping")
        if labels is not None:
            values = _looked_up(values, _positions(labels, values), name, "labels")
        return _with_column(split, target or column, values, labels)

    return _splits.each(data, change)


def _check_one_type(mapping: Mapping[str, Any] | None) -> None:
    types = {type(value).__name__ for value in (mapping or {}).values()}
    if len(types) > 1:
        raise DataError(f"the new values are of several types: {sorted(types)}", key="mapping")


def _check_labels(labels: Sequence[str] | None) -> None:
    twice = [name for name in labels or () if (labels or ()).count(name) > 1]
    if twice:
        raise DataError(f"the class {twice[0]!r} is named twice", key="labels")


def _named(split: Dataset, column: str) -> list[Any]:
    """The column's values; classes by their names, and -1, the hub's sign for unlabelled, as None."""
    values: list[Any] = _splits.column(split, column).to_pylist()
    if any(isinstance(value, list | dict) for value in values):
        raise DataError(f"column {column!r} has several labels in a row", key="column")
    names = getattr(split.features[column], "names", None)
    if not names:
        return values
    return [None if value is None or value == -1 else names[value] for value in values]


def _positions(labels: Sequence[str], values: Sequence[Any]) -> dict[str, int]:
    """A value's text → the position of its class."""
    names = {name: position for position, name in enumerate(labels)}
    numbers = {str(v) for v in set(values) if isinstance(v, int) and not isinstance(v, bool)}
    if numbers and not numbers & set(names):
        return {str(position): position for position in range(len(labels))}
    return names


def _looked_up(values: Sequence[Any], table: Mapping[str, Any], split: str, key: str) -> list[Any]:
    """The entry of each value.

    Raises:
        DataError: a value has none; with the split, its first row and how many rows have it.
    """
    unknown = {value for value in set(values) if value is not None and _text(value) not in table}
    if unknown:
        raise _unknown(values, unknown, table, split, key)
    entries = {value: table[_text(value)] for value in set(values) if value is not None}
    return [None if value is None else entries[value] for value in values]


def _text(value: Any) -> str:
    """A value as a recipe writes it on the left of a table."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _unknown(
    values: Sequence[Any], unknown: set[Any], table: Mapping[str, Any], split: str, key: str
) -> DataError:
    row, value = next((row, value) for row, value in enumerate(values) if value in unknown)
    rows = sum(other == value for other in values)
    others = f", and {len(unknown) - 1} other values" if len(unknown) > 1 else ""
    count = "1 row" if rows == 1 else f"{rows:,} rows"
    return DataError(
        f"the label {value!r}{_splits.at(split)} has no entry (row {row + 1}, {count} in all{others})",
        key=key,
        hint=did_you_mean(_text(value), table),
    )


def _with_column(
    split: Dataset, name: str, values: Sequence[Any], labels: Sequence[str] | None
) -> Dataset:
    from datasets import ClassLabel, Dataset, Features, Value

    order = split.column_names
    if labels is not None:
        feature: Any = ClassLabel(names=list(labels))
    else:
        known = next((value for value in values if value is not None), "")
        kinds = {bool: "bool", int: "int64", float: "float64"}
        feature = Value(kinds.get(type(known), "string"))
    rest = split.remove_columns(name) if name in order else split
    if not rest.column_names:  # to which `datasets` cannot add a column
        return Dataset.from_dict({name: values}, features=Features({name: feature}))
    added = rest.add_column(name, list(values), feature=feature)
    wanted = order if name in order else [*order, name]
    return added.select_columns(wanted)
