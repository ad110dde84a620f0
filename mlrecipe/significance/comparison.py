"""Comparison: whether a model's metric is better than another's on the same rows, by how much, and in words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import pyarrow as pa

from mlrecipe.reporting.part import Ids, Numbers
from mlrecipe.significance import draws, tested
from mlrecipe.significance.evidence import Measure, OfOrder, OfSums
from mlrecipe.significance.intervals import (
    Interval,
    bca,
    check_confidence,
    check_resamples,
    unknown,
)
from mlrecipe.significance.measures import is_error, measures
from mlrecipe.significance.paired import Tested, exchange, holm, joint, mcnemar
from mlrecipe.significance.pairing import paired
from mlrecipe.significance.resampled import group_weights
from mlrecipe.significance.verdict import verdict

_POWER = 0.8
"""Of so many tests a difference is to be found in, to be called one that would be."""

_INTERVAL = 2000
"""Resamples of the bootstrap at most; a test's p-value needs more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """How a comparison is made.

    Raises:
        DataError: a number is out of range.
    """

    resamples: int = 10000
    """Exchanges of the randomization test; at most 2,000 resamples are drawn for an interval."""

    seed: int = 0
    """Of all draws."""

    confidence: float = 0.95
    """Of the intervals; a difference is told where p is below what this leaves."""

    def __post_init__(self) -> None:
        check_resamples(self.resamples)
        check_confidence(self.confidence)
        draws.check_seed(self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A metric of two models on the same rows."""

    metric: str
    names: tuple[str, str]
    """What the two are called."""

    a: float
    """The metric of the first."""

    b: float
    """The metric of the second."""

    interval: Interval
    """Of the difference, b less a, by the paired bootstrap."""

    p_value: float
    """How often chance alone would make so large a difference, if both were equally good."""

    p_adjusted: float
    """The same after Holm's correction for as many pairs as were compared; `p_value` where there is one."""

    test: str
    """`McNemar (mid-p)` of what is a share of rows, else `approximate randomization`."""

    resamples: int
    """Exchanges of the test; 0 where none were needed."""

    rows: int
    """Rows with a label."""

    differ: int
    """Rows of which the two make something else, as far as the metric sees it."""

    counts: Mapping[str, int] | None
    """Of what is a share of rows: those that `both` have right, `only_a`, `only_b` and `neither`."""

    found: float
    """A true difference as large as this would be found by four of five such tests."""

    @property
    def difference(self) -> float:
        """Of the second less that of the first."""
        return self.interval.value

    @property
    def verdict(self) -> str:
        """One sentence in plain words."""
        return verdict(self)

    @property
    def better(self) -> str | None:
        """The name of the better one; None where no difference can be told."""
        if not self.p_adjusted < 1 - self.interval.confidence or not self.difference:
            return None
        return self.names[(self.difference > 0) != is_error(self.metric)]


def compare(
    a: pa.Table,
    b: pa.Table,
    metric: str,
    *,
    resamples: int = 10000,
    seed: int = 0,
    confidence: float = 0.95,
    names: tuple[str, str] = ("a", "b"),
) -> Comparison:
    """Whether the predictions `b` are better than `a` by a metric, on the same rows.

    Args:
        a: predictions of one model, as `mlrecipe test` writes them.
        b: predictions of another one, of the same rows.
        metric: one of `names(a)`.
        resamples: exchanges of the randomization test.
        seed: of all draws.
        confidence: of the interval; a difference is told where p is below what it leaves, 0.05.
        names: what the two are called.

    Raises:
        DataError: the rows or the labels are not the same, or the metric cannot be computed of them.
    """
    drawing = Drawing(resamples=resamples, seed=seed, confidence=confidence)
    return compare_all(a, b, [metric], drawing, names=names)[metric]


def compare_all(
    a: pa.Table,
    b: pa.Table,
    metrics: Sequence[str],
    drawing: Drawing,
    *,
    names: tuple[str, str] = ("a", "b"),
    is_common: bool = False,
    hear: Callable[[str], None] = lambda metric: None,
) -> dict[str, Comparison]:
    """As `compare`, of several metrics; with `is_common` rows that only one has are left out.

    `hear` is told of each metric before it is looked at.
    """
    a, b = paired(a, b, is_common=is_common)
    head = tested.head_of(a)
    tested.check_same_labels(head, tested.head_of(b))
    ours, theirs = (measures(table, metrics, head=head) for table in (a, b))
    found = {}
    for name in metrics:
        hear(name)
        found[name] = _compared(name, ours[name], theirs[name], names, drawing)
    return found


