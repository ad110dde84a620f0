"""Merging: the columns of two tables put together by the numbers of their rows, nothing lost in silence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mlrecipe.errors import DataError
from mlrecipe.recorder import facts

ROW = "row"
"""The column with the number of a row in its split."""

_SHOWN = 5


def merged(one: pa.Table, other: pa.Table, *, suffix: str) -> pa.Table:
    """The columns of `one`, then those of `other` that differ, in the order of the rows of `one`.

    Raises:
        DataError: the rows are not the same, or columns differ under one name and there is no suffix.
    """
    told = facts.merged(one, other)
    aligned = other.take(_places(one, other))
    new = {n: c for n, c in zip(aligned.column_names, aligned.columns, strict=True) if n != ROW}
    unequal = [n for n in new if n in one.column_names and not equal(one.column(n), new[n])]
    names = _names(one.column_names, list(new), unequal, suffix, what="columns")
    for name, target in names.items():
        one = one.append_column(target, new[name])
    return one.replace_schema_metadata(told or None)


def merged_statistics(
    one: Mapping[str, Any], other: Mapping[str, Any], *, suffix: str
) -> dict[str, Any]:
    """The statistics of both; those that differ under one name have the suffix in the second.

    Raises:
        DataError: they differ, and there is no suffix.
    """
    unequal = [n for n in other if n in one and repr(one[n]) != repr(other[n])]
    names = _names(list(one), list(other), unequal, suffix, what="statistics")
    return {**one, **{target: other[name] for name, target in names.items()}}


def equal(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    """Whether the columns hold the same, NaN being equal to NaN."""
    if one.type != other.type:
        return False
    if one.equals(other):
        return True
    if not pa.types.is_floating(one.type):
        return False
    ours, theirs = pc.is_nan(one), pc.is_nan(other)
    return bool(
        ours.equals(theirs) and pc.if_else(ours, 0.0, one).equals(pc.if_else(theirs, 0.0, other))
    )


def _names(
    ours: list[str], theirs: list[str], unequal: list[str], suffix: str, *, what: str
) -> dict[str, str]:
    """What is to be added of the second → its name there."""
    if unequal and not suffix:
        told = ", ".join(map(repr, unequal))
        raise DataError(
            f"both have different {what} of one name: {told}",
            key="suffix",
            hint="give a suffix for the names of the second, or rename or drop them",
        )
    added = [name for name in theirs if name in unequal or name not in ours]
    names = {name: name + suffix if name in unequal else name for name in added}
    taken = next((n for n in unequal if names[n] in {*ours, *theirs}), None)
    if taken is not None:
        raise DataError(
            f"{what}: {names[taken]!r} is there already", key="suffix", hint="use another suffix"
        )
    return names


def _places(one: pa.Table, other: pa.Table) -> pa.Array:
    """For each row of `one` its place in `other`."""
    ours, theirs = _numbers(one, "the first"), _numbers(other, "the second")
    places = pc.index_in(ours, value_set=theirs)
    if places.null_count:
        raise _missing(ours.filter(places.is_null()), "the second")
    if len(theirs) > len(ours):
        lost = pc.invert(pc.is_in(theirs, value_set=ours))
        raise _missing(theirs.filter(lost), "the first")
    return places


def _numbers(table: pa.Table, which: str) -> pa.Array:
    """The numbers of the rows, each once."""
    if ROW not in table.column_names:
        raise DataError(
            f"{which} recorder has no column {ROW!r}, by which rows are put together",
            hint=f"number them: recorder.set_column({ROW!r}, range(len(recorder)))",
        )
    column = table.column(ROW)
    if not (pa.types.is_integer(column.type) or table.num_rows == 0) or column.null_count:
        raise DataError(f"column {ROW!r} of {which} recorder must hold a whole number for each row")
    numbers = column.cast(pa.int64()).combine_chunks()
    if pc.count_distinct(numbers).as_py() < len(numbers):
        counts = pc.value_counts(numbers)
        twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
        raise DataError(f"{which} recorder has {_told(twice)} more than once")
    return numbers


def _missing(numbers: pa.Array, which: str) -> DataError:
    return DataError(
        f"{which} recorder lacks {_told(numbers)}",
        hint="only recorders of the same rows can be merged",
    )


def _told(numbers: pa.Array) -> str:
    shown = ", ".join(str(number) for number in numbers[:_SHOWN].to_pylist())
    if len(numbers) == 1:
        return f"row {shown}"
    more = f", … ({len(numbers):,} in all)" if len(numbers) > _SHOWN else ""
    return f"rows {shown}{more}"
