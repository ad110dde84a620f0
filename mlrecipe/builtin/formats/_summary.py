"""What `inspect` shows of tables: types in words, label counts, a few shortened rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mlrecipe.builtin.formats._shorten import shorten

SAMPLE_ROWS = 3

FEW = 20
"""Distinct values up to which a column counts as labels, whatever its name."""

_MANY = 200
"""Distinct values up to which a column named like labels is counted."""

LOOK_ROWS = 1000
"""Rows of a split from which columns of labels are recognised."""

_LABEL_NAMES = frozenset({"label", "labels"})


def sample(table: pa.Table) -> list[dict[str, Any]]:
    """The table's first rows, shortened."""
    return [shorten(row) for row in table.slice(0, SAMPLE_ROWS).to_pylist()]


def label_columns(head: pa.Table) -> list[str]:
    """Columns whose first rows look like labels: named so, or with few distinct short values."""
    return [name for name in head.column_names if _is_label_like(name, head.column(name))]


def count(name: str, column: pa.ChunkedArray, names: Sequence[str] = ()) -> dict[str, int] | None:
    """Label → rows, in the order of the labels; None when there are too many to be labels.

    `names` are the labels' names where the column holds their ids.
    """
    values = pc.value_counts(column)
    if len(values) > max(len(names) + FEW, _MANY if name in _LABEL_NAMES else FEW):
        return None
    counted = {item["values"]: item["counts"] for item in values.to_pylist()}
    order = sorted(counted, key=lambda value: (value is None, value if value is not None else 0))
    return {_label(value, names): counted[value] for value in order}


def _is_label_like(name: str, column: pa.ChunkedArray) -> bool:
    kind = column.type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    if not (is_text or pa.types.is_integer(kind) or pa.types.is_boolean(kind)):
        return False
    if name in _LABEL_NAMES or pa.types.is_boolean(kind):
        return True
    values = column.slice(0, LOOK_ROWS)
    distinct = pc.count_distinct(values).as_py()
    # A column of a few rows has few distinct values, whatever it is: labels repeat.
    return bool(distinct <= FEW and distinct * 2 <= len(values))


def _label(value: Any, names: Sequence[str]) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if names:
        return names[value] if 0 <= value < len(names) else str(value)
    return str(value)
