"""Mistakes with their texts: the rows that went worst, and those that were surest and wrong."""

from __future__ import annotations

import math
from collections.abc import Container
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mlrecipe.errors import MlrecipeError
from mlrecipe.reporting import mistakes, tables, texts

WORST = 25
CONFIDENT = 15
PER_PAIR = 3
"""Of the surest errors so many of each pair of label and prediction."""

_TEXT = 900
"""Characters of a text."""

_CELL = 120
_MOST_COLUMNS = 5
_OWN = (*tables.OWN, "confidence", "loss", "wrong", "error", "about", "expected", "given")


def facts(table: pa.Table, notes: list[str]) -> dict[str, Any]:
    """How many rows are wrong, the worst of them, and the surest; what cannot be told goes into `notes`."""
    kind = tables.head_of(table.schema).problem_type
    columns = texts.text_columns(table.schema)
    if not columns:
        notes.append("the predictions hold no texts (`test.keep` says which columns are kept)")
    same = _same(table, columns)
    try:
        found = {
            "statistics": mistakes.statistics(table),
            "worst": rows(mistakes.worst(table, WORST), columns, without=same),
        }
        if kind != tables.NUMBER:
            sure = mistakes.confident(table, CONFIDENT, per_pair=PER_PAIR)
            found["confident"] = rows(sure, columns, without=same)
    except MlrecipeError as error:
        notes.append(f"mistakes are missing: {error}")
        return {}
    return found


def rows(
    table: pa.Table, columns: tuple[str, ...], *, without: Container[str] = ()
) -> list[dict[str, Any]]:
    """Rows with their facts, the text out of `columns`, and some of what else is kept of them."""
    named = tuple(_name(table, column) for column in columns)
    own = [name for name in table.column_names if name in _OWN and name not in named]
    others = [name for name in table.column_names if name not in (*own, *named)]
    rest = [name for name in others if name not in without][:_MOST_COLUMNS]
    found = []
    for row in table.select([*own, *rest, *named]).to_pylist():
        one = {name: _value(row[name]) for name in own}
        if named:
            one["text"] = " ⏎ ".join(_text(row[name]) for name in named)
        words = [row[name] for name in named if isinstance(row[name], list)]
        if words:
            one["words"] = [str(word) for word in words[0]]
        one["columns"] = {name: texts.shortened(_text(row[name]), _CELL) for name in rest}
        found.append(one)
    return found


def _same(table: pa.Table, columns: tuple[str, ...]) -> set[str]:
    """The kept columns that are the same in all rows: they tell nothing of mistakes."""
    plain = [
        name for name in tables.kept(table)
        if name not in columns and not pa.types.is_nested(table.column(name).type)
    ]  # fmt: skip
    return {name for name in plain if pc.count_distinct(table.column(name)).as_py() <= 1}


def _name(table: pa.Table, column: str) -> str:
    """Under what name the column of the tested rows is among the mistakes'."""
    other = f"input_{column}"
    return other if column in _OWN and other in table.column_names else column


def _text(value: Any) -> str:
    if value is None:
        return ""
    joined = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    return joined if len(joined) <= _TEXT else joined[:_TEXT].rstrip() + " …"


def _value(value: Any) -> Any:
    """A JSON value."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
