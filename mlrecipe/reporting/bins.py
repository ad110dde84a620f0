"""Bins of confidence: how it agrees with the share that is right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlrecipe.reporting.part import Ids, Numbers, divide

BINS = 15
"""Bins of confidence of the calibration error."""


def equal_width(bins: int = BINS) -> Numbers:
    """The edges of bins of equal width, 0 and 1 among them, (bins + 1,)."""
    return np.linspace(0, 1, bins + 1)


def equal_mass(confidence: Numbers, bins: int = BINS) -> Numbers:
    """The edges of bins of as many decisions each as equal confidences allow, 0 and 1 among them.

    There are fewer bins where many confidences are equal.
    """
    places = np.arange(1, bins) * len(confidence) // bins
    inner = np.sort(confidence)[places] if len(confidence) else np.zeros(0)
    return np.unique(np.concatenate([[0.0], inner, [1.0]]))


@dataclass(frozen=True, slots=True)
class Gaps:
    """Bins of confidence; all arrays have shape (bins,), those of bins without decisions left out."""

    low: Numbers
    high: Numbers
    rows: Ids
    """Decisions in the bin."""

    confidence: Numbers
    """Their mean confidence."""

    accuracy: Numbers
    """The share of them that is right."""

    @property
    def expected(self) -> float:
        """The expected calibration error: the mean gap, by decisions (Naeini et al. 2015)."""
        return float(divide((self._gaps * self.rows).sum(), self.rows.sum()))

    @property
    def greatest(self) -> float:
        """The maximum calibration error: the largest gap of a bin (Naeini et al. 2015)."""
        return float(self._gaps.max(initial=0))

    @property
    def _gaps(self) -> Numbers:
        gaps: Numbers = np.abs(self.accuracy - self.confidence)
        return gaps


class Calibration:
    """Counts confidence and what is right, bin by bin.

    A confidence on an edge belongs to the bin above it.
    """

    def __init__(self, edges: Numbers | None = None) -> None:
        self._edges = equal_width() if edges is None else edges
        bins = len(self._edges) - 1
        self._rows = np.zeros(bins, np.int64)
        self._confidence = np.zeros(bins)
        self._right = np.zeros(bins, np.int64)

    def add(self, confidence: Numbers, is_right: Any) -> None:
        """Count decisions."""
        bins = len(self._rows)
        place = np.searchsorted(self._edges[1:-1], confidence, side="right")
        self._rows += np.bincount(place, minlength=bins)
        self._confidence += np.bincount(place, weights=confidence, minlength=bins)
        self._right += np.bincount(place, weights=is_right, minlength=bins).astype(np.int64)

    def gaps(self) -> Gaps:
        """The bins that have any decisions."""
        there = self._rows > 0
        rows = self._rows[there]
        return Gaps(
            low=self._edges[:-1][there], high=self._edges[1:][there], rows=rows,
            confidence=self._confidence[there] / rows, accuracy=self._right[there] / rows,
        )  # fmt: skip

    def facts(self) -> dict[str, Any]:
        """The expected error, and bins that have any."""
        found = self.gaps()
        gaps = np.abs(self._right - self._confidence).sum()
        bins = [
            {"from": float(low), "to": float(high), "rows": int(rows),
             "confidence": float(confidence), "accuracy": float(accuracy)}
            for low, high, rows, confidence, accuracy in zip(
                found.low, found.high, found.rows, found.confidence, found.accuracy, strict=True
            )
        ]  # fmt: skip
        return {"error": float(divide(gaps, self._rows.sum())), "bins": bins}
