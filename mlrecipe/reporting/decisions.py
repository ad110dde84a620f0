"""Decisions: of each row what was decided, whether it is right, how surely, and at what loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlrecipe.interfaces import Head
from mlrecipe.reporting import tables
from mlrecipe.reporting.part import Ids, Numbers

Flags = NDArray[np.bool_]

LEAST = float(np.finfo(np.float32).smallest_subnormal)
"""As what a probability of 0 counts: the smallest number above it that the file can hold, 1.4e-45."""


STEP = float(np.finfo(np.float32).epsneg)
"""As what the chance of all else counts beside a probability of 1: what float32 cannot tell from it, 6e-8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """What was decided of some labelled rows; all arrays have shape (decisions,)."""

    rows: Ids
    """The place of its row in the table."""

    about: Ids
    """Which of the row's decisions it is: the label's index where a row may have several, the output's, the
    word's; -1 for an intent, 0 where there is but one."""

    is_right: Flags

    confidence: Numbers
    """The probability of what was decided."""

    loss: Numbers
    """-log of the probability of what is right. Of a wrong tag -log of what the decided one leaves to all
    others, as no other probability is kept: the least that it can be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The labelled rows of a table, in its order; all arrays have shape (rows,)."""

    rows: Ids
    """Their places in the table."""

    decisions: Ids
    """What was decided of each: one label, or each of several, each output, each word with a tag."""

    wrong: Ids
    """How many of these are wrong."""

    loss: Numbers
    """The sum over the decisions: -log of the probability that all are right, were they independent."""

    confidence: Numbers
    """The mean over the decisions."""

    surest: Numbers
    """The confidence of the surest wrong decision; 0 where none is wrong."""

    about: Ids
    """Which decision that is, as in `Decisions`."""


def judge(table: pa.Table) -> Judged:
    """What each labelled row comes to; predictions of labels or tags.

    Args:
        table: predictions, as `predictions.arrow` has them.
    """
    head = tables.head_of(table.schema)
    start, found = 0, []
    for batch in tables.batches(table):
        has_label = np.asarray(batch.column("label").is_valid())
        places = start + np.flatnonzero(has_label)
        start += len(batch)
        if len(places):
            rows = batch if has_label.all() else batch.filter(pa.array(has_label))
            found.append(_judge(list(decisions(rows, head)), places))
    return _joined(found)


def decisions(batch: pa.RecordBatch, head: Head) -> Iterator[Decisions]:
    """The decisions of rows that all have a label; their `rows` are places in the batch."""
    label, prediction = batch.column("label"), batch.column("prediction")
    column = batch.column("probabilities")
    if head.problem_type == tables.TAGS:
        flat = tables.scores(column, 0)
        yield _tagged(label, prediction, flat)
    elif head.problem_type == tables.FRAMES:
        yield from _frames(label, prediction, column, head)
    elif head.problem_type == tables.SEVERAL:
        yield _several(label, prediction, tables.scores(column, len(head.labels)), head)
    elif head.outputs:
        found = tables.scores(column, len(head.labels))
        for number, (name, part) in enumerate(tables.places(head).items()):
            labels = head.outputs[name]
            one = _one(label.field(name), prediction.field(name), found[:, part], labels)
            yield _about(one, number)
    else:
        found = tables.scores(column, len(head.labels))
        yield _one(label, prediction, found, head.labels)


def ids_of(column: pa.Array, labels: tuple[str, ...]) -> Ids:
    """The index of each name among the labels; -1 where there is none."""
    found = pc.fill_null(pc.index_in(column, value_set=pa.array(labels, pa.string())), -1)
    ids: Ids = found.to_numpy(zero_copy_only=False).astype(np.int64)
    return ids


def table_of(column: pa.ListArray, labels: tuple[str, ...]) -> Flags:
    """Whether each row has each label, (rows, labels)."""
    has = np.zeros((len(column), len(labels)), np.bool_)
    has[pc.list_parent_indices(column).to_numpy(), ids_of(column.flatten(), labels)] = True
    return has


def surprise(probability: NDArray[np.floating]) -> Numbers:
    """-log of probabilities, of 0 that of `LEAST`, in float64."""
    found: Numbers = -np.log(np.clip(probability.astype(np.float64), LEAST, 1))
    return found


def against(probability: Numbers) -> Numbers:
    """The probability of all else, at least `STEP`."""
    found: Numbers = np.maximum(1 - probability, STEP)
    return found


