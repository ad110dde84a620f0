"""Trainings: groups of trainings that differ in seed or fold, held against each other."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from mlrecipe.errors import DataError
from mlrecipe.significance.student import Difference, paired_t, welch_t


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A metric of the trainings of one recipe."""

    values: Mapping[str, float]
    """Name of the training, `seed-3` or `fold-2`, → the metric."""

    folds: int = 0
    """Into how many folds the rows were dealt; 0 where they were not."""

    @property
    def mean(self) -> float:
        """The mean over the trainings."""
        return fmean(self.values.values())

    @property
    def deviation(self) -> float | None:
        """The standard deviation over the trainings; None of a single one."""
        return deviation_of(self.values.values())


def deviation_of(values: Collection[float]) -> float | None:
    """The standard deviation of a sample; None of a single value, NaN where one is not finite."""
    if len(values) < 2:
        return None
    return stdev(values) if all(map(math.isfinite, values)) else math.nan


def compare_groups(a: Group, b: Group, *, confidence: float = 0.95) -> Difference:
    """Whether the trainings `b` are better than `a` on average, b less a.

    Trainings of the same name belong together: then the differences of pairs are judged. Folds share most of
    the rows that are learnt from, so that their values vary less than those of new rows would: the variance
    is corrected for it (Nadeau & Bengio 2003).

    Raises:
        DataError: a group has a single training, or one has folds and the other has not.
    """
    for group in (a, b):
        if len(group.values) < 2:
            raise DataError(
                "a group of one training says nothing of how trainings vary",
                hint="train with `train.repeat` of 3 at least",
            )
    if a.folds != b.folds:
        raise DataError("one group has other folds than the other: their values are of other rows")
    overlap = 1 / (a.folds - 1) if a.folds > 1 else 0.0
    if set(a.values) == set(b.values):
        names: Sequence[str] = list(a.values)
        sides = ([group.values[name] for name in names] for group in (a, b))
        return paired_t(*sides, confidence=confidence, overlap=overlap)
    if overlap:
        raise DataError("the two groups have not the same seeds and folds: nothing can be paired")
    return welch_t(list(a.values.values()), list(b.values.values()), confidence=confidence)
