"""Metrics of one output of several, and of all of them together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.wrappers.abstract import WrapperMetric

from mlrecipe.interfaces import Head


class OfOutput(WrapperMetric):
    """A metric of one output: it sees that output's scores and targets."""

    def __init__(self, metric: Metric, places: slice, number: int) -> None:
        """Give the metric what is one output's.

        Args:
            metric: of one label a row.
            places: the output's among the scores.
            number: its column among the targets.
        """
        super().__init__()
        self._metric = metric
        self._places = places
        self._number = number

    def update(self, scores: Tensor, targets: Tensor) -> None:
        """Count a batch."""
        self._metric.update(scores[:, self._places], targets[:, self._number])

    def compute(self) -> Any:
        """The metric over all batches."""
        return self._metric.compute()

    def reset(self) -> None:
        """Start anew."""
        self._metric.reset()
        super().reset()

    def set_dtype(self, dst_type: str | torch.dtype) -> OfOutput:
        """Compute in another type."""
        self._metric.set_dtype(dst_type)
        return self


class MeanOfOutputs(WrapperMetric):
    """The plain mean of the outputs' metrics."""

    def __init__(self, metrics: Sequence[OfOutput]) -> None:
        super().__init__()
        self._metrics = nn.ModuleList(metrics)

    def update(self, scores: Tensor, targets: Tensor) -> None:
        """Count a batch."""
        for metric in self._each():
            metric.update(scores, targets)

    def compute(self) -> Tensor:
        """The mean over all outputs."""
        return torch.stack([metric.compute() for metric in self._each()]).mean()

    def reset(self) -> None:
        """Start anew."""
        for metric in self._each():
            metric.reset()
        super().reset()

    def set_dtype(self, dst_type: str | torch.dtype) -> MeanOfOutputs:
        """Compute in another type."""
        for metric in self._each():
            metric.set_dtype(dst_type)
        return self

    def _each(self) -> Iterator[OfOutput]:
        for metric in self._metrics:
            assert isinstance(metric, OfOutput)
            yield metric


def parts_of(head: Head) -> Iterator[tuple[str, Head, tuple[slice, int]]]:
    """Each output's column, its own head, its places among the scores and its number."""
    places = slices([len(labels) for labels in head.outputs.values()])
    for number, (column, labels) in enumerate(head.outputs.items()):
        own = Head(problem_type="single_label_classification", labels=labels, targets=(column,))
        yield column, own, (places[number], number)


def slices(sizes: Sequence[int]) -> list[slice]:
    """Where each of so many parts lies when they follow each other."""
    ends = list(accumulate(sizes))
    return [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
