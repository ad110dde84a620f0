"""Metrics of evaluation nodes, as far as they are known before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

_COUNTED = ("rows", "errors", "rate", "decisions", "wrong-share", "mean-error", "largest-error")
_SWEPT = ("f1", "accuracy", "balanced-accuracy", "matthews-corrcoef")

METRICS: Mapping[str, Sequence[str]] = {
    "calibration": ("calibration-error", "maximum-calibration-error", "confidence",
                    "overconfidence", "brier", "negative-log-likelihood"),
    "confident-errors": (*_COUNTED, "mean-confidence", "highest-confidence"),
    "error-clusters": ("rows", "errors", "clusters", "grouped", "largest"),
    "regression-report": ("rows", "pearson-corrcoef", "spearman-corrcoef", "mean-squared-error",
                          "root-mean-squared-error", "mean-absolute-error", "r2-score", "bias"),
    "slices": ("value", "worst", "gap"),
    "threshold-sweep": ("best-threshold", *_SWEPT, *(f"{name}-default" for name in _SWEPT),
                        *(f"{name}-apart" for name in _SWEPT)),
    "worst-mistakes": _COUNTED,
}  # fmt: skip
"""Built-in op → the metrics that it may have, whatever the predictions are of; of several outputs each under
the name of its output. Those of other ops hang on the labels, or on code."""


def known(op: object) -> Sequence[str] | None:
    """The metrics that a node of this op may have; None where they are not known."""
    return METRICS.get(op) if isinstance(op, str) else None


def is_possible(op: object, metric: str) -> bool:
    """Whether a node of this op may have a metric of that name; true where that is not known."""
    names = known(op)
    return names is None or metric.rpartition("/")[2] in names
