"""Intervals: between which bounds a number would lie if other rows had been tested."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mlrecipe.errors import DataError
from mlrecipe.reporting.part import Ids, Numbers

WILSON, BCA, PERCENTILE, NONE = "Wilson", "bootstrap (BCa)", "bootstrap (percentile)", "none"
ALIKE = "none: all resamples agree"
"""All resamples come to the same, as of a perfect score: the bootstrap cannot tell how far others would lie."""

_NORMAL = NormalDist()
_EQUAL = 1e-12
"""Of resamples that come to the same by another order of sums, at most this apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A number of tested rows, and the bounds of what other rows of the same kind would give."""

    value: float
    """Of the rows that were tested."""

    low: float
    high: float
    confidence: float
    """In such a share of all tests the bounds hold what would come of endless rows; 0.95 by default."""

    method: str
    """How the bounds were found: `Wilson`, `bootstrap (BCa)`, `bootstrap (percentile)`, `Student's t`;
    `none` where the number is not finite, `none: all resamples agree` where the bootstrap has nothing to go by:
    then the bounds are not known."""

    resamples: int
    """Draws of the bootstrap; 0 where none were needed."""


def is_known(method: str) -> bool:
    """Whether an interval by this method has bounds."""
    return method not in (NONE, ALIKE)


def wilson(right: int, rows: int, *, confidence: float = 0.95) -> Interval:
    """The interval of a share, which also holds for few rows and shares of 0 and 1 (Wilson 1927).

    Args:
        right: rows that count.
        rows: all of them.
        confidence: of the interval.

    Raises:
        DataError: there is no row.
    """
    check_confidence(confidence)
    if not rows:
        raise DataError("there is no row to give an interval of")
    z2 = _NORMAL.inv_cdf((1 + confidence) / 2) ** 2
    share = right / rows
    middle = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    half = math.sqrt(z2 * (share * (1 - share) + z2 / (4 * rows)) / rows) / (1 + z2 / rows)
    low = 0.0 if right == 0 else middle - half
    high = 1.0 if right == rows else middle + half
    return Interval(
        value=share, low=low, high=high, confidence=confidence, method=WILSON, resamples=0
    )


def percentile(value: float, drawn: Numbers, *, confidence: float = 0.95) -> Interval:
    """The interval that holds the middle of what resamples, (resamples,), came to."""
    tail = (1 - confidence) / 2
    return _of_quantiles(value, drawn, (tail, 1 - tail), confidence, PERCENTILE)


def bca(
    value: float, drawn: Numbers, left_out: Numbers, counts: Ids, *, confidence: float = 0.95
) -> Interval:
    """The bootstrap's interval corrected for bias and skew (Efron 1987; Efron & Tibshirani 1993, 14.3).

    Args:
        value: of all rows.
        drawn: of each resample, (resamples,).
        left_out: of all rows but one, or but one group of them, (kinds,).
        counts: how many rows or groups of each kind there are, (kinds,).
        confidence: of the interval.
    """
    below = (drawn < value - _EQUAL).sum() + (np.abs(drawn - value) <= _EQUAL).sum() / 2
    share = float(below) / len(drawn)
    skew = acceleration(left_out, counts)
    if not (math.isfinite(value) and 0 < share < 1 and math.isfinite(skew)):
        return percentile(value, drawn, confidence=confidence)
    bias = _NORMAL.inv_cdf(share)
    places = []
    for tail in ((1 - confidence) / 2, (1 + confidence) / 2):
        z = bias + _NORMAL.inv_cdf(tail)
        if 1 - skew * z <= 0:  # the correction has no answer: so few rows, or so skewed
            return percentile(value, drawn, confidence=confidence)
        places.append(_NORMAL.cdf(bias + z / (1 - skew * z)))
    return _of_quantiles(value, drawn, (places[0], places[1]), confidence, BCA)


def acceleration(left_out: Numbers, counts: Ids) -> float:
    """How the spread of a number goes with its value: the skewness of the jackknife, over 6."""
    gaps = (left_out * counts).sum() / counts.sum() - left_out
    spread = float((counts * gaps**2).sum())
    if spread <= _EQUAL**2:
        return 0.0
    return float((counts * gaps**3).sum() / (6 * spread**1.5))


def unknown(value: float, *, confidence: float) -> Interval:
    """What is said where rows tell nothing of the bounds."""
    return Interval(
        value=value, low=math.nan, high=math.nan, confidence=confidence, method=NONE, resamples=0
    )


def check_confidence(confidence: float) -> None:
    """Raise unless it is a share.

    Raises:
        DataError: it is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        message = f"a confidence lies between 0 and 1, not at {confidence!r}"
        raise DataError(message, key="confidence", hint="0.95 is usual")


def check_resamples(resamples: int) -> None:
    """Raise unless there are enough to tell the bounds.

    Raises:
        DataError: there are fewer than 100.
    """
    if resamples < 100:
        message = f"{resamples!r} resamples are too few to tell bounds"
        raise DataError(message, key="resamples", hint="2000 are usual, 100 the least")


def _of_quantiles(
    value: float, drawn: Numbers, places: tuple[float, float], confidence: float, method: str
) -> Interval:
    if not (math.isfinite(value) and bool(np.isfinite(drawn).all())):
        method = NONE
    elif np.ptp(drawn) <= _EQUAL:
        # Bounds of no width would claim that other rows cannot give anything else.
        method = ALIKE
    low, high = np.quantile(drawn, places) if is_known(method) else (math.nan, math.nan)
    return Interval(
        value=value, low=float(low), high=float(high), confidence=confidence, method=method,
        resamples=len(drawn),
    )  # fmt: skip
