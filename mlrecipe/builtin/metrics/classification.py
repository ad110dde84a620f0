"""Metrics of classification.

Where each row has one label they take probabilities of shape (rows, labels) and label ids of shape
(rows,). With two labels, precision, recall, F1 and their like are those of the second label, as in
scikit-learn's defaults; with more they are the plain mean over the labels (macro).

Where a row may have several labels they take probabilities and 0 or 1, both of shape (rows, labels); each
label is a decision of its own, and the plain mean over the labels is taken, as torchmetrics does.

Where words have tags each word counts as a row does; see `mlrecipe.builtin.metrics.tags`.
"""

from __future__ import annotations

from functools import partial

from torchmetrics import Metric

from mlrecipe import metric
from mlrecipe.builtin.metrics import formulas
from mlrecipe.builtin.metrics.fitting import FRAMES, MULTI, TAGS, require
from mlrecipe.builtin.metrics.states import Counts, ExactMatches, Kept, LabelCounts, OfTally
from mlrecipe.builtin.metrics.tags import RowMatches, WordCounts
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head


@metric("accuracy")
def accuracy(head: Head) -> Metric:
    """Share of rows whose most probable label is the right one, or of words whose tag is.

    Where a row may have several labels, the share of all decisions, label by label, that are right; for
    the share of rows in which all are, take `exact-match`.
    """
    require(head, "accuracy")
    if head.problem_type == MULTI:
        return _of_labels(head, partial(formulas.over_labels, formulas.correct))
    if head.problem_type == TAGS:
        return _counted(head, partial(formulas.micro, formulas.recall))
    return Counts(len(head.labels), partial(formulas.micro, formulas.recall), average="micro")


@metric("exact-match")
def exact_match(head: Head) -> Metric:
    """Share of rows that are said to have just the labels that they have (subset accuracy).

    Where words have tags, of rows in which all tags are right, and the intent where there is one.
    """
    require(head, "exact-match")
    if head.problem_type in (TAGS, FRAMES):
        return RowMatches()
    return ExactMatches(len(head.labels), threshold=head.threshold)


@metric("hamming-distance")
def hamming_distance(head: Head) -> Metric:
    """Share of rows or words, or of all labels' decisions where a row may have several, that are wrong."""
    require(head, "hamming-distance")
    if head.problem_type == MULTI:
        return _of_labels(head, partial(formulas.over_labels, formulas.mistaken))
    return _counted(head, formulas.missed)


@metric("balanced-accuracy")
def balanced_accuracy(head: Head) -> Metric:
    """Mean over the labels that are there of the share of their rows that are found."""
    require(head, "balanced-accuracy")
    return _counted(head, partial(formulas.there, formulas.recall))


@metric("top-3-accuracy")
def top_3_accuracy(head: Head) -> Metric:
    """Share of rows with the right label among the three most probable ones."""
    return _top(head, 3)


@metric("top-5-accuracy")
def top_5_accuracy(head: Head) -> Metric:
    """Share of rows with the right label among the five most probable ones."""
    return _top(head, 5)


@metric("precision")
def precision(head: Head) -> Metric:
    """Share of the rows given a label that have it.

    Of the second of two labels; with more labels the plain mean over them.
    """
    return _of_second(head, "precision", formulas.precision)


@metric("precision-macro")
def precision_macro(head: Head) -> Metric:
    """Plain mean of the labels' precision."""
    return _mean(head, "precision-macro", formulas.precision)


@metric("precision-micro")
def precision_micro(head: Head) -> Metric:
    """Precision of all decisions together; with one label a row it equals accuracy."""
    return _micro(head, "precision-micro", formulas.precision)


@metric("recall")
def recall(head: Head) -> Metric:
    """Share of a label's rows that are found.

    Of the second of two labels; with more labels the plain mean over them.
    """
    return _of_second(head, "recall", formulas.recall)


@metric("recall-macro")
def recall_macro(head: Head) -> Metric:
    """Plain mean of the labels' recall."""
    return _mean(head, "recall-macro", formulas.recall)


@metric("recall-micro")
def recall_micro(head: Head) -> Metric:
    """Recall of all decisions together; with one label a row it equals accuracy."""
    return _micro(head, "recall-micro", formulas.recall)


@metric("specificity")
def specificity(head: Head) -> Metric:
    """Share of the rows without a label that are not given it.

    Of the second of two labels; with more labels the plain mean over them.
    """
    return _of_second(head, "specificity", formulas.specificity)


