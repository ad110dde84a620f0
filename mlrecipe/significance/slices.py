"""Slices: a metric of parts of the tested rows, by length or by a column, each with its interval."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.reporting import tables, texts
from mlrecipe.reporting.part import Ids, Numbers
from mlrecipe.significance.measures import is_error, measure, names
from mlrecipe.significance.resampled import intervals

OTHER, MISSING = "other", "missing"
"""Names of the slice of rare values put together, and of that of rows without a value."""

_DIGITS = 4
"""Significant digits of numbers in the names of slices."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Some of the labelled rows, and what a metric comes to there."""

    by: str
    """What the rows were cut by: a column, or `length`."""

    name: str
    """The value that they have in common; of numbers `lowest to highest`; `other`, `missing`."""

    rows: int
    share: float
    """Of all labelled rows."""

    value: float
    """The metric of these rows."""

    low: float
    """The lower bound of the value's interval, NaN where it has none."""

    high: float
    rest: float
    """The metric of all other labelled rows; NaN where there are none."""

    @property
    def difference(self) -> float:
        """The value less that of the rest."""
        return self.value - self.rest


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """How rows are cut into slices and judged."""

    bins: int = 4
    """Slices that numbers are cut into, as equal in rows as ties allow."""

    most: int = 20
    """Slices of values that are no numbers; rarer ones are put together."""

    confidence: float = 0.95
    resamples: int = 1000
    """Draws of the bootstrap for each interval; 0 for no intervals."""

    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("bins", "most"):
            if (value := getattr(self, name)) < 1:
                raise DataError(f"{value} slices cannot be made", key=name, hint="it is at least 1")


_USUAL = Cut()


def by_length(
    table: pa.Table, metric: str | None = None, *, column: str | None = None, cut: Cut = _USUAL
) -> list[Slice]:
    """Slices of the rows by the length of their texts in words, the shortest first.

    Args:
        table: predictions.
        metric: one of `significance.names`; by default the first, the main one of the kind.
        column: texts or lists whose length counts; by default the column that is plain to hold the texts, of
            pairs both together.
        cut: into how many, and what intervals.

    Raises:
        DataError: no row has a label; no column is plain to hold texts; there is no such metric.
    """
    table, metric = _checked(table, metric)
    values, _ = texts.lengths(table, column)
    return _slices(table, metric, "length", _of_numbers(values, cut.bins), cut)


def by_column(
    table: pa.Table, column: str, metric: str | None = None, *, cut: Cut = _USUAL
) -> list[Slice]:
    """Slices of the rows by the values of a column.

    Numbers of more than `cut.bins` values are cut into ranges, lowest first; other values each have a slice,
    the commonest first, but those beyond `cut.most`, which are `other`; of lists the number of items counts.

    Args:
        table: predictions.
        column: one of its columns; `label` and `prediction` too.
        metric: as `by_length` takes it.
        cut: into how many, and what intervals.

    Raises:
        DataError: no row has a label; there is no such column or metric.
    """
    table, metric = _checked(table, metric)
    values = table.column(texts.check(table, column, key="by", also=("length",)))
    if texts.is_list(values.type):
        groups = _of_numbers(texts.lengths(table, column)[0], cut.bins)
    elif _is_number(values.type):
        groups = _of_numbers(values.to_numpy().astype(np.float64), cut.bins)
    elif pa.types.is_struct(values.type):
        hint = "columns with one value a row can be cut by"
        raise DataError(f"column {column!r} holds several values a row", key="by", hint=hint)
    else:
        groups = _of_values(values, cut.most)
    return _slices(table, metric, column, groups, cut)


def worst_of(slices: list[Slice], metric: str, *, least: int = 30) -> Slice | None:
    """The slice with the worst value among those of at least `least` rows; None where there is none."""
    fits = [each for each in slices if each.rows >= least and math.isfinite(each.value)]
    worst: Callable[..., Slice] = max if is_error(metric) else min
    return worst(fits, key=lambda each: each.value) if fits else None


def gap_of(slices: list[Slice], *, least: int = 30) -> float:
    """How far the values of slices of at least `least` rows lie apart; 0 where there are not two."""
    values = [each.value for each in slices if each.rows >= least and math.isfinite(each.value)]
    return max(values) - min(values) if values else 0.0


def times_more(table: pa.Table) -> float:
    """How many rows of the split each row of the table stands for: 1, unless they are some of its rows."""
    whole = (table.schema.metadata or {}).get(b"rows", b"")
    return max(1.0, int(whole) / max(len(table), 1)) if whole.isdigit() else 1.0


