"""A column of labels: which there are, and the id of each row's, whatever its type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset
from numpy.typing import NDArray

from mlrecipe.errors import DataError, did_you_mean


def find_labels(rows: Dataset, column: str, *, split: str) -> tuple[str, ...]:
    """Every label of the column: the names of a class label, else the distinct values, sorted.

    Raises:
        DataError: the column is missing, or holds neither texts, whole numbers nor class labels.
    """
    names = class_names(rows, column)
    if names is not None:
        return names
    values = pc.unique(_values(rows, column, split=split))
    found = values.filter(pc.invert(_missing(values, None)))
    return tuple(str(value) for value in sorted(found.to_pylist()))


def class_names(rows: Dataset, column: str) -> tuple[str, ...] | None:
    """The names of a `ClassLabel` column, or None for a column of another type."""
    feature = rows.features.get(column)
    return tuple(feature.names) if isinstance(feature, datasets.ClassLabel) else None


def encode_labels(
    rows: Dataset, column: str, labels: Sequence[str], *, split: str
) -> NDArray[np.int64]:
    """The index in `labels` of each row's label, shape (rows,).

    A text and a class label go by name. A whole number is the index itself, unless every label is a
    number written out: then it goes by name too. A text of nothing but white space is no label.

    Raises:
        DataError: the column is missing, a row has no label, or a label is not among `labels`.
    """
    values = _values(rows, column, split=split)
    names = class_names(rows, column)
    _require_all(values, column, split=split, unlabelled=-1 if names else None)
    if names is not None:
        values = pa.chunked_array([pa.array(names).take(values.combine_chunks())])
        _require_all(values, column, split=split, unlabelled=None)
    elif pa.types.is_integer(values.type) and not all(map(_is_number, labels)):
        return _indices(values, labels, split=split)
    ids = pc.index_in(pc.cast(values, pa.string()), value_set=pa.array(labels, pa.string()))
    _require_known(ids, values, labels, split=split)
    return _to_numpy(ids)


def has_labels(rows: Dataset, columns: Sequence[str]) -> bool:
    """Whether any row has a value in one of the columns: no null, no NaN and, of class labels, not -1."""
    for column in columns:
        if column not in rows.column_names:
            continue
        values = values_of(rows, column)
        if pa.types.is_null(values.type):
            continue
        unlabelled = -1 if class_names(rows, column) is not None else None
        missing = _missing(values, unlabelled)
        if not pc.all(missing, min_count=0).as_py():
            return True
    return False


def require_column(rows: Dataset, column: str, *, key: str, split: str) -> None:
    """Raise unless the rows have the column; the message lists those that there are."""
    if column not in rows.column_names:
        columns = ", ".join(rows.column_names)
        near = did_you_mean(column, rows.column_names)
        hint = near if near.startswith("did") else None
        message = f"split {split!r} has no column {column!r}; its columns: {columns}"
        raise DataError(message, key=key, hint=hint)


def of_rows(count: int, total: int, split: str) -> str:
    """So many of the rows of a split have, or one of them has: how what is wrong with them begins."""
    verb = "has" if count == 1 else "have"
    return f"{count:,} of {total:,} row{'s' * (total != 1)} of split {split!r} {verb}"


def first_row(row: int) -> str:
    """Where the first of them is: nodes may have left rows out, so that it is no line of a file."""
    return f"first row {row} of the prepared split, counted from 0"


def values_of(rows: Dataset, column: str) -> pa.ChunkedArray:
    """A column's values in the order of the rows."""
    values = rows.select_columns([column]).with_format("arrow")[:][column]
    return values if isinstance(values, pa.ChunkedArray) else pa.chunked_array([values])


def _values(rows: Dataset, column: str, *, split: str) -> pa.ChunkedArray:
    require_column(rows, column, key="label", split=split)
    values = values_of(rows, column)
    kind = values.type
    if pa.types.is_dictionary(kind):
        return pc.cast(values, kind.value_type)
    if pa.types.is_boolean(kind):  # False before True, by the names that Python gives them
        return pc.if_else(values, "True", "False")
    if not (
        pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
    ):
        message = f"column {column!r} of split {split!r} holds {kind}"
        raise DataError(message, key="label", hint=_hint(kind))
    return values


def _hint(kind: pa.DataType) -> str:
    """What to do about labels of another type."""
    hint = "labels are texts, whole numbers or class labels"
    if pa.types.is_floating(kind):
        return f"{hint}; to learn a number take the task `text-regression`"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"{hint}; several labels a row are for the task `multi-label-classification`"
    return hint


def _require_all(
    values: pa.ChunkedArray, column: str, *, split: str, unlabelled: int | None
) -> None:
    missing = _missing(values, unlabelled)
    count = pc.sum(missing).as_py() or 0
    if count:
        row = pc.index(missing, True).as_py()
        raise DataError(
            f"{of_rows(count, len(values), split)} no label in column {column!r}, {first_row(row)}",
            key="label",
            hint="leave them out with a filter node, or use a split that has labels",
        )


def _missing(values: Any, unlabelled: int | None) -> Any:
    """Where there is no value, no text but white space, or `unlabelled`."""
    missing = pc.is_null(values, nan_is_null=True)
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        blank = pc.equal(pc.utf8_trim_whitespace(values), "")
        return pc.or_(missing, pc.fill_null(blank, True))
    if unlabelled is not None:
        return pc.or_(missing, pc.fill_null(pc.equal(values, unlabelled), True))
    return missing


def _require_known(
    ids: pa.ChunkedArray, values: pa.ChunkedArray, labels: Sequence[str], *, split: str
) -> None:
    unknown = pc.is_null(ids)
    if pc.any(unknown).as_py():
        row = pc.index(unknown, True).as_py()
        raise _unknown(values, values[row].as_py(), row, labels, split=split)


def _indices(values: pa.ChunkedArray, labels: Sequence[str], *, split: str) -> NDArray[np.int64]:
    outside = pc.or_(pc.less(values, 0), pc.greater_equal(values, len(labels)))
    if pc.any(outside).as_py():
        row = pc.index(outside, True).as_py()
        value = values[row].as_py()
        count = pc.sum(pc.equal(values, value)).as_py()
        raise DataError(
            f"label {value!r} of split {split!r} (row {row}, {count:,} in all) is no index into "
            f"the {len(labels)} labels {list(labels)!r}",
            key="labels",
            hint=f"whole numbers count from 0 to {len(labels) - 1}",
        )
    return _to_numpy(values)


def _unknown(
    values: pa.ChunkedArray, value: str | int, row: int, labels: Sequence[str], *, split: str
) -> DataError:
    count = pc.sum(pc.equal(values, value)).as_py()
    return DataError(
        f"label {value!r} of split {split!r} (row {row}, {count:,} in all) is not among the labels",
        key="labels",
        hint=did_you_mean(str(value), labels),
    )


def _is_number(label: str) -> bool:
    return label.removeprefix("-").isdigit()


def _to_numpy(ids: pa.ChunkedArray) -> NDArray[np.int64]:
    return np.asarray(ids.to_numpy(), dtype=np.int64)
