"""Metrics of spans: what tags of words mark, such as names in a text.

A span is right where its words and its label are just those of one that is there; tags that are not legal in
their scheme mark none. So seqeval counts in its strict mode, and where all tags are legal conlleval too.
"""

from __future__ import annotations

from functools import partial

from torchmetrics import Metric

from mlrecipe import metric
from mlrecipe.builtin.metrics import formulas
from mlrecipe.builtin.metrics.fitting import require
from mlrecipe.builtin.metrics.states import OfTally
from mlrecipe.builtin.metrics.tags import SpanCounts
from mlrecipe.interfaces import Head


@metric("span-precision")
def span_precision(head: Head) -> Metric:
    """Share of the spans predicted that are there."""
    return _micro(head, "span-precision", formulas.precision)


@metric("span-recall")
def span_recall(head: Head) -> Metric:
    """Share of the spans that are there which are predicted."""
    return _micro(head, "span-recall", formulas.recall)


@metric("span-f1")
def span_f1(head: Head) -> Metric:
    """Harmonic mean of the precision and the recall of spans: what is meant by F1 of names or chunks."""
    return _micro(head, "span-f1", formulas.f1)


@metric("span-precision-macro")
def span_precision_macro(head: Head) -> Metric:
    """Plain mean of the precision of each label's spans."""
    return _macro(head, "span-precision-macro", formulas.precision)


@metric("span-recall-macro")
def span_recall_macro(head: Head) -> Metric:
    """Plain mean of the recall of each label's spans."""
    return _macro(head, "span-recall-macro", formulas.recall)


@metric("span-f1-macro")
def span_f1_macro(head: Head) -> Metric:
    """Plain mean of the F1 of each label's spans."""
    return _macro(head, "span-f1-macro", formulas.f1)


def _micro(head: Head, name: str, rate: OfTally) -> Metric:
    require(head, name)
    return SpanCounts(head, partial(formulas.micro, rate))


def _macro(head: Head, name: str, rate: OfTally) -> Metric:
    """Over the labels that are there or predicted."""
    require(head, name)
    return SpanCounts(head, partial(formulas.macro, rate))
