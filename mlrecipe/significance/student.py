"""Student's t: the distribution that differences of a few trainings are judged by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlrecipe.significance.intervals import Interval, check_confidence, unknown

_STEPS = 500
_PRECISION = 1e-15
_TINY = 1e-300


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The difference of two means over seeds, b less a."""

    interval: Interval
    p_value: float
    test: str
    """`paired t` where both were trained with the same seeds, `paired t, corrected for folds`, else
    `Welch's t`."""


def paired_t(
    a: Sequence[float], b: Sequence[float], *, confidence: float = 0.95, overlap: float = 0.0
) -> Difference:
    """The mean of the differences of pairs, b less a, and whether it is more than chance.

    Args:
        a: a value of each pair.
        b: the other.
        confidence: of the interval.
        overlap: of folds, rows of a fold as a share of those that are learnt from (Nadeau & Bengio 2003); 0
            where the values are independent.
    """
    gaps = [theirs - ours for ours, theirs in zip(a, b, strict=True)]
    variance = _variance(gaps) * (1 / len(gaps) + overlap) if len(gaps) > 1 else math.nan
    test = "paired t, corrected for folds" if overlap else "paired t"
    return _judged(_mean(gaps), variance, len(gaps) - 1, test, confidence)


def welch_t(a: Sequence[float], b: Sequence[float], *, confidence: float = 0.95) -> Difference:
    """The difference of two means, b less a, whose spreads need not be alike (Welch 1947)."""
    gap = _mean(b) - _mean(a)
    if min(len(a), len(b)) < 2:
        return _judged(gap, math.nan, 0, "Welch's t", confidence)
    parts = [(_variance(side) / len(side), len(side) - 1) for side in (a, b)]
    variance = sum(part for part, _ in parts)
    weight = sum(part**2 / freedom for part, freedom in parts)
    freedom = variance**2 / weight if weight else math.inf
    return _judged(gap, variance, freedom, "Welch's t", confidence)


def two_sided(t: float, freedom: float) -> float:
    """The chance of a t that is as far from 0 or farther."""
    if math.isinf(t):
        return 0.0
    return _beta(freedom / (freedom + t * t), freedom / 2, 0.5)


def quantile(confidence: float, freedom: float) -> float:
    """The t that so large a share lies nearer to 0 than, by halving."""
    low, high = 0.0, 1.0
    while two_sided(high, freedom) > 1 - confidence:
        low, high = high, high * 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if two_sided(middle, freedom) > 1 - confidence:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _judged(
    gap: float, variance: float, freedom: float, test: str, confidence: float
) -> Difference:
    check_confidence(confidence)
    if math.isnan(variance):
        found = unknown(gap, confidence=confidence)
        return Difference(interval=found, p_value=math.nan, test=test)
    deviation = math.sqrt(variance)
    half = quantile(confidence, freedom) * deviation if deviation else 0.0
    interval = Interval(
        value=gap, low=gap - half, high=gap + half, confidence=confidence, method="Student's t",
        resamples=0,
    )  # fmt: skip
    if not deviation:
        return Difference(interval=interval, p_value=0.0 if gap else 1.0, test=test)
    return Difference(interval=interval, p_value=two_sided(gap / deviation, freedom), test=test)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


def _variance(values: Sequence[float]) -> float:
    middle = _mean(values)
    return math.fsum((value - middle) ** 2 for value in values) / (len(values) - 1)


def _beta(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function, I_x(a, b) (DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):  # the fraction is quick only below
        return 1 - _beta(1 - x, b, a)
    front = (
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
        + a * math.log(x) + b * math.log1p(-x)
    )  # fmt: skip
    return math.exp(front) / a * _fraction(x, a, b)


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the beta function, by Lentz's method."""
    c, d = 1.0, 1 / _off_zero(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        before = value
        for step in (even, odd):
            d = 1 / _off_zero(1 + step * d)
            c = _off_zero(1 + step / c)
            value *= c * d
        if abs(value - before) <= _PRECISION * abs(value):
            break
    return value


def _off_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
