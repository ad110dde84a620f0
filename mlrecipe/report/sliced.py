"""Slices of the tested rows: by length, and by those of their columns that have few values."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mlrecipe.errors import MlrecipeError
from mlrecipe.reporting import tables, texts
from mlrecipe.significance import slices
from mlrecipe.significance.slices import Cut, Slice

_MOST_COLUMNS = 4
_FEW = 20
_CUT = Cut(most=10, resamples=400)


def facts(table: pa.Table, metric: str, notes: list[str]) -> list[dict[str, Any]]:
    """Each way to cut the rows, with the metric of every slice; what cannot be done goes into `notes`."""
    found = []
    for by in [None, *columns(table)]:
        try:
            if by is None:
                cut = slices.by_length(table, metric, cut=_CUT)
            else:
                cut = slices.by_column(table, by, metric, cut=_CUT)
        except MlrecipeError as error:
            notes.append(f"slices by {by or 'length'} are missing: {error}")
            continue
        if len(cut) > 1:
            worst = slices.worst_of(cut, metric)
            found.append({
                "by": by or "length in words", "metric": metric, "slices": [_slice(s) for s in cut],
                "worst": worst.name if worst else None,
            })  # fmt: skip
    return found


def columns(table: pa.Table) -> list[str]:
    """The columns of the tested rows that are worth a cut: those with few values, and numbers."""
    held = set(texts.text_columns(table.schema))
    names = [name for name in tables.kept(table) if name not in held]
    return [name for name in names if _is_worth(table.column(name))][:_MOST_COLUMNS]


def _is_worth(column: pa.ChunkedArray) -> bool:
    kind = texts.kind_of(column.type)
    if kind not in ("text", "class", "number") or not len(column):
        return False
    distinct = pc.count_distinct(column).as_py()
    if kind == "number":
        return bool(distinct > 1)
    # Names of rows and texts have as many values as there are rows.
    return bool(1 < distinct <= max(_FEW, len(column) // 50))


def _slice(one: Slice) -> dict[str, Any]:
    found = asdict(one)
    return {
        n: None if isinstance(v, float) and not math.isfinite(v) else v for n, v in found.items()
    }