@metric("negative-predictive-value")
def negative_predictive_value(head: Head) -> Metric:
    """Share of the rows not given a label that do not have it.

    Of the second of two labels; with more labels the plain mean over them.
    """
    return _of_second(head, "negative-predictive-value", formulas.negative_predictive_value)


@metric("jaccard-index")
def jaccard_index(head: Head) -> Metric:
    """Rows rightly given a label, as a share of those that are given it or have it.

    Of the second of two labels; with more labels the plain mean over them.
    """
    return _of_second(head, "jaccard-index", formulas.jaccard)


@metric("f1")
def f1(head: Head) -> Metric:
    """Harmonic mean of precision and recall.

    Of the second of two labels; with more labels the plain mean over them.
    """
    return _of_second(head, "f1", formulas.f1)


@metric("f1-macro")
def f1_macro(head: Head) -> Metric:
    """Plain mean of the labels' F1."""
    return _mean(head, "f1-macro", formulas.f1)


@metric("f1-micro")
def f1_micro(head: Head) -> Metric:
    """F1 of all decisions together; with one label a row it equals accuracy."""
    return _micro(head, "f1-micro", formulas.f1)


@metric("f1-weighted")
def f1_weighted(head: Head) -> Metric:
    """Mean of the labels' F1, each weighted by its number of rows."""
    require(head, "f1-weighted")
    return _counted(head, partial(formulas.weighted, formulas.f1))


@metric("auroc")
def auroc(head: Head) -> Metric:
    """Area under the ROC curve, 0.5 for guessing.

    Of the second of two labels; with more labels the plain mean over each against the rest, as far as some
    rows have it and some have not.
    """
    return _ordered(head, "auroc", formulas.auroc)


@metric("average-precision")
def average_precision(head: Head) -> Metric:
    """Area under the precision-recall curve.

    Of the second of two labels; with more labels the plain mean over each against the rest, as far as some
    rows have it and some have not.
    """
    return _ordered(head, "average-precision", formulas.average_precision)


@metric("matthews-corrcoef")
def matthews_corrcoef(head: Head) -> Metric:
    """Matthews correlation of predictions and targets, from -1 to 1; 0 for guessing.

    Where a row may have several labels, of the decisions over all labels together.
    """
    require(head, "matthews-corrcoef")
    if head.problem_type == MULTI:
        return _of_labels(head, formulas.matthews_of_decisions)
    return _counted(head, formulas.matthews)


@metric("cohen-kappa")
def cohen_kappa(head: Head) -> Metric:
    """Cohen's kappa: agreement with the targets beyond chance, at most 1."""
    require(head, "cohen-kappa")
    return _counted(head, formulas.kappa)


@metric("calibration-error")
def calibration_error(head: Head) -> Metric:
    """Mean gap of confidence and accuracy over 15 bins of confidence; smaller is better."""
    require(head, "calibration-error")
    return Kept(formulas.calibration_error)


def _of_second(head: Head, name: str, rate: OfTally) -> Metric:
    require(head, name)
    if head.problem_type != MULTI and len(head.labels) == 2:
        return Counts(2, partial(formulas.second, rate))
    return _mean(head, name, rate)


def _mean(head: Head, name: str, rate: OfTally) -> Metric:
    """The plain mean over the labels: those that were given or are there, else, of several a row, all."""
    require(head, name)
    average = formulas.over_labels if head.problem_type == MULTI else formulas.macro
    return _counted(head, partial(average, rate))


def _micro(head: Head, name: str, rate: OfTally) -> Metric:
    require(head, name)
    return _counted(head, partial(formulas.micro, rate))


def _counted(head: Head, formula: OfTally) -> Metric:
    if head.problem_type == MULTI:
        return _of_labels(head, formula)
    counts = WordCounts if head.problem_type == TAGS else Counts
    return counts(len(head.labels), formula)


def _of_labels(head: Head, formula: OfTally) -> Metric:
    return LabelCounts(len(head.labels), formula, threshold=head.threshold)


def _ordered(head: Head, name: str, rate: formulas.Ordered) -> Metric:
    require(head, name)
    if head.problem_type == MULTI:
        return Kept(partial(formulas.each_label, rate), targets=len(head.labels))
    return Kept(partial(formulas.one_label_each, rate))


def _top(head: Head, k: int) -> Metric:
    name = f"top-{k}-accuracy"
    require(head, name)
    if len(head.labels) <= k:
        message = f"{name!r} is always 1: there are only {len(head.labels)} labels"
        raise DataError(message, key="metrics", hint="take `accuracy`")
    return Counts(len(head.labels), partial(formulas.micro, formulas.recall), top_k=k)
