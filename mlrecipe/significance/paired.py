"""Paired tests: how often chance alone would make such a difference between two models on the same rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlrecipe.reporting.part import Ids, Numbers
from mlrecipe.significance import draws
from mlrecipe.significance.evidence import Measure, OfOrder, OfSums, Ordered

_NAME = "approximate randomization"

_EQUAL = 1e-12
"""Differences that come to the same by another order of sums, at most this apart."""

_EVERY = 13
"""So many rows that differ have all their exchanges tried: 2 ** 13 are no more than are drawn else."""

_MOST = 20_000_000
"""Rows times resamples of metrics that hang on order; beyond it fewer resamples are made."""

_LEAST = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What a test says."""

    p_value: float
    """How often the difference would be as large if the two were equally good."""

    test: str
    resamples: int
    """Exchanges that were tried; 0 where none were needed."""


def mcnemar(only_a: int, only_b: int, *, is_midp: bool = True) -> Tested:
    """McNemar's test: whether the first model alone is right in as many rows as the second alone.

    By default its mid-p form, whose error rate is nearer to the nominal one than that of the exact test, which
    is too cautious, and does not exceed it in practice (Fagerland, Lydersen & Laake 2013).

    Args:
        only_a: rows that only the first has right.
        only_b: rows that only the second has right.
        is_midp: whether what was seen counts half, as if it were half as extreme.
    """
    rows, fewer = only_a + only_b, min(only_a, only_b)
    name = "McNemar (mid-p)" if is_midp else "McNemar (exact)"
    if not rows:
        return Tested(p_value=1.0, test=name, resamples=0)
    shares = _binomial(rows, fewer)
    p_value = 2 * float(shares.sum()) - (float(shares[-1]) if is_midp else 0.0)
    return Tested(p_value=min(p_value, 1.0), test=name, resamples=0)


def exchange(a: Measure, b: Measure, *, resamples: int, seed: int) -> Tested:
    """Approximate randomization: row by row the models' answers change places, or not.

    Noreen (1989); Yeh (2000).

    Where few rows differ all exchanges of a metric of sums are tried, and the test is exact. Of areas and rank
    correlations fewer are drawn where there are many rows, 1,000 at least.

    Args:
        a: a metric of one model.
        b: the same metric of another one, of the same rows in the same order.
        resamples: exchanges to draw.
        seed: of the draws.
    """
    if isinstance(a, OfSums) and isinstance(b, OfSums):
        return _exchange_sums(a, b, resamples=resamples, seed=seed)
    assert isinstance(a, OfOrder)
    assert isinstance(b, OfOrder)
    fewer = min(resamples, max(_MOST // (2 * a.rows), _LEAST))
    both = OfOrder(_stacked(a, b), a.prepare).values()
    gaps = [
        both(np.concatenate([heads, 1 - heads], axis=1))
        - both(np.concatenate([1 - heads, heads], axis=1))
        for heads in draws.coins(a.rows, fewer, seed)
    ]
    return _judged(a.value() - b.value(), np.concatenate(gaps), is_exact=False)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of several tests such that one false finding among all is as rare as of one (Holm 1979).

    One that is not known, NaN, stays so, and counts as a test.
    """
    known = [i for i, p_value in enumerate(p_values) if not math.isnan(p_value)]
    order = sorted(known, key=lambda i: p_values[i])
    found, highest = [math.nan] * len(p_values), 0.0
    for place, i in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[i]))
        found[i] = highest
    return found


def joint(a: OfSums, b: OfSums) -> tuple[Numbers, Numbers, Ids]:
    """The kinds of rows by what both models make of them: the numbers of both, (kinds, numbers), and rows."""
    count = len(b.evidence.kinds)
    codes, rows = np.unique(a.evidence.which * count + b.evidence.which, return_counts=True)
    ours, theirs = np.divmod(codes, count)
    return a.evidence.kinds[ours], b.evidence.kinds[theirs], rows.astype(np.int64)


def _exchange_sums(a: OfSums, b: OfSums, *, resamples: int, seed: int) -> Tested:
    ours, theirs, counts = joint(a, b)
    differs = (ours != theirs).any(axis=1)
    rows = int(counts[differs].sum())
    sums = [counts @ side for side in (ours, theirs)]
    seen = float((a.formula(sums[0][None]) - b.formula(sums[1][None]))[0])
    if not math.isfinite(seen):
        return Tested(p_value=math.nan, test=_NAME, resamples=0)
    if not rows:
        return Tested(p_value=1.0, test=_NAME, resamples=0)
    change, counts = (theirs - ours)[differs], counts[differs]
    is_exact = rows <= _EVERY
    if is_exact:
        change, parts = np.repeat(change, counts, axis=0), iter([draws.every_choice(rows)])
    else:
        parts = draws.halves(counts, resamples, seed)
    gaps = []
    for heads in parts:
        moved = heads @ change
        gaps.append(a.formula(sums[0] + moved) - b.formula(sums[1] - moved))
    return _judged(seen, np.concatenate(gaps), is_exact=is_exact)


def _judged(seen: float, gaps: Numbers, *, is_exact: bool) -> Tested:
    """The share of exchanges with as large a difference; what was seen is one of them."""
    if not math.isfinite(seen):
        return Tested(p_value=math.nan, test=_NAME, resamples=len(gaps))
    as_large = int((np.abs(gaps) >= abs(seen) - _EQUAL).sum())
    if is_exact:
        return Tested(
            p_value=as_large / len(gaps), test="randomization (exact)", resamples=len(gaps)
        )
    return Tested(p_value=(as_large + 1) / (len(gaps) + 1), test=_NAME, resamples=len(gaps))


def _stacked(a: OfOrder, b: OfOrder) -> Ordered:
    """The rows of both under each other."""
    scores = np.concatenate([a.evidence.scores, b.evidence.scores])
    return Ordered(scores, np.concatenate([a.evidence.targets, b.evidence.targets]))


def _binomial(rows: int, most: int) -> Numbers:
    """The chances of 0 to `most` heads in so many throws, (most + 1,)."""
    throws = math.lgamma(rows + 1) - rows * math.log(2)
    logs = [throws - math.lgamma(k + 1) - math.lgamma(rows - k + 1) for k in range(most + 1)]
    chances: Numbers = np.exp(np.array(logs))
    return chances
