"""Filling: what is missing in a column of texts or of words, so that rows of it can be tokenized."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset

from mlrecipe.builtin.ops import _reading, _splits


def filled(rows: Dataset, name: str) -> Dataset:
    """The rows with an empty text or list wherever the column has none; other values stay as they are."""
    if name not in rows.column_names:
        return rows
    column = _splits.column(rows, name)
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        words = _words_filled(column)
        if words is None:
            return rows
        column = words
    else:
        if pa.types.is_null(column.type):
            column = column.cast(pa.string())
        elif not column.null_count:
            return rows
        column = pc.fill_null(column, "").combine_chunks()
    rest = rows.remove_columns(name)
    if not rest.column_names:  # to which `datasets` cannot add a column
        return _reading.dataset(pa.table({name: column}), {})
    return rest.add_column(name, column).select_columns(rows.column_names)


def _words_filled(column: pa.ChunkedArray) -> pa.ListArray | None:
    """The lists without nulls: none becomes one without words, or an empty word; None where there are none."""
    words = pc.list_flatten(column)
    if pa.types.is_null(words.type):  # no row has any
        words = words.cast(pa.string())
    elif not column.null_count and not words.null_count:
        return None
    lengths = np.asarray(pc.fill_null(pc.list_value_length(column), 0), dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    values = pc.fill_null(words, "").combine_chunks()
    return pa.ListArray.from_arrays(pa.array(offsets), values)
