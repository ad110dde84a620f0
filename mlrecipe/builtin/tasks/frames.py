"""The intent and the slots of a head: each has labels, scores, targets and metrics of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.wrappers.abstract import WrapperMetric

from mlrecipe.interfaces import Head

Pick = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class OfPart(WrapperMetric):
    """A metric of the intent or of the slots: it sees what is theirs of the scores and targets."""

    def __init__(self, metric: Metric, pick: Pick) -> None:
        """Give the metric what `pick` takes of scores and targets."""
        super().__init__()
        self._metric = metric
        self._pick = pick

    def update(self, scores: Tensor, targets: Tensor) -> None:
        """Count a batch."""
        self._metric.update(*self._pick(scores, targets))

    def compute(self) -> Any:
        """The metric over all batches."""
        return self._metric.compute()

    def reset(self) -> None:
        """Start anew."""
        self._metric.reset()
        super().reset()

    def set_dtype(self, dst_type: str | torch.dtype) -> OfPart:
        """Compute in another type."""
        self._metric.set_dtype(dst_type)
        return self


def parts_of(head: Head) -> Iterator[tuple[Head, Pick]]:
    """The intent and the slots: each one's own head, and what is its own of scores and targets."""
    (intent, intents), (slots, found) = head.outputs.items()
    own = Head(problem_type="single_label_classification", labels=intents, targets=(intent,))
    yield own, lambda scores, targets: (scores[:, 0, 1 : 1 + len(intents)], targets[:, 0])
    own = Head(
        problem_type="token_classification", labels=found, targets=(slots,), scheme=head.scheme,
        decoding=head.decoding, splitting=head.splitting,
    )  # fmt: skip
    yield own, lambda scores, targets: (scores[:, 1:, : 1 + len(found)], targets[:, 1:])
