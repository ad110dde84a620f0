"""Calibration: whether predictions are right as often as they are sure, by label where rows have several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head
from mlrecipe.reporting import tables
from mlrecipe.reporting.bins import BINS, Calibration, Gaps, equal_mass, equal_width
from mlrecipe.reporting.decisions import against, decisions, ids_of, surprise, table_of
from mlrecipe.reporting.part import Numbers

Binning = Literal["width", "mass"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """How sure and how right the decisions about one thing are."""

    name: str
    """The output, or where a row may have several labels the label; `""` where there is but one thing."""

    gaps: Gaps
    """Bins of confidence; of one of several labels of the probability of having it."""

    confidence: float
    """The mean confidence, or probability."""

    accuracy: float
    """The share that is right, or of rows that have the label."""

    brier: float | None
    """The Brier score (Brier 1950): the mean squared distance of the probabilities from what is there, summed
    over the labels; of two labels, or of a label that a row has or not, of one of the two, which is half the
    sum. None where only the decided label's probability is kept."""

    loss: float | None
    """The mean of -log of the probability of what is right."""


def calibrated(
    table: pa.Table, *, bins: int = BINS, binning: Binning = "width"
) -> list[Calibrated]:
    """The calibration of each output or label, or of the one thing that is decided.

    Args:
        table: predictions of labels or tags.
        bins: of confidence.
        binning: bins of equal `width`, or of equal `mass`, that is as many decisions.

    Raises:
        DataError: predictions of numbers; no row has a label; fewer than one bin.
    """
    kinds = [kind for kind in tables.IN_WORDS if kind != tables.NUMBER]
    head = tables.require(table, kinds, "calibration")
    if bins < 1:
        raise DataError(f"{bins} bins cannot be made", key="bins", hint="it is at least 1")
    known = tables.labelled(table)
    if head.problem_type == tables.SEVERAL:
        return [_of_label(*each, bins, binning) for each in _labels(known, head)]
    found = _decided(known, head)
    return [_of_output(name, parts, bins, binning) for name, parts in found.items()]


def statistics(found: list[Calibrated]) -> dict[str, float]:
    """The numbers of each output under its name, and of labels their means.

    `calibration-error` and `maximum-calibration-error`, the mean and the greatest gap of confidence and
    accuracy (Naeini et al. 2015; Guo et al. 2017), `confidence`, the mean, `overconfidence`, that less the
    accuracy, `brier` and `negative-log-likelihood`.
    """
    each = {one.name: _numbers(one) for one in found}
    if "" in each or not each:
        return each.get("", {})
    return {f"{name}/{key}": value for name, own in each.items() for key, value in own.items()}


def means(found: list[Calibrated]) -> dict[str, float]:
    """The mean of each number over labels, and the greatest gap of all."""
    each = [_numbers(one) for one in found]
    said = {key: float(np.mean([own[key] for own in each])) for key in each[0]}
    return said | {"maximum-calibration-error": max(o["maximum-calibration-error"] for o in each)}


def rows_of(found: list[Calibrated], *, column: str) -> pa.Table:
    """The bins as rows: `low`, `high`, `rows`, `confidence`, `accuracy` and `gap`, accuracy less confidence.

    Where there are several, their names come first, in `column`.
    """
    parts = []
    for one in found:
        gaps = one.gaps
        own: dict[str, Any] = {"low": gaps.low, "high": gaps.high, "rows": gaps.rows,
                               "confidence": gaps.confidence, "accuracy": gaps.accuracy,
                               "gap": gaps.accuracy - gaps.confidence}  # fmt: skip
        if one.name:
            own = {column: [one.name] * len(gaps.rows), **own}
        parts.append(pa.table(own))
    return pa.concat_tables(parts)


def _numbers(one: Calibrated) -> dict[str, float]:
    said = {
        "calibration-error": one.gaps.expected,
        "maximum-calibration-error": one.gaps.greatest,
        "confidence": one.confidence, "overconfidence": one.confidence - one.accuracy,
    }  # fmt: skip
    if one.brier is not None:
        said["brier"] = one.brier
    if one.loss is not None:
        said["negative-log-likelihood"] = one.loss
    return said


