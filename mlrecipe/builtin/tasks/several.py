"""Several labels of each row: from lists of names, texts with a separator, or columns of 0 and 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset
from numpy.typing import NDArray

from mlrecipe.builtin.tasks.labels import first_row, of_rows, require_column, values_of
from mlrecipe.errors import DataError, did_you_mean


@dataclass(frozen=True, slots=True)
class _Lists:
    """The names of all rows' labels, one row after the other, or whole numbers that stand for them."""

    values: pa.Array
    counts: NDArray[np.int64]
    """Labels of each row, shape (rows,)."""

    def rows(self) -> NDArray[np.int64]:
        """The row that each value is of."""
        return np.repeat(np.arange(len(self.counts)), self.counts)


def find_several(
    rows: Dataset, column: str, *, separator: str | None, split: str
) -> tuple[str, ...]:
    """Every label of the lists: the names of class labels, else the distinct values, sorted.

    Raises:
        DataError: the column is missing or holds no lists, or a row has none.
    """
    inner = getattr(rows.features.get(column), "feature", None)
    if isinstance(inner, datasets.ClassLabel):
        return tuple(inner.names)
    values = pc.unique(_lists(rows, column, separator=separator, split=split).values).drop_null()
    return tuple(str(value) for value in sorted(values.to_pylist()))


def encode_several(
    rows: Dataset, column: str, labels: Sequence[str], *, separator: str | None, split: str
) -> NDArray[np.int8]:
    """1 where a row has a label and 0 where not, shape (rows, labels).

    Whole numbers are indices into `labels`, unless every label is a number written out.

    Raises:
        DataError: as `find_several`, or a label is not among `labels`.
    """
    lists = _lists(rows, column, separator=separator, split=split)
    values = lists.values
    if pa.types.is_integer(values.type) and not all(label.isdigit() for label in labels):
        outside = pc.or_(pc.less(values, 0), pc.greater_equal(values, len(labels)))
        ids = pc.if_else(outside, None, values)
    else:
        texts = pc.cast(values, pa.string())
        ids = pc.index_in(texts, value_set=pa.array(labels, pa.string()))
    if ids.null_count:
        place = pc.index(pc.is_null(ids), True).as_py()
        raise _unknown(values[place].as_py(), int(lists.rows()[place]), labels, split=split)
    found = np.zeros((len(lists.counts), len(labels)), dtype=np.int8)
    found[lists.rows(), ids.to_numpy(zero_copy_only=False).astype(np.int64)] = 1
    return found


def encode_columns(rows: Dataset, columns: Sequence[str], *, split: str) -> NDArray[np.int8]:
    """Columns of 0 and 1, or of truth values, side by side: shape (rows, columns).

    Raises:
        DataError: a column is missing, or holds something else.
    """
    found = np.zeros((len(rows), len(columns)), dtype=np.int8)
    for number, column in enumerate(columns):
        require_column(rows, column, key="labels_from", split=split)
        values = values_of(rows, column)
        kind = values.type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or kind == pa.bool_()):
            message = f"column {column!r} of split {split!r} holds {kind}, not 0 and 1"
            raise DataError(message, key="labels_from", hint="map its values to 0 and 1 first")
        cells = pc.cast(values, pa.float64()).to_numpy()
        bad = np.flatnonzero((cells != 0) & (cells != 1))  # a missing one is NaN, which is neither
        if len(bad):
            value = values[int(bad[0])].as_py()
            what = "nothing" if value is None else repr(value)
            message = f"row {bad[0]} of split {split!r} has {what} in column {column!r}, not 0 or 1"
            raise DataError(message, key="labels_from")
        found[:, number] = cells
    return found


def is_any_there(rows: Dataset, column: str, *, separator: str | None) -> bool:
    """Whether any row has labels; of texts, whether any cell has something in it."""
    if column not in rows.column_names:
        return False
    values = values_of(rows, column)
    if separator is not None and _is_text(values.type):
        return bool(pc.any(pc.not_equal(pc.utf8_trim_whitespace(values), "")).as_py())
    return bool(values.null_count < len(values))


def _lists(rows: Dataset, column: str, *, separator: str | None, split: str) -> _Lists:
    require_column(rows, column, key="label", split=split)
    values = values_of(rows, column)
    if _is_text(values.type):
        return _split(values, column, separator, split=split)
    values = values.combine_chunks()
    if not (pa.types.is_list(values.type) or pa.types.is_large_list(values.type)):
        message = f"column {column!r} of split {split!r} holds {values.type}"
        hint = "a row's labels are a list of names, a text with a `separator`, or `labels_from` columns"
        raise DataError(message, key="label", hint=hint)
    if values.null_count:
        row = pc.index(pc.is_null(values), True).as_py()
        raise DataError(
            f"{of_rows(values.null_count, len(values), split)} no list of labels in column {column!r}, "
            f"{first_row(row)}",
            key="label",
            hint="an empty list says that a row has none of them",
        )
    inner: Any = getattr(rows.features[column], "feature", None)
    flat = values.flatten()
    if isinstance(inner, datasets.ClassLabel):
        flat = pa.array(inner.names).take(flat)
    counts = np.asarray(values.value_lengths(), dtype=np.int64)
    return _Lists(flat, counts)


def _split(values: pa.ChunkedArray, column: str, separator: str | None, *, split: str) -> _Lists:
    """Texts cut at a separator; an empty or missing cell has no label."""
    if not separator:
        raise DataError(
            f"column {column!r} of split {split!r} holds texts",
            key="label",
            hint='say what is between the names, `separator = ","`; '
            "with one label a row take the task `text-classification`",
        )
    texts = pc.fill_null(pc.cast(values, pa.string()), "").combine_chunks()
    parts = pc.split_pattern(texts, separator)
    names = pc.utf8_trim_whitespace(parts.flatten())
    is_name = pc.not_equal(names, "")
    lengths = np.asarray(parts.value_lengths(), dtype=np.int64)
    rows = np.repeat(np.arange(len(texts)), lengths)[is_name.to_numpy(zero_copy_only=False)]
    return _Lists(names.filter(is_name), np.bincount(rows, minlength=len(texts)).astype(np.int64))


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _unknown(value: object, row: int, labels: Sequence[str], *, split: str) -> DataError:
    return DataError(
        f"label {value!r} of split {split!r} (row {row}) is not among the labels",
        key="labels",
        hint=did_you_mean(str(value), labels),
    )
