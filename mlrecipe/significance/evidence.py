"""Evidence: what of each row a metric is made of, so that no resample needs to look at rows again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrecipe.reporting.part import Ids, Numbers
from mlrecipe.significance.orders import OfWeights


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Numbers of each row whose sums over the rows are all that is needed."""

    kinds: Numbers
    """Shape (kinds, numbers): rows of one kind have the same."""

    which: Ids
    """The kind of each row, (rows,)."""

    def counts(self) -> Ids:
        """Rows of each kind."""
        return np.bincount(self.which, minlength=len(self.kinds)).astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Ordered:
    """What rows are ordered by, and what is right of them."""

    scores: Numbers
    """Shape (rows, columns)."""

    targets: NDArray[Any]
    """Shape (rows, columns), in step with the scores."""


@dataclass(frozen=True, slots=True, eq=False)
class OfSums:
    """A metric that is a formula of sums."""

    evidence: Sums
    formula: Callable[[Numbers], Numbers]
    """Values, (resamples,), of sums, (resamples, numbers)."""

    hits: NDArray[np.bool_] | None = None
    """Where the metric is the share of rows that are so: whether each is, (rows,)."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.evidence.which)

    def value(self) -> float:
        """Of all rows."""
        evidence = self.evidence
        return float(self.formula((evidence.counts() @ evidence.kinds)[None])[0])


@dataclass(frozen=True, slots=True, eq=False)
class OfOrder:
    """A metric that hangs on the order of all rows."""

    evidence: Ordered
    prepare: Callable[[Numbers, NDArray[Any]], OfWeights]
    """Of scores and targets what makes values of weights."""

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.evidence.scores)

    def values(self) -> OfWeights:
        """What makes values of how often each row counts."""
        return self.prepare(self.evidence.scores, self.evidence.targets)

    def value(self) -> float:
        """Of all rows."""
        return float(self.values()(np.ones((1, self.rows)))[0])


Measure = OfSums | OfOrder
"""A metric of some tested rows."""


def of_hits(hits: NDArray[np.bool_]) -> OfSums:
    """The share of rows that are so."""
    kinds = np.array([[0.0, 1.0], [1.0, 1.0]])
    return OfSums(Sums(kinds, hits.astype(np.int64)), lambda sums: sums[:, 0] / sums[:, 1], hits)


def joined(parts: Sequence[Sums]) -> Sums:
    """The numbers of several parts of the same rows side by side."""
    if len(parts) == 1:
        return parts[0]
    combined, which = np.unique(
        np.stack([part.which for part in parts], axis=1), axis=0, return_inverse=True
    )
    kinds = [part.kinds[combined[:, i]] for i, part in enumerate(parts)]
    return Sums(np.concatenate(kinds, axis=1), which.reshape(-1).astype(np.int64))


def mean_of_sums(metrics: Sequence[OfSums]) -> OfSums:
    """The plain mean of metrics of the same rows."""
    ends = np.cumsum([metric.evidence.kinds.shape[1] for metric in metrics])
    starts = [0, *ends[:-1]]

    def formula(sums: Numbers) -> Numbers:
        each = [
            metric.formula(sums[:, start:end])
            for metric, start, end in zip(metrics, starts, ends, strict=True)
        ]
        mean: Numbers = np.stack(each).mean(axis=0)
        return mean

    return OfSums(joined([metric.evidence for metric in metrics]), formula)


def mean_of_orders(metrics: Sequence[OfOrder]) -> OfOrder:
    """The plain mean of metrics of the same rows."""
    ends = np.cumsum([metric.evidence.scores.shape[1] for metric in metrics])
    starts = [0, *ends[:-1]]

    def prepare(scores: Numbers, targets: NDArray[Any]) -> OfWeights:
        each = [
            metric.prepare(scores[:, start:end], targets[:, start:end])
            for metric, start, end in zip(metrics, starts, ends, strict=True)
        ]
        return lambda weights: np.stack([values(weights) for values in each]).mean(axis=0)

    sides = [(metric.evidence.scores, metric.evidence.targets) for metric in metrics]
    scores, targets = (np.concatenate(side, axis=1) for side in zip(*sides, strict=True))
    return OfOrder(Ordered(scores, targets), prepare)
