"""Orders: metrics that hang on how rows are ordered, of rows that count several times or not at all.

Each function looks at the rows once and gives what makes values of weights, (resamples, rows), so that
thousands of resamples sort nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from mlrecipe.reporting.part import Ids, Numbers, divide
from mlrecipe.reporting.regression import ranks

OfWeights = Callable[[Numbers], Numbers]
"""Values, (resamples,), of how often each row counts, (resamples, rows)."""

Rate = Callable[[Numbers, NDArray[np.bool_]], "Curve"]


class Curve:
    """How rows with a label and rows without it lie along its score."""

    def __init__(self, scores: Numbers, has: NDArray[np.bool_]) -> None:
        """Scores of shape (rows,), and whether a row has the label."""
        self._order = np.argsort(scores, kind="stable")
        self._has = has[self._order].astype(np.float64)
        ranked = scores[self._order]
        self._starts = np.flatnonzero(np.concatenate([[True], ranked[1:] != ranked[:-1]]))
        self._known: tuple[Numbers, tuple[Numbers, Numbers]] | None = None

    def counts(self, weights: Numbers) -> tuple[Numbers, Numbers]:
        """Rows with the label and all rows at each score, upwards: each (resamples, scores).

        Several metrics ask for the same weights one after the other: they are counted once.
        """
        if self._known is None or self._known[0] is not weights:
            self._known = weights, self._counted(weights)
        return self._known[1]

    def _counted(self, weights: Numbers) -> tuple[Numbers, Numbers]:
        ordered = weights[:, self._order]
        found, every = ordered * self._has, ordered
        if len(self._starts) < len(self._order):
            found, every = (np.add.reduceat(part, self._starts, axis=1) for part in (found, every))
        return found, every


def auroc(found: Numbers, every: Numbers) -> Numbers:
    """The chance that a row with the label has the higher score; 0.5 without such pairs."""
    others = every - found
    below = others.cumsum(axis=1) - others / 2
    pairs = found.sum(axis=1) * others.sum(axis=1)
    value: Numbers = np.where(pairs == 0, 0.5, divide((found * below).sum(axis=1), pairs))
    return value


def average_precision(found: Numbers, every: Numbers) -> Numbers:
    """The mean of the precision at each row with the label; 0 where there is none."""
    found, every = found[:, ::-1], every[:, ::-1]
    precisions = divide(found.cumsum(axis=1), every.cumsum(axis=1))
    return divide((found * precisions).sum(axis=1), found.sum(axis=1))


class Curves:
    """The curves of the scores that were asked for last, for all the metrics that are made of them."""

    def __init__(self) -> None:
        """Nothing was asked for yet."""
        self._known: tuple[Numbers, NDArray[np.bool_], list[Curve]] | None = None

    def of(self, scores: Numbers, has: NDArray[np.bool_]) -> list[Curve]:
        """A curve of each label; both of shape (rows, labels)."""
        if self._known is None or self._known[0] is not scores or self._known[1] is not has:
            made = [Curve(scores[:, i], has[:, i]) for i in range(scores.shape[1])]
            self._known = scores, has, made
        return self._known[2]


def of_curves(
    rate: Callable[[Numbers, Numbers], Numbers], scores: Numbers, has: NDArray[np.bool_],
    known: Curves,
) -> OfWeights:  # fmt: skip
    """The mean of the rate over the labels that some rows have and some have not; both (rows, labels).

    Where a score is no number there is no order, and so no value.
    """
    if np.isnan(scores).any():
        return _no_value
    curves = known.of(scores, has)

    def values(weights: Numbers) -> Numbers:
        rates, is_told = [], []
        for curve in curves:
            found, every = curve.counts(weights)
            rates.append(rate(found, every))
            having = found.sum(axis=1)
            is_told.append((having > 0) & (having < every.sum(axis=1)))
        told = np.stack(is_told)
        mean = divide((np.stack(rates) * told).sum(axis=0), told.sum(axis=0))
        return np.where(told.any(axis=0), mean, rates[0])

    return values


def spearman(given: Numbers, there: Numbers) -> OfWeights:
    """Pearson's correlation of the ranks, equal numbers sharing one; both of shape (rows,).

    Where one is no number there is no order, and so no value.
    """
    if np.isnan(given).any() or np.isnan(there).any():
        return _no_value
    sides = [_Ranks(given), _Ranks(there)]

    def values(weights: Numbers) -> Numbers:
        rows = weights.sum(axis=1, keepdims=True)
        # The mean rank is the same on both sides, ties or not.
        ours, theirs = (side.of(weights) - (rows + 1) / 2 for side in sides)
        product = (weights * ours * theirs).sum(axis=1)
        norms = [np.sqrt((weights * side**2).sum(axis=1)) for side in (ours, theirs)]
        return divide(product, norms[0] * norms[1]).clip(-1, 1)

    return values


class _Ranks:
    """The ranks of rows, of which each counts as often as it is said."""

    def __init__(self, values: Numbers) -> None:
        self._order = np.argsort(values, kind="stable")
        ranked = values[self._order]
        is_new = np.concatenate([[True], ranked[1:] != ranked[:-1]])
        self._starts = np.flatnonzero(is_new)
        self._place: Ids = np.empty(len(values), np.int64)
        self._place[self._order] = is_new.cumsum() - 1

    def of(self, weights: Numbers) -> Numbers:
        """Ranks from 1 on, (resamples, rows)."""
        each = np.add.reduceat(weights[:, self._order], self._starts, axis=1)
        middle = each.cumsum(axis=1) - (each - 1) / 2
        found: Numbers = middle[:, self._place]
        return found


def as_ranks(scores: Numbers) -> Numbers:
    """Each column's ranks: all that these metrics see of scores, and what two models can exchange.

    What is no number stays so, for it has no rank.
    """
    columns: Sequence[Numbers] = [ranks(scores[:, i]) for i in range(scores.shape[1])]
    return np.where(np.isnan(scores), np.nan, np.stack(columns, axis=1))


def _no_value(weights: Numbers) -> Numbers:
    return np.full(len(weights), np.nan)
