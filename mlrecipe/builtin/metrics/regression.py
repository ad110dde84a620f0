"""Metrics of regression: each takes predicted numbers and right ones, both of shape (rows,) or (rows, 1)."""

from __future__ import annotations

from torch import Tensor
from torchmetrics import Metric

from mlrecipe import events, metric
from mlrecipe.builtin.metrics import formulas
from mlrecipe.builtin.metrics.fitting import require
from mlrecipe.builtin.metrics.states import Kept, OfRows
from mlrecipe.interfaces import Head


@metric("pearson-corrcoef")
def pearson_corrcoef(head: Head) -> Metric:
    """Pearson's correlation of predictions and targets, from -1 to 1; 0 where either never changes."""
    return _correlation(head, "pearson-corrcoef", formulas.pearson)


@metric("spearman-corrcoef")
def spearman_corrcoef(head: Head) -> Metric:
    """Pearson's correlation of their ranks, equal numbers sharing one; 0 where either never changes."""
    return _correlation(head, "spearman-corrcoef", formulas.spearman)


@metric("mean-squared-error")
def mean_squared_error(head: Head) -> Metric:
    """Mean of the squared differences."""
    return _of_rows(head, "mean-squared-error", formulas.mean_squared_error)


@metric("root-mean-squared-error")
def root_mean_squared_error(head: Head) -> Metric:
    """Root of the mean of the squared differences, in the unit of the targets."""
    return _of_rows(head, "root-mean-squared-error", formulas.root_mean_squared_error)


@metric("mean-absolute-error")
def mean_absolute_error(head: Head) -> Metric:
    """Mean of the differences without their sign."""
    return _of_rows(head, "mean-absolute-error", formulas.mean_absolute_error)


@metric("r2-score")
def r2_score(head: Head) -> Metric:
    """Share of the targets' variance that is explained, at most 1; 0 for saying always their mean.

    Where all targets are the same number 1 if all are met, else 0; 0 for a single row.
    """
    return _of_rows(head, "r2-score", formulas.r2)


@metric("explained-variance")
def explained_variance(head: Head) -> Metric:
    """As `r2-score`, but a difference that is the same in all rows does not count."""
    return _of_rows(head, "explained-variance", formulas.explained_variance)


class _Correlation(Kept):
    """A correlation, which says once why it is 0 where it is not defined."""

    def __init__(self, name: str, formula: OfRows) -> None:
        super().__init__(formula)
        self._name = name
        self._has_said = False

    def compute(self) -> Tensor:
        """The value of all rows so far."""
        scores, targets = self.table()
        if not self._has_said:
            self._say(scores, targets)
        return self._formula(scores, targets)

    def _say(self, scores: Tensor, targets: Tensor) -> None:
        sides = {"predictions": scores, "targets": targets}
        for what, values in sides.items():
            if formulas.is_constant(values):
                self._has_said = True
                text = f"all {len(values):,} {what} are {float(values[0]):.6g}: {self._name} is given as 0"
                events.emit(events.Note(text, "warning"))
                return


def _correlation(head: Head, name: str, formula: OfRows) -> Metric:
    require(head, name)
    return _Correlation(name, formula)


def _of_rows(head: Head, name: str, formula: OfRows) -> Metric:
    require(head, name)
    return Kept(formula)
