"""Tallies: what metrics make of counts, for many resamples at once, in float64.

The formulas are those of `task.metrics`, which count with torch; a test holds the two together. Where nothing
can be told apart the answer is 0, as there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlrecipe.reporting.part import Numbers, divide


@dataclass(frozen=True, slots=True)
class Tally:
    """Of each label how often it was given rightly, given, and there; each of shape (..., labels)."""

    tp: Numbers
    given: Numbers
    there: Numbers
    total: Numbers
    """Rows, or words; shape (..., 1)."""

    @property
    def tn(self) -> Numbers:
        """Neither given nor there."""
        return self.total - self.given - self.there + self.tp


Rate = Callable[[Tally], Numbers]
"""A number of each label, (..., labels)."""

OfTally = Callable[[Tally], Numbers]
"""One number of all labels, (...)."""


def split(sums: Numbers) -> Tally:
    """The tally that lies in sums, (..., 3 * labels + 1): tp, given and there, label by label, and all."""
    labels = (sums.shape[-1] - 1) // 3
    tp, given, there = (sums[..., i * labels : (i + 1) * labels] for i in range(3))
    return Tally(tp, given, there, sums[..., 3 * labels :])


def precision(tally: Tally) -> Numbers:
    """Of each label the share of rows given it that have it."""
    return divide(tally.tp, tally.given)


def recall(tally: Tally) -> Numbers:
    """Of each label the share of rows with it that were given it."""
    return divide(tally.tp, tally.there)


def f1(tally: Tally) -> Numbers:
    """Of each label the harmonic mean of precision and recall."""
    return divide(2 * tally.tp, tally.given + tally.there)


def specificity(tally: Tally) -> Numbers:
    """Of each label the share of rows without it that were not given it."""
    return divide(tally.tn, tally.total - tally.there)


def negative_predictive_value(tally: Tally) -> Numbers:
    """Of each label the share of rows not given it that do not have it."""
    return divide(tally.tn, tally.total - tally.given)


def jaccard(tally: Tally) -> Numbers:
    """Of each label the rows rightly given it, among those given it or with it."""
    return divide(tally.tp, tally.given + tally.there - tally.tp)


def correct(tally: Tally) -> Numbers:
    """Of each label the share of decisions that are right."""
    return divide(tally.tp + tally.tn, tally.total)


def mistaken(tally: Tally) -> Numbers:
    """Of each label the share of decisions that are wrong."""
    return divide(tally.given + tally.there - 2 * tally.tp, tally.total)


def second(rate: Rate) -> OfTally:
    """The rate of the second label."""
    return lambda tally: rate(tally)[..., 1]


def macro(rate: Rate) -> OfTally:
    """The plain mean over the labels that were given or are there."""
    return lambda tally: _mean(rate(tally), tally.given + tally.there > 0)


def there(rate: Rate) -> OfTally:
    """The plain mean over the labels that are there."""
    return lambda tally: _mean(rate(tally), tally.there > 0)


def over_labels(rate: Rate) -> OfTally:
    """The plain mean over all labels."""
    return lambda tally: rate(tally).mean(axis=-1)


def weighted(rate: Rate) -> OfTally:
    """The mean over labels, each weighted by the rows that have it."""
    return lambda tally: _mean(rate(tally), tally.there)


def micro(rate: Rate) -> OfTally:
    """The rate of the decisions over all labels together."""
    return lambda tally: rate(_summed(tally))[..., 0]


def missed(tally: Tally) -> Numbers:
    """Of rows with one label the share that was given another."""
    rows = tally.there.sum(axis=-1)
    return divide(rows - tally.tp.sum(axis=-1), rows)


def matthews(tally: Tally) -> Numbers:
    """Matthews correlation of labels given and there; 0 where either is the same in all rows."""
    rows = tally.there.sum(axis=-1)
    both = tally.tp.sum(axis=-1) * rows - (tally.given * tally.there).sum(axis=-1)
    spreads = [np.sqrt(rows**2 - (part**2).sum(axis=-1)) for part in (tally.given, tally.there)]
    return divide(both, spreads[0] * spreads[1])


def matthews_of_decisions(tally: Tally) -> Numbers:
    """Matthews correlation of the decisions over all labels together."""
    one = _summed(tally)
    return matthews(
        Tally(
            np.concatenate([one.tn, one.tp], axis=-1),
            np.concatenate([one.total - one.given, one.given], axis=-1),
            np.concatenate([one.total - one.there, one.there], axis=-1),
            one.total,
        )
    )


def kappa(tally: Tally) -> Numbers:
    """Cohen's kappa; 0 where all rows have one label and are given it."""
    rows = tally.there.sum(axis=-1)
    chance = divide((tally.given * tally.there).sum(axis=-1), rows)
    return divide(tally.tp.sum(axis=-1) - chance, rows - chance)


def _summed(tally: Tally) -> Tally:
    """The counts over all labels together, as those of one."""
    tp, given, there = (
        part.sum(axis=-1, keepdims=True) for part in (tally.tp, tally.given, tally.there)
    )
    return Tally(tp, given, there, tally.total * tally.tp.shape[-1])


def _mean(values: Numbers, weights: Any) -> Numbers:
    return divide((values * weights).sum(axis=-1), weights.sum(axis=-1))
