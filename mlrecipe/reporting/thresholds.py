"""Thresholds: what comes of saying yes above other probabilities, and which of them is best."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.interfaces import Head
from mlrecipe.reporting import tables
from mlrecipe.reporting.decisions import ids_of, table_of
from mlrecipe.reporting.part import Ids, Numbers, divide

Goal = Literal["f1", "accuracy", "balanced-accuracy", "matthews-corrcoef"]
"""What the best threshold is best at."""

ALL = ""
"""The name of all labels together, which share a threshold."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Decisions at thresholds; all arrays have shape (thresholds,)."""

    tp: Ids
    given: Ids
    """Those above the threshold."""

    there: int
    count: int


@dataclass(frozen=True, slots=True)
class Chances:
    """The probabilities of a label, or of all labels, in order."""

    ordered: Numbers
    """From the least, (decisions,)."""

    there_above: Ids
    """How many of those from each place on are there, 0 in the end: (decisions + 1,)."""

    def at(self, thresholds: Numbers) -> Counts:
        """The decisions where a label is given above each threshold."""
        first = np.searchsorted(self.ordered, thresholds, side="right")
        count = len(self.ordered)
        return Counts(
            self.there_above[first], count - first, int(self.there_above[0]), count
        )  # fmt: skip

    def best(self, goal: Goal) -> float:
        """The threshold that is best of all; among equals the nearest to 0.5, and of few digits."""
        values = np.unique(self.ordered)
        below = np.concatenate([[min(0.0, *values[:1])], values])
        above = np.concatenate([values, [max(1.0, *values[-1:])]])
        reached = rates(self.at(below))[goal]
        best = np.flatnonzero(reached >= reached.max() - 1e-12)
        place = best[np.abs(np.clip(0.5, below[best], above[best]) - 0.5).argmin()]
        return _short(float(below[place]), float(above[place]))


def rates(counts: Counts) -> dict[str, Numbers]:
    """What decisions come to at each threshold; each of shape (thresholds,).

    `share` is that of the decisions that are given; `balanced-accuracy` the mean of the shares of those there
    and of those not there that are right.
    """
    tp, given = counts.tp, counts.given
    there, absent = counts.there, counts.count - counts.there
    wrong = given - tp
    right = tp + absent - wrong
    both = counts.count * tp - given * there
    spread = np.sqrt(divide(given * (counts.count - given), 1)) * np.sqrt(there * absent)
    recall = divide(tp, there)
    return {
        "precision": divide(tp, given), "recall": recall,
        "f1": divide(2 * tp, given + there), "accuracy": divide(right, counts.count),
        "balanced-accuracy": (recall + divide(absent - wrong, absent)) / 2,
        "matthews-corrcoef": divide(both, spread), "share": divide(given, counts.count),
    }  # fmt: skip


def chances(table: pa.Table, *, positive: str | None = None) -> dict[str, Chances]:
    """The probabilities of the labels that a threshold decides on; of two the second, or `positive`.

    Where a row may have several labels each of them, and all together under `""`.

    Raises:
        DataError: rows have one of more than two labels, or none has one; there is no such label.
    """
    head = tables.require(table, [tables.ONE, tables.SEVERAL], "a sweep of thresholds")
    known = tables.labelled(table)
    if head.problem_type == tables.ONE:
        label = _positive(head, positive)
        return {label: _ordered(*_of_one(known, head, label))}
    if positive is not None:
        message = "a row may have several labels: each has its thresholds"
        raise DataError(message, key="positive", hint="leave it out")
    scores, flags = _of_several(known, head)
    each = {label: _ordered(scores[:, i], flags[:, i]) for i, label in enumerate(head.labels)}
    return {ALL: _ordered(scores.ravel(), flags.ravel()), **each}


def swept(found: Mapping[str, Chances], thresholds: Numbers) -> pa.Table:
    """A row for each label and threshold, with the rates; all labels together are `(all)`."""
    parts = []
    for label, own in found.items():
        names = pa.array([label or "(all)"] * len(thresholds))
        parts.append(
            pa.table({"label": names, "threshold": thresholds, **rates(own.at(thresholds))})
        )
    return pa.concat_tables(parts)


def reached(own: Chances, threshold: float, goal: Goal) -> float:
    """The value of the goal where a label is given above a threshold."""
    return float(rates(own.at(np.array([threshold])))[goal][0])


def apart(found: Mapping[str, Chances], thresholds: Mapping[str, float], goal: Goal) -> float:
    """The value of the goal over the decisions of all labels, each with its own threshold."""
    each = [own.at(np.array([thresholds[label]])) for label, own in found.items() if label != ALL]
    both = Counts(
        np.sum([c.tp for c in each], axis=0), np.sum([c.given for c in each], axis=0),
        sum(c.there for c in each), sum(c.count for c in each),
    )  # fmt: skip
    return float(rates(both)[goal][0])


def _positive(head: Head, positive: str | None) -> str:
    if len(head.labels) != 2:
        message = f"rows have one of {len(head.labels)} labels: the most probable one is given"
        hint = "thresholds are for two labels, or where a row may have several"
        raise DataError(message, key="inputs", hint=hint)
    if positive is None:
        return head.labels[1]
    if positive not in head.labels:
        hint = did_you_mean(positive, head.labels)
        raise DataError(f"there is no label {positive!r}", key="positive", hint=hint)
    return positive


def _of_one(table: pa.Table, head: Head, label: str) -> tuple[Numbers, NDArray[np.bool_]]:
    place = head.labels.index(label)
    scores, there = [], []
    for batch in tables.batches(table):
        found = tables.scores(batch.column("probabilities"), 2)
        scores.append(found[:, place].astype(np.float64))
        there.append(ids_of(batch.column("label"), head.labels) == place)
    return np.concatenate(scores), np.concatenate(there)


def _of_several(table: pa.Table, head: Head) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    scores, there = [], []
    for batch in tables.batches(table):
        scores.append(tables.scores(batch.column("probabilities"), len(head.labels)))
        there.append(table_of(batch.column("label"), head.labels))
    return np.concatenate(scores), np.concatenate(there)


def _ordered(scores: NDArray[Any], there: NDArray[np.bool_]) -> Chances:
    order = np.argsort(scores, kind="stable")
    above = np.zeros(len(order) + 1, np.int64)
    above[:-1] = there[order][::-1].cumsum()[::-1]
    return Chances(scores[order].astype(np.float64), above)


def _short(low: float, high: float) -> float:
    """The number of fewest digits from `low` on and below `high`, 0.5 before all others."""
    middle = 0.5 if low <= 0.5 < high else (low + high) / 2
    for digits in range(1, 17):
        near = round(middle, digits)
        if low <= near < high:
            return near
    return low
