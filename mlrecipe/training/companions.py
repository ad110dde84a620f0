"""Companions: the columns of tested rows that stand beside their predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, Dataset
from numpy.typing import NDArray

from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.interfaces import Head
from mlrecipe.training.batching.rows import Table

OWN = ("row", "label", "prediction", "probabilities")
"""The columns that predictions themselves have."""

_BEFORE = "input_"
"""Stands before the name of a column that is called like one of those."""


class Companions:
    """Some columns of a split, class labels by their names."""

    def __init__(self, rows: Dataset, columns: Sequence[str]) -> None:
        """Give these columns of `rows`, by their numbers."""
        self._table = Table(rows.select_columns(list(columns))) if columns else None
        self._labels = {name: _labels_of(rows.features[name]) for name in columns}
        none = np.empty(0, np.int64)
        taken = [f"{_BEFORE}{name}" if name in OWN else name for name in columns]
        self._names = [_free(name, taken[:place]) for place, name in enumerate(taken)]
        self.fields = [
            pa.field(name, column.type)
            for name, column in zip(self._names, self._columns(none), strict=True)
        ]
        """Name and type of each."""

    def of(self, numbers: NDArray[np.int64]) -> list[pa.Array]:
        """The columns of the rows with these numbers."""
        return self._columns(numbers)

    def _columns(self, numbers: NDArray[np.int64]) -> list[pa.Array]:
        if self._table is None:
            return []
        table = self._table.take(numbers)
        return [_plain(table.column(name), labels) for name, labels in self._labels.items()]


def companions(rows: Dataset, head: Head, *, keep: Sequence[str] | None = None) -> Companions:
    """Those of a split: the columns that are named, by default those that people read.

    By default these are texts, labels, numbers, and lists of words or tags, but for the columns that the
    targets came from.

    Raises:
        DataError: a column that is named is not there; `key` is the recipe's own.
    """
    if keep is not None:
        _check(rows, keep)
        return Companions(rows, list(dict.fromkeys(keep)))
    own = head.targets or (*head.outputs, "label")
    found = [name for name, kind in rows.features.items() if name not in own and is_read(kind)]
    return Companions(rows, found)


def is_read(feature: Any) -> bool:
    """Whether a column holds one text, label, number or truth value a row, or a list of texts or labels."""
    if isinstance(feature, ClassLabel):
        return True
    inner = getattr(feature, "feature", None)
    if inner is not None:
        return isinstance(inner, ClassLabel) or _is_text(inner)
    kind = str(getattr(feature, "dtype", ""))
    return _is_text(feature) or kind == "bool" or kind.startswith(("int", "uint", "float"))


def _is_text(feature: Any) -> bool:
    return str(getattr(feature, "dtype", "")) in ("string", "large_string", "string_view")


def _check(rows: Dataset, keep: Sequence[str]) -> None:
    for name in keep:
        if name not in rows.column_names:
            message = f"the rows that are tested have no column {name!r}"
            near = did_you_mean(name, rows.column_names)
            raise DataError(message, key="test.keep", hint=near)


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name = f"{_BEFORE}{name}"
    return name


def _labels_of(feature: Any) -> list[str] | None:
    """The names of the class labels that a column holds, one a row or lists of them."""
    inner = getattr(feature, "feature", feature)
    return list(inner.names) if isinstance(inner, ClassLabel) else None


def _plain(column: pa.ChunkedArray, labels: list[str] | None) -> pa.Array:
    """A column in one piece, with names in the place of class labels."""
    whole = column.combine_chunks()
    whole = whole if isinstance(whole, pa.Array) else pa.concat_arrays(whole.chunks)
    if isinstance(whole, pa.ExtensionArray):
        whole = whole.storage
    if labels is None:
        return whole
    if pa.types.is_integer(whole.type):
        return _named(whole, labels)
    ends = np.cumsum(whole.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))
    offsets = pa.array(np.concatenate([[0], ends]), pa.int32())
    return pa.ListArray.from_arrays(offsets, _named(whole.flatten(), labels), mask=whole.is_null())


def _named(ids: pa.Array, labels: list[str]) -> pa.Array:
    """The names of ids; -1, where there is no label, has none."""
    known = pc.if_else(pc.less(ids, 0), None, ids)
    return pa.array(labels, pa.string()).take(known)
