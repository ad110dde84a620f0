"""Resampled: intervals of metrics by the bootstrap, which draws as many rows again as were tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlrecipe.errors import DataError
from mlrecipe.reporting.part import Ids, Numbers
from mlrecipe.significance import draws
from mlrecipe.significance.evidence import Measure, OfOrder, OfSums, Sums
from mlrecipe.significance.intervals import (
    Interval,
    bca,
    check_confidence,
    check_resamples,
    unknown,
    wilson,
)
from mlrecipe.significance.measures import measures, names

MAIN = 5
"""Metrics that are given an interval where none are named."""

GROUPS = 200
"""Parts that are left out in turn where leaving out each row would take too long."""


def intervals(
    table: pa.Table,
    metrics: Sequence[str] | None = None,
    *,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """An interval of each metric of a table of predictions.

    What is a share of rows, such as accuracy, has Wilson's; all else the bootstrap's, corrected for bias and
    skew (DiCiccio & Efron 1996). Rows are drawn whole: of words with tags whole sentences. An interval does
    not hang on which other metrics are asked for.

    Args:
        table: predictions; rows without a label do not count.
        metrics: some of `names(table)`; by default its first five.
        resamples: draws of the bootstrap.
        confidence: of the intervals.
        seed: of the draws; the same seed gives the same intervals on every machine.

    Raises:
        DataError: a metric cannot be computed of such predictions, no row has a label, or a number is out of
            range.
    """
    wanted = names(table)[:MAIN] if metrics is None else list(metrics)
    found = measures(table, wanted)
    return intervals_of(found, resamples=resamples, confidence=confidence, seed=seed)


def interval_of_rows(
    values: NDArray[Any], *, resamples: int = 2000, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """The interval of the mean of rows' values, (rows,): Wilson's of truth values, else the bootstrap's.

    Raises:
        DataError: there is no row, or a number is out of range.
    """
    if not len(values):
        raise DataError("there is no row to give an interval of")
    if values.dtype == np.bool_:
        return wilson(int(values.sum()), len(values), confidence=confidence)
    kinds = np.stack([values.astype(np.float64), np.ones(len(values))], axis=1)
    mean = OfSums(Sums(kinds, np.arange(len(values))), lambda sums: sums[:, 0] / sums[:, 1])
    found = intervals_of({"": mean}, resamples=resamples, confidence=confidence, seed=seed)
    return found[""]


def intervals_of(
    measured: Mapping[str, Measure], *, resamples: int, confidence: float, seed: int
) -> dict[str, Interval]:
    """An interval of each metric."""
    check_confidence(confidence)
    check_resamples(resamples)
    drawn = _drawn(measured, resamples, seed)
    found = {}
    for name, metric in measured.items():
        if isinstance(metric, OfSums) and metric.hits is not None:
            found[name] = wilson(int(metric.hits.sum()), len(metric.hits), confidence=confidence)
            continue
        found[name] = _of_draws(metric, drawn[name], confidence)
    return found


def _of_draws(metric: Measure, drawn: Numbers, confidence: float) -> Interval:
    if metric.rows < 2:  # there is no other row to draw
        return unknown(metric.value(), confidence=confidence)
    left_out, counts = jackknife(metric)
    return bca(metric.value(), drawn, left_out, counts, confidence=confidence)


def jackknife(metric: Measure) -> tuple[Numbers, Ids]:
    """The metric without a row of each kind, and how many there are, (kinds,); of orders without groups."""
    if isinstance(metric, OfSums):
        counts = metric.evidence.counts()
        there = counts > 0
        kinds = metric.evidence.kinds
        return metric.formula((counts @ kinds) - kinds[there]), counts[there]
    groups = group_weights(metric.rows)
    return metric.values()(groups), np.ones(len(groups), np.int64)


def group_weights(rows: int) -> Numbers:
    """Weights of rows such that one group after the other is left out, (groups, rows)."""
    groups = min(rows, GROUPS)
    is_left = np.arange(rows) % groups != np.arange(groups)[:, None]
    return np.where(is_left, 1.0, 0.0)


def _drawn(measured: Mapping[str, Measure], resamples: int, seed: int) -> dict[str, Numbers]:
    """What each metric came to in each resample, where it needs that."""
    needed = {
        name: m
        for name, m in measured.items()
        if not (isinstance(m, OfSums) and m.hits is not None)
    }
    sums = {name: metric for name, metric in needed.items() if isinstance(metric, OfSums)}
    orders = {name: metric for name, metric in needed.items() if isinstance(metric, OfOrder)}
    found = _of_orders(orders, resamples, seed) if orders else {}
    for evidence in {id(m.evidence): m.evidence for m in sums.values()}.values():
        drawn = drawn_sums(evidence, resamples, seed)
        found |= {n: m.formula(drawn) for n, m in sums.items() if m.evidence is evidence}
    return found


def drawn_sums(evidence: Sums, resamples: int, seed: int) -> Numbers:
    """The sums of each resample, (resamples, numbers)."""
    parts = draws.kinds(evidence.counts(), resamples, seed)
    return np.concatenate([part @ evidence.kinds for part in parts])


def _of_orders(metrics: Mapping[str, OfOrder], resamples: int, seed: int) -> dict[str, Numbers]:
    """All of them look at the same draws."""
    prepared = {name: metric.values() for name, metric in metrics.items()}
    rows = next(iter(metrics.values())).rows
    parts: dict[str, list[Numbers]] = {name: [] for name in metrics}
    for weights in draws.weights(rows, resamples, seed):
        for name, values in prepared.items():
            parts[name].append(values(weights))
    return {name: np.concatenate(each) for name, each in parts.items()}
