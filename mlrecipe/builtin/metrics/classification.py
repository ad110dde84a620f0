"""Metrics of single-label classification.

Each takes probabilities of shape (rows, labels) and label ids of shape (rows,). With two labels,
precision, recall, F1 and average precision are those of the second label, as in scikit-learn's
defaults; with more they are the plain mean over labels (macro).
"""

from __future__ import annotations

from typing import cast

from torchmetrics import Metric
from torchmetrics import classification as tm

from mlrecipe import metric
from mlrecipe.interfaces import Head


@metric("accuracy")
def accuracy(head: Head) -> Metric:
    """Share of rows whose most probable label is the right one."""
    return tm.MulticlassAccuracy(len(head.labels), average="micro")


@metric("balanced-accuracy")
def balanced_accuracy(head: Head) -> Metric:
    """Mean over the labels of the share of their rows that are found (macro recall)."""
    return tm.MulticlassAccuracy(len(head.labels), average="macro")


@metric("precision")
def precision(head: Head) -> Metric:
    """Share of the rows given a label that have it.

    Of the second of two labels; with more labels the plain mean over them.
    """
    return _of_second(head, tm.MulticlassPrecision)


@metric("recall")
def recall(head: Head) -> Metric:
    """Share of a label's rows that are found.

    Of the second of two labels; with more labels the plain mean over them.
    """
    return _of_second(head, tm.MulticlassRecall)


@metric("f1")
def f1(head: Head) -> Metric:
    """Harmonic mean of precision and recall.

    Of the second of two labels; with more labels the plain mean over them.
    """
    return _of_second(head, tm.MulticlassF1Score)


@metric("f1-macro")
def f1_macro(head: Head) -> Metric:
    """Plain mean of the labels' F1."""
    return tm.MulticlassF1Score(len(head.labels), average="macro")


@metric("f1-micro")
def f1_micro(head: Head) -> Metric:
    """F1 of all decisions together; with one label a row it equals accuracy."""
    return tm.MulticlassF1Score(len(head.labels), average="micro")


@metric("f1-weighted")
def f1_weighted(head: Head) -> Metric:
    """Mean of the labels' F1, each weighted by its number of rows."""
    return tm.MulticlassF1Score(len(head.labels), average="weighted")


@metric("auroc")
def auroc(head: Head) -> Metric:
    """Area under the ROC curve; with more than two labels the mean over one against the rest."""
    return tm.MulticlassAUROC(len(head.labels), average="macro")


@metric("average-precision")
def average_precision(head: Head) -> Metric:
    """Area under the precision-recall curve.

    Of the second of two labels; with more labels the plain mean over them.
    """
    return _of_second(head, tm.MulticlassAveragePrecision)


@metric("matthews-corrcoef")
def matthews_corrcoef(head: Head) -> Metric:
    """Matthews correlation of predictions and targets, from -1 to 1; 0 for guessing."""
    return tm.MulticlassMatthewsCorrCoef(len(head.labels))


@metric("cohen-kappa")
def cohen_kappa(head: Head) -> Metric:
    """Cohen's kappa: agreement with the targets beyond chance, at most 1."""
    return tm.MulticlassCohenKappa(len(head.labels))


@metric("calibration-error")
def calibration_error(head: Head) -> Metric:
    """Mean gap of confidence and accuracy over 15 bins of confidence; smaller is better."""
    return tm.MulticlassCalibrationError(len(head.labels), n_bins=15, norm="l1")


def _of_second(head: Head, kind: type[Metric]) -> Metric:
    if len(head.labels) > 2:
        return kind(num_classes=len(head.labels), average="macro")
    return cast(Metric, kind(num_classes=2, average="none")[1])