def table_of(slices: list[Slice]) -> pa.Table:
    """Slices as rows: `by`, `slice`, `rows`, `share`, `value`, `low`, `high`, `rest` and `difference`."""
    numbers = ("share", "value", "low", "high", "rest", "difference")
    return pa.table({
        "by": pa.array([each.by for each in slices], pa.string()),
        "slice": pa.array([each.name for each in slices], pa.string()),
        "rows": pa.array([each.rows for each in slices], pa.int64()),
        **{name: pa.array([getattr(each, name) for each in slices], pa.float64())
           for name in numbers},
    })  # fmt: skip


def main_metric(table: pa.Table, metric: str | None) -> str:
    """The metric that is asked for, or the first that can be computed of the predictions.

    Raises:
        DataError: it cannot be computed of these predictions.
    """
    known = names(table)
    if metric is None:
        return known[0]
    if metric not in known:
        message = f"metric {metric!r} cannot be computed of these predictions"
        raise DataError(message, key="metric", hint=did_you_mean(metric, known))
    return metric


def _checked(table: pa.Table, metric: str | None) -> tuple[pa.Table, str]:
    """The labelled rows and the metric."""
    tables.require(table, tables.IN_WORDS, "a table of slices")
    found = tables.labelled(table)
    return found, main_metric(found, metric)


Groups = list[tuple[str, Ids]]
"""Names of slices and the places of their rows, in the order in which they are shown."""


def _of_numbers(values: Numbers, bins: int) -> Groups:
    """Ranges of as many rows each as ties allow, lowest first; single values where there are few."""
    is_there = np.isfinite(values)
    known = values[is_there]
    distinct = np.unique(known)
    if len(distinct) > bins:
        quantiles = np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1], method="lower")
        place = np.searchsorted(np.unique(quantiles), values, side="left")
    else:
        place = np.searchsorted(distinct, values)
    groups = []
    for number in np.unique(place[is_there]).tolist():
        rows = np.flatnonzero(is_there & (place == number))
        low, high = float(values[rows].min()), float(values[rows].max())
        name = _number(low) if low == high else f"{_number(low)} to {_number(high)}"
        groups.append((name, rows))
    missing = np.flatnonzero(~is_there)
    return [*groups, (MISSING, missing)] if len(missing) else groups


def _of_values(column: pa.ChunkedArray, most: int) -> Groups:
    """The commonest values, each a slice; then what is rarer, and what is missing."""
    codes = column.combine_chunks()
    if isinstance(codes, pa.ChunkedArray):
        codes = codes.chunk(0)
    if not pa.types.is_dictionary(codes.type):
        codes = codes.dictionary_encode()
    ids = pc.fill_null(codes.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    values = codes.dictionary.to_pylist()
    counts = np.bincount(ids[ids >= 0], minlength=len(values))
    ranked = sorted(np.flatnonzero(counts).tolist(), key=lambda i: (-counts[i], str(values[i])))
    own = ranked if len(ranked) <= most else ranked[: max(most - 1, 0)]
    groups = [(_named(values[i]), np.flatnonzero(ids == i)) for i in own]
    rare = np.flatnonzero(np.isin(ids, ranked[len(own) :]))
    missing = np.flatnonzero(ids < 0)
    return groups + [(n, rows) for n, rows in ((OTHER, rare), (MISSING, missing)) if len(rows)]


def _slices(table: pa.Table, metric: str, by: str, groups: Groups, cut: Cut) -> list[Slice]:
    # The columns that a metric hangs on: texts need not be copied for each slice.
    judged = table.select([name for name in tables.OWN if name in table.column_names])
    return [_slice(judged, metric, by, name, rows, cut) for name, rows in groups]


def _slice(table: pa.Table, metric: str, by: str, name: str, rows: Ids, cut: Cut) -> Slice:
    inside = np.zeros(len(table), np.bool_)
    inside[rows] = True
    own, others = (table.filter(pa.array(mask)) for mask in (inside, ~inside))
    low, value, high = _interval(own, metric, cut)
    return Slice(
        by=by, name=name, rows=len(own), share=len(own) / len(table), value=value, low=low,
        high=high, rest=measure(others, metric) if len(others) else math.nan,
    )  # fmt: skip


def _interval(rows: pa.Table, metric: str, cut: Cut) -> tuple[float, float, float]:
    if not cut.resamples:
        return math.nan, measure(rows, metric), math.nan
    options: dict[str, Any] = {"resamples": cut.resamples, "confidence": cut.confidence}
    found = intervals(rows, [metric], seed=cut.seed, **options)[metric]
    return found.low, found.value, found.high


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _named(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return texts.shortened(text, 80) or "(empty)"


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value)}"
    return f"{value:.{_DIGITS}g}"