def _one(
    label: pa.Array, prediction: pa.Array, found: NDArray[np.float32], labels: tuple[str, ...]
) -> Decisions:
    """Rows without a label, as one of several outputs may have them, are left out."""
    there, given = ids_of(label, labels), ids_of(prediction, labels)
    rows = np.flatnonzero(there >= 0)
    there, given = there[rows], given[rows]
    return Decisions(
        rows=rows, about=np.zeros(len(rows), np.int64), is_right=there == given,
        confidence=found[rows, given].astype(np.float64), loss=surprise(found[rows, there]),
    )  # fmt: skip


def _about(one: Decisions, number: int) -> Decisions:
    return Decisions(
        rows=one.rows, about=np.full(len(one.rows), number), is_right=one.is_right,
        confidence=one.confidence, loss=one.loss,
    )  # fmt: skip


def _several(
    label: pa.Array, prediction: pa.Array, found: NDArray[np.float32], head: Head
) -> Decisions:
    there, given = table_of(label, head.labels), table_of(prediction, head.labels)
    chances = found.astype(np.float64)
    rows, about = np.indices(found.shape)
    return Decisions(
        rows=rows.ravel(), about=about.ravel(), is_right=(there == given).ravel(),
        confidence=np.where(given, chances, 1 - chances).ravel(),
        loss=surprise(np.where(there, chances, against(chances))).ravel(),
    )  # fmt: skip


def _tagged(label: pa.Array, prediction: pa.Array, flat: NDArray[np.float32]) -> Decisions:
    """Words without a tag are left out."""
    there = label.flatten()
    is_there = np.asarray(there.is_valid())
    is_right = np.asarray(pc.fill_null(pc.equal(there, prediction.flatten()), False))
    rows = pc.list_parent_indices(prediction).to_numpy().astype(np.int64)
    about = np.arange(len(rows)) - np.searchsorted(rows, rows)
    chances = flat.astype(np.float64)
    loss = surprise(np.where(is_right, chances, against(chances)))
    return Decisions(
        rows=rows[is_there], about=about[is_there], is_right=is_right[is_there],
        confidence=chances[is_there], loss=loss[is_there],
    )  # fmt: skip


def _frames(
    label: pa.Array, prediction: pa.Array, column: pa.Array, head: Head
) -> Iterator[Decisions]:
    """The intents, then the tags."""
    intent, slots = head.outputs
    flat = tables.scores(column, 0)
    lengths = pc.list_value_length(prediction.field(slots)).to_numpy(zero_copy_only=False)
    firsts = np.cumsum(lengths.astype(np.int64) + 1) - lengths.astype(np.int64) - 1
    is_right = np.asarray(pc.equal(label.field(intent), prediction.field(intent)))
    chances = flat[firsts].astype(np.float64)
    yield Decisions(
        rows=np.arange(len(firsts)), about=np.full(len(firsts), -1), is_right=is_right,
        confidence=chances, loss=surprise(np.where(is_right, chances, against(chances))),
    )  # fmt: skip
    yield _tagged(label.field(slots), prediction.field(slots), np.delete(flat, firsts))


def _judge(found: list[Decisions], places: Ids) -> Judged:
    """The decisions of rows, row by row."""
    rows, about, is_right, confidence, loss = (
        np.concatenate([getattr(each, name) for each in found])
        for name in ("rows", "about", "is_right", "confidence", "loss")
    )
    size = len(places)
    count = np.bincount(rows, minlength=size)
    wrong = np.flatnonzero(~is_right)
    # By row, then by confidence: the last of a row is its surest, among equals the first.
    order = wrong[np.lexsort((-np.arange(len(wrong)), confidence[wrong], rows[wrong]))]
    surest, which = np.zeros(size), np.zeros(size, np.int64)
    surest[rows[order]], which[rows[order]] = confidence[order], about[order]
    return Judged(
        rows=places, decisions=count, wrong=np.bincount(rows[wrong], minlength=size),
        loss=np.bincount(rows, weights=loss, minlength=size).astype(np.float64),
        confidence=np.bincount(rows, weights=confidence, minlength=size) / np.maximum(count, 1),
        surest=surest, about=which,
    )  # fmt: skip


def _joined(found: list[Judged]) -> Judged:
    fields: dict[str, Any] = {
        name: np.concatenate([getattr(each, name) for each in found])
        if found
        else np.zeros(0, np.int64)
        for name in Judged.__slots__
    }
    return Judged(**fields)