@dataclass(slots=True)
class _Sums:
    """What the decisions about one output come to, part by part."""

    is_whole: bool
    """Whether the probabilities of all labels are known; of tags only those of the decided ones are kept."""

    confidence: list[Numbers] = field(default_factory=list)
    is_right: list[NDArray[np.bool_]] = field(default_factory=list)
    brier: float = 0.0
    loss: float = 0.0


def _decided(table: pa.Table, head: Head) -> dict[str, _Sums]:
    """The decisions of each output, or of the one thing, `""`."""
    names = list(head.outputs) or [""]
    is_whole = head.problem_type not in (tables.TAGS, tables.FRAMES)
    found = {name: _Sums(is_whole) for name in names}
    for batch in tables.batches(table):
        for name, own in zip(names, decisions(batch, head), strict=True):
            found[name].confidence.append(own.confidence)
            found[name].is_right.append(own.is_right)
            found[name].loss += float(own.loss.sum())
        if is_whole:
            for name, score in _briers(batch, head):
                found[name].brier += score
    return found


def _of_output(name: str, sums: _Sums, bins: int, binning: Binning) -> Calibrated:
    confidence, is_right = np.concatenate(sums.confidence), np.concatenate(sums.is_right)
    count = max(len(confidence), 1)
    return Calibrated(
        name=name, gaps=_gaps(confidence, is_right, bins, binning),
        confidence=float(confidence.sum() / count), accuracy=float(is_right.sum() / count),
        brier=sums.brier / count if sums.is_whole else None,
        loss=sums.loss / count if sums.is_whole else None,
    )  # fmt: skip


def _of_label(
    name: str, chances: Numbers, there: NDArray[np.bool_], bins: int, binning: Binning
) -> Calibrated:
    loss = surprise(np.where(there, chances, against(chances)))
    return Calibrated(
        name=name, gaps=_gaps(chances, there, bins, binning), confidence=float(chances.mean()),
        accuracy=float(there.mean()), brier=float(np.square(chances - there).mean()),
        loss=float(loss.mean()),
    )  # fmt: skip


def _labels(table: pa.Table, head: Head) -> Iterator[tuple[str, Numbers, NDArray[np.bool_]]]:
    """Each label with its probability and whether it is there, both (rows,)."""
    parts = [
        (tables.scores(batch.column("probabilities"), len(head.labels)),
         table_of(batch.column("label"), head.labels))
        for batch in tables.batches(table)
    ]  # fmt: skip
    for number, label in enumerate(head.labels):
        chances = np.concatenate([scores[:, number] for scores, _ in parts]).astype(np.float64)
        yield label, chances, np.concatenate([there[:, number] for _, there in parts])


def _briers(batch: pa.RecordBatch, head: Head) -> Iterator[tuple[str, float]]:
    """The sum over rows of the squared distances, of each output."""
    found = tables.scores(batch.column("probabilities"), len(head.labels))
    label = batch.column("label")
    outputs = {"": slice(0, len(head.labels))} if not head.outputs else tables.places(head)
    for name, part in outputs.items():
        labels = head.outputs[name] if name else head.labels
        ids = ids_of(label.field(name) if name else label, labels)
        rows = np.flatnonzero(ids >= 0)
        gaps = found[rows, part].astype(np.float64)
        gaps[np.arange(len(rows)), ids[rows]] -= 1
        yield name, float(np.square(gaps).sum()) / (2 if len(labels) == 2 else 1)


def _gaps(confidence: Numbers, is_right: NDArray[np.bool_], bins: int, binning: Binning) -> Gaps:
    edges = equal_width(bins) if binning == "width" else equal_mass(confidence, bins)
    counted = Calibration(edges)
    counted.add(confidence, is_right)
    return counted.gaps()
