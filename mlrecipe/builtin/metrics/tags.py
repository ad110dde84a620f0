"""What metrics keep of rows whose words have tags.

They take what is decided on, the first of the scores' last dimension, and the right ids, both of shape
(rows, words); where these are below 0 a row has no such word, and nothing is counted.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from mlrecipe.builtin.metrics.states import Counts, OfTally, Tally, exact
from mlrecipe.interfaces import Head
from mlrecipe.tagging.arrays import Decoder


class WordCounts(Counts):
    """Counts the tag of each word against the right one."""

    def update(self, scores: Tensor, targets: Tensor) -> None:
        """Count rows: scores of shape (rows, words, 1 + labels), and ids of tags, (rows, words)."""
        is_word = targets >= 0
        if is_word.any():
            super().update(scores[..., 0][is_word].long(), targets[is_word])


class RowMatches(Metric):
    """Counts the rows in which all is right."""

    full_state_update = False
    matched: Tensor
    rows: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("matched", "rows"):
            self.add_state(name, default=torch.tensor(0), dist_reduce_fx="sum")

    def update(self, scores: Tensor, targets: Tensor) -> None:
        """Count rows: scores of shape (rows, words, 1 + labels), and ids of tags, (rows, words)."""
        is_right = (scores[..., 0].long() == targets) | (targets < 0)
        self.matched += is_right.all(dim=1).sum()
        self.rows += len(targets)

    def compute(self) -> Tensor:
        """Their share."""
        return exact(self.matched) / exact(self.rows).clamp(min=1)


class SpanCounts(Metric):
    """Counts the spans of each label: those that are there, those predicted, and those predicted rightly."""

    full_state_update = False
    right: Tensor
    predicted: Tensor
    gold: Tensor

    def __init__(self, head: Head, formula: OfTally) -> None:
        """`formula` makes the value of what was counted.

        Raises:
            DataError: the head's scheme of tags is none.
        """
        super().__init__()
        self._decoder = Decoder(head.labels, head.scheme)
        self._formula = formula
        for name in ("right", "predicted", "gold"):
            none = torch.zeros(len(self._decoder.labels), dtype=torch.int64)
            self.add_state(name, default=none, dist_reduce_fx="sum")

    def update(self, scores: Tensor, targets: Tensor) -> None:
        """Count rows: scores of shape (rows, words, 1 + labels), and ids of tags, (rows, words)."""
        found = self._decoder.count(_ids(scores[..., 0]), _ids(targets))
        self.right += self._counts(found.right)
        self.predicted += self._counts(found.predicted)
        self.gold += self._counts(found.gold)

    def compute(self) -> Tensor:
        """The value of all rows so far."""
        right, predicted, gold = map(exact, (self.right, self.predicted, self.gold))
        none = torch.zeros_like(right)
        return self._formula(Tally(tp=right, fp=predicted - right, tn=none, fn=gold - right))

    def _counts(self, counted: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(counted).to(self.gold.device)


def _ids(values: Tensor) -> NDArray[np.int64]:
    found: NDArray[np.int64] = values.detach().long().cpu().numpy()
    return found
