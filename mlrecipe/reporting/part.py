"""A part of a file of predictions, and what an account of all parts is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some rows of predictions."""

    label: pa.Array
    """As `predictions.arrow` has it; null where there is none."""

    prediction: pa.Array

    scores: Numbers
    """Shape (rows, labels); of a number (rows, 1). Where words have tags those of what was decided, row after
    row: (words of all rows,)."""

    rows: Ids = field(default_factory=lambda: np.zeros(0, np.int64))
    """The rows' numbers; only where words have tags."""


class Account(Protocol):
    """Counts parts and says what they come to."""

    def add(self, part: Part) -> None:
        """Count a part."""

    def facts(self) -> dict[str, Any]:
        """What all parts come to, as JSON values."""


def divide(part: Any, whole: Any) -> Numbers:
    """The share in float64, 0 where the whole is 0."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    shares = np.zeros(np.broadcast(part, whole).shape)
    np.divide(part, whole, out=shares, where=whole != 0)
    return shares


def rates(tp: Ids, given: Ids, there: Ids) -> dict[str, Numbers]:
    """Precision, recall and F1 of labels: given rightly, given, and there, each of shape (labels,)."""
    return {
        "precision": divide(tp, given),
        "recall": divide(tp, there),
        "f1": divide(2 * tp, given + there),
    }


def means(found: dict[str, Numbers], weights: Any) -> dict[str, float]:
    """The mean of each rate over the labels, by their weights."""
    total = np.asarray(weights, np.float64).sum()
    return {name: float(divide((values * weights).sum(), total)) for name, values in found.items()}
