"""The report of predicted numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa

from mlrecipe.reporting.part import Numbers, Part


class Number:
    """Keeps targets and predictions, as their order is asked for."""

    def __init__(self) -> None:
        self._targets: list[Numbers] = []
        self._predictions: list[Numbers] = []
        self._labelled: list[Any] = []

    def add(self, part: Part) -> None:
        """Keep a part."""
        self._labelled.append(np.asarray(part.label.is_valid()))
        self._targets.append(_numbers(part.label))
        self._predictions.append(_numbers(part.prediction))

    def facts(self) -> dict[str, Any]:
        """Correlations and errors, and the range of both; null for what is no finite number."""
        known = _joined(self._labelled).astype(np.bool_)
        targets, predictions = _joined(self._targets)[known], _joined(self._predictions)
        said: dict[str, Any] = {
            "kind": "regression", "rows": len(known), "labelled": len(targets),
            "predictions": _range(predictions),
        }  # fmt: skip
        if not len(targets):
            return said
        given = predictions[known]
        gaps = given - targets
        found = {
            "pearson": pearson(given, targets),
            "spearman": pearson(ranks(given), ranks(targets)),
            "mean_squared_error": float(np.square(gaps).mean()),
            "mean_absolute_error": float(np.abs(gaps).mean()),
            "r2": r2(gaps, targets),
        }
        return said | {name: _finite(value) for name, value in found.items()} | {
            "targets": _range(targets)
        }  # fmt: skip


def pearson(first: Numbers, second: Numbers) -> float:
    """Pearson's correlation; 0 where either is the same in all rows."""
    if (first == first[0]).all() or (second == second[0]).all():
        return 0.0
    ours, theirs = first - first.mean(), second - second.mean()
    product = (ours / np.linalg.norm(ours)) @ (theirs / np.linalg.norm(theirs))
    return float(np.clip(product, -1, 1))


def ranks(values: Numbers) -> Numbers:
    """Ranks from 1 on; equal values share the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    ranked: Numbers = (count.cumsum() - (count - 1) / 2)[place]
    return ranked


def r2(gaps: Numbers, targets: Numbers) -> float:
    """The explained share of the targets' variance; of targets all the same 1 where all are met, else 0."""
    left = float(np.square(gaps).sum())
    if (targets == targets[0]).all():
        return float(left == 0 and len(targets) > 1)
    return 1 - left / float(np.square(targets - targets.mean()).sum())


def _numbers(column: pa.Array) -> Numbers:
    values: Numbers = column.to_numpy(zero_copy_only=False).astype(np.float64)
    return values


def _joined(parts: list[Any]) -> Any:
    return np.concatenate(parts) if parts else np.empty(0)


def _range(values: Numbers) -> dict[str, float | None]:
    if not len(values):
        return {}
    found = {"min": values.min(), "mean": values.mean(), "max": values.max()}
    return {name: _finite(float(value)) for name, value in found.items()}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
