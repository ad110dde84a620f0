"""Metrics of rows with a number."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrecipe.reporting.part import Ids, Numbers, divide
from mlrecipe.significance import orders
from mlrecipe.significance.evidence import Measure, OfOrder, OfSums, Ordered, Sums
from mlrecipe.significance.orders import OfWeights
from mlrecipe.significance.tested import Values

NAMES = (
    "pearson-corrcoef", "spearman-corrcoef", "mean-squared-error", "mean-absolute-error", "r2-score",
    "root-mean-squared-error", "explained-variance",
)  # fmt: skip
"""Those that are asked for most first."""

_TINY = 1e-12
"""What is left of a spread of 1 where all numbers are the same."""


def makers(part: Values) -> dict[str, Callable[[], Measure]]:
    """What makes each metric."""
    gaps = cache(lambda: _gaps(part))
    made: dict[str, Callable[[], Measure]] = {
        name: partial(_of_gaps, gaps, formula) for name, formula in _FORMULAS.items()
    }
    made["pearson-corrcoef"] = partial(_pearson, part)
    made["spearman-corrcoef"] = partial(_spearman, part)
    return made


def _of_gaps(gaps: Callable[[], Sums], formula: Callable[[Numbers], Numbers]) -> OfSums:
    return OfSums(gaps(), formula)


def _gaps(part: Values) -> Sums:
    """Of each row 1, its target and that squared, its error, that squared and without its sign."""
    target, gap = part.there - np.median(part.there), part.given - part.there
    kinds = [np.ones(len(gap)), target, target**2, gap, gap**2, np.abs(gap)]
    return Sums(np.stack(kinds, axis=1), _rows(part))


def _mean_squared(sums: Numbers) -> Numbers:
    found: Numbers = sums[:, 4] / sums[:, 0]
    return found


def _root(sums: Numbers) -> Numbers:
    return np.sqrt(_mean_squared(sums))


def _mean_absolute(sums: Numbers) -> Numbers:
    found: Numbers = sums[:, 5] / sums[:, 0]
    return found


def _r2(sums: Numbers) -> Numbers:
    return _explained(sums, sums[:, 4])


def _variance(sums: Numbers) -> Numbers:
    left = sums[:, 4] - sums[:, 3] ** 2 / sums[:, 0]
    return _explained(sums, np.where(left <= _TINY * sums[:, 4], 0.0, left))


def _explained(sums: Numbers, left: Numbers) -> Numbers:
    """The explained share of the targets' spread; of targets all the same 1 where nothing is left, else 0."""
    rows, total, squares = sums[:, 0], sums[:, 1], sums[:, 2]
    spread = squares - total**2 / rows
    is_same = spread <= _TINY * squares
    met = ((left == 0) & (rows > 1)).astype(np.float64)
    return np.where(is_same, met, 1 - divide(left, np.where(is_same, 1.0, spread)))


_FORMULAS: dict[str, Callable[[Numbers], Numbers]] = {
    "mean-squared-error": _mean_squared,
    "root-mean-squared-error": _root,
    "mean-absolute-error": _mean_absolute,
    "r2-score": _r2,
    "explained-variance": _variance,
}


def _pearson(part: Values) -> OfSums:
    """Of numbers in units of their spread: what is left is all that two models can exchange."""
    ours, theirs = _scaled(part.given), _scaled(part.there)
    kinds = [np.ones(len(ours)), ours, ours**2, theirs, theirs**2, ours * theirs]

    def formula(sums: Numbers) -> Numbers:
        rows, x, xx, y, yy, xy = sums.T
        spreads = [xx - x**2 / rows, yy - y**2 / rows]
        is_same = (spreads[0] <= _TINY * xx) | (spreads[1] <= _TINY * yy)
        norm = np.sqrt(np.where(is_same, 1.0, spreads[0] * spreads[1]))
        return np.where(is_same, 0.0, (xy - x * y / rows) / norm).clip(-1, 1)

    return OfSums(Sums(np.stack(kinds, axis=1), _rows(part)), formula)


def _spearman(part: Values) -> OfOrder:
    def prepare(scores: Numbers, targets: NDArray[Any]) -> OfWeights:
        return orders.spearman(scores[:, 0], targets[:, 0])

    ranked = orders.as_ranks(part.given[:, None])
    return OfOrder(Ordered(ranked, part.there[:, None]), prepare)


def _scaled(values: Numbers) -> Numbers:
    """Less their mean, in units of their standard deviation; 0 where all are the same."""
    if (values == values[0]).all():
        return np.zeros(len(values))
    found: Numbers = (values - values.mean()) / values.std()
    return found


def _rows(part: Values) -> Ids:
    return np.arange(len(part.there))