def adjusted(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """Comparisons of several pairs by one metric, their p-values corrected by Holm's method."""
    p_values = holm([each.p_value for each in comparisons])
    return [replace(one, p_adjusted=p) for one, p in zip(comparisons, p_values, strict=True)]


def _compared(
    name: str, a: Measure, b: Measure, names: tuple[str, str], drawing: Drawing
) -> Comparison:
    interval, deviation = _interval(a, b, drawing)
    counts = _counts(a, b, is_wrong=is_error(name))
    told = _tested(a, b, counts, drawing)
    needed = NormalDist().inv_cdf((1 + drawing.confidence) / 2) + NormalDist().inv_cdf(_POWER)
    return Comparison(
        metric=name, names=names, a=a.value(), b=b.value(), interval=interval,
        p_value=told.p_value, p_adjusted=told.p_value, test=told.test, resamples=told.resamples,
        rows=a.rows, differ=_differ(a, b), counts=counts, found=needed * deviation,
    )  # fmt: skip


def _tested(a: Measure, b: Measure, counts: Mapping[str, int] | None, drawing: Drawing) -> Tested:
    if counts is not None:
        return mcnemar(counts["only_a"], counts["only_b"])
    return exchange(a, b, resamples=drawing.resamples, seed=drawing.seed)


def _counts(a: Measure, b: Measure, *, is_wrong: bool) -> dict[str, int] | None:
    """Rows by who has them right, where the metric is a share of rows; `is_wrong`: of those that are wrong."""
    if not isinstance(a, OfSums) or not isinstance(b, OfSums):
        return None
    if a.hits is None or b.hits is None:
        return None
    ours, theirs = a.hits ^ is_wrong, b.hits ^ is_wrong
    return {
        "both": int((ours & theirs).sum()), "only_a": int((ours & ~theirs).sum()),
        "only_b": int((~ours & theirs).sum()), "neither": int((~ours & ~theirs).sum()),
    }  # fmt: skip


def _differ(a: Measure, b: Measure) -> int:
    if isinstance(a, OfSums) and isinstance(b, OfSums):
        ours, theirs, counts = joint(a, b)
        return int(counts[(ours != theirs).any(axis=1)].sum())
    assert isinstance(a, OfOrder)
    assert isinstance(b, OfOrder)
    return int((a.evidence.scores != b.evidence.scores).any(axis=1).sum())


def _interval(a: Measure, b: Measure, drawing: Drawing) -> tuple[Interval, float]:
    """The interval of the difference, and its standard deviation."""
    resamples, seed, confidence = (
        min(drawing.resamples, _INTERVAL),
        drawing.seed,
        drawing.confidence,
    )
    gap = b.value() - a.value()
    if a.rows < 2 or not math.isfinite(gap):
        return unknown(gap, confidence=confidence), math.nan
    if isinstance(a, OfSums) and isinstance(b, OfSums):
        drawn, left_out, counts = _of_sums(a, b, resamples, seed)
    else:
        assert isinstance(a, OfOrder)
        assert isinstance(b, OfOrder)
        drawn, left_out = _of_orders(a, b, resamples, seed)
        counts = np.ones(len(left_out), np.int64)
    return bca(gap, drawn, left_out, counts, confidence=confidence), float(drawn.std())


def _of_sums(a: OfSums, b: OfSums, resamples: int, seed: int) -> tuple[Numbers, Numbers, Ids]:
    """The differences of resamples, those without a row of each kind, and how many rows these are."""
    ours, theirs, counts = joint(a, b)
    drawn = [
        b.formula(weights @ theirs) - a.formula(weights @ ours)
        for weights in draws.kinds(counts, resamples, seed)
    ]
    left_out = b.formula(counts @ theirs - theirs) - a.formula(counts @ ours - ours)
    return np.concatenate(drawn), left_out, counts


def _of_orders(a: OfOrder, b: OfOrder, resamples: int, seed: int) -> tuple[Numbers, Numbers]:
    ours, theirs = a.values(), b.values()
    drawn = [theirs(w) - ours(w) for w in draws.weights(a.rows, resamples, seed)]
    groups = group_weights(a.rows)
    return np.concatenate(drawn), theirs(groups) - ours(groups)
