"""Several things to learn from one table: what the recipe made here does not do, and which task does."""

from __future__ import annotations

import json
from collections.abc import Sequence

from mlrecipe.scaffold.columns import Column

_SEPARATORS = (";", "|", ",")
_MOST_NAMES = 50
_LONG_NAME = 3
_CLEAR_NAME = 60


def sentences(
    columns: Sequence[Column], label: Column | None = None, labels: Sequence[Column] = ()
) -> list[str]:
    """Which other tasks the columns would do for, and the keys to set; a sentence each.

    Args:
        columns: those that hold no texts to classify.
        label: the one that the recipe learns, if there is any.
        labels: all that may be labels.
    """
    found = [_of_lists(c) for c in columns if c.lists and c.lists == c.nested and not c.filled]
    found += [_of_texts(column, mark) for column in columns if (mark := separator_of(column))]
    truths = [column for column in columns if _is_truth(column)]
    if len(truths) > 1 and (label is None or label in truths):
        found.append(_of_truths([column.name for column in truths]))
    elif label is not None and label.rank >= _CLEAR_NAME:
        others = [c for c in labels if c is not label and c.rank >= _CLEAR_NAME]
        if others:
            found.append(_of_outputs([column.name for column in (label, *others)]))
    return found


def separator_of(column: Column) -> str | None:
    """What stands between the names of several labels in a column's cells; None where it holds none such."""
    if column.has_many or column.looks("number") or column.looks("date"):
        return None
    for mark in _SEPARATORS:
        joined = [value for value in column.values if mark in value]
        parts = {part.strip() for value in column.values for part in value.split(mark)} - {""}
        is_short = all(len(part.split()) <= _LONG_NAME for part in parts)
        apart = {part.strip() for value in joined for part in value.split(mark)}
        alone = apart & {value.strip() for value in column.values}
        if len(joined) > 1 and is_short and 1 < len(parts) <= _MOST_NAMES and alone:
            return mark
    return None


def _is_truth(column: Column) -> bool:
    values = set(column.values)
    return not column.has_many and values in ({"0", "1"}, {"True", "False"}) and not column.missing


def _of_lists(column: Column) -> str:
    return (
        f"column {column.name!r} holds lists: to learn several labels a row, take the task "
        f"`multi-label-classification` with `label = {_quoted(column.name)}`"
    )


def _of_texts(column: Column, mark: str) -> str:
    return (
        f"column {column.name!r} holds names with {mark!r} between them: to learn several labels a row, take "
        f"the task `multi-label-classification` with `label = {_quoted(column.name)}` and "
        f"`separator = {_quoted(mark)}`"
    )


def _of_truths(names: Sequence[str]) -> str:
    return (
        f"columns {_listed(names)} say yes or no: to learn all of them, take the task "
        f"`multi-label-classification` with `labels_from = {_quoted(list(names))}`"
    )


def _of_outputs(names: Sequence[str]) -> str:
    return (
        f"columns {_listed(names)} hold a label each: to learn all of them, take the task "
        f"`multi-output-classification` with `outputs = {_quoted(list(names))}`"
    )


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(map(repr, names[:-1]))} and {names[-1]!r}"


def _quoted(value: str | list[str]) -> str:
    return json.dumps(value, ensure_ascii=False)
