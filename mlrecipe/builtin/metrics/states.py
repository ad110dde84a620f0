"""What metrics keep of the rows that they have seen; what is computed from it is computed in float64.

torchmetrics counts right, but divides in float32, in which the share of 0.7 is 0.699999988, and some of
its formulas are cut off near 0. So its counting and its exchange between processes are used, and the
formulas are our own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, cast

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import (
    MulticlassStatScores,
    MultilabelExactMatch,
    MultilabelStatScores,
)
from torchmetrics.utilities.data import dim_zero_cat


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """For each label how often it was given or not, rightly or wrongly; float64, shape (labels,)."""

    tp: Tensor
    """Given, and there."""

    fp: Tensor
    """Given, but not there."""

    tn: Tensor
    """Neither."""

    fn: Tensor
    """There, but not given."""


OfTally = Callable[[Tally], Tensor]
"""A number of counts."""

OfRows = Callable[[Tensor, Tensor], Tensor]
"""A number of all scores, (rows, labels), and targets, (rows, columns), in float64."""


class Counts(MulticlassStatScores):
    """Counts the most probable label of each row against the right one."""

    def __init__(
        self, labels: int, formula: OfTally, *, top_k: int = 1,
        average: Literal["none", "micro"] = "none",
    ) -> None:  # fmt: skip
        """With `micro` there is one count over all labels; `formula` makes the value of what was counted."""
        super().__init__(num_classes=labels, top_k=top_k, average=average)
        self._formula = formula

    def compute(self) -> Tensor:
        """The value of all rows so far."""
        return self._formula(_tally(self._final_state()))


class LabelCounts(MultilabelStatScores):
    """Counts for each label whether a row is said to have it: whose probability is above the threshold."""

    def __init__(self, labels: int, formula: OfTally, *, threshold: float) -> None:
        """`formula` makes the value of what was counted."""
        super().__init__(num_labels=labels, threshold=threshold, average="none")
        self._formula = formula

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Count rows: probabilities and 0 or 1, both of shape (rows, labels)."""
        super().update(_decided(preds, self.threshold), target.long())

    def compute(self) -> Tensor:
        """The value of all rows so far."""
        return self._formula(_tally(self._final_state()))


class ExactMatches(MultilabelExactMatch):
    """Counts the rows that are said to have just the labels that they have."""

    def update(self, preds: Tensor, target: Tensor) -> None:
        """Count rows: probabilities and 0 or 1, both of shape (rows, labels)."""
        super().update(_decided(preds, self.threshold), target.long())

    def compute(self) -> Tensor:
        """Their share."""
        correct = exact(cast(Tensor, self.correct)).sum()
        return correct / exact(self.total).clamp(min=1)


class Kept(Metric):
    """Keeps scores and targets of all rows, as order and correlation need."""

    full_state_update = False

    def __init__(self, formula: OfRows, *, targets: int = 1) -> None:
        """`targets` are the columns of the targets; `formula` makes the value of all rows."""
        super().__init__()
        self._formula = formula
        self._targets = targets
        self.kept: list[Tensor]
        self.columns: Tensor
        self.add_state("kept", default=[], dist_reduce_fx="cat")
        # How many a row has, for a process without rows does not know it.
        self.add_state("columns", default=torch.tensor(0), dist_reduce_fx="max")
        if not torch.backends.mps.is_available():  # there is no float64 there
            self.set_dtype(torch.float64)

    def update(self, scores: Tensor, targets: Tensor) -> None:
        """Keep rows: scores of shape (rows, labels) or (rows,), and their targets."""
        rows = len(targets)
        both = [scores.detach().reshape(rows, -1), targets.reshape(rows, -1)]
        table = torch.cat([part.to(self.dtype) for part in both], dim=1)
        self.columns = self.columns.clamp(min=table.shape[1])
        self.kept.append(table.reshape(-1))  # flat, as processes without rows have it too

    def compute(self) -> Tensor:
        """The value of all rows so far."""
        scores, targets = self.table()
        return self._formula(scores, targets)

    def table(self) -> tuple[Tensor, Tensor]:
        """All scores and all targets in float64, a row of each for each row."""
        columns = int(self.columns)
        table = exact(dim_zero_cat(self.kept)).reshape(-1, columns)
        return table[:, : columns - self._targets], table[:, columns - self._targets :]


def exact(values: Tensor) -> Tensor:
    """The values in float64 on the CPU: some devices have no float64, others no fixed order of sums."""
    return values.detach().cpu().double()


def _tally(counts: tuple[Tensor, Tensor, Tensor, Tensor]) -> Tally:
    tp, fp, tn, fn = map(exact, counts)
    return Tally(tp=tp, fp=fp, tn=tn, fn=fn)


def _decided(scores: Tensor, threshold: float) -> Tensor:
    """1 where the probability is above the threshold, as predictions have it."""
    return (scores > threshold).long()
