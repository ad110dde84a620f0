"""Which rows an epoch sees: all of them, or some drawn by weight or by label; seeded, new each epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from datasets import Dataset
from numpy.random import Generator
from numpy.typing import NDArray
from pyarrow import types

from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.interfaces import Classes, Task
from mlrecipe.recipe.schema import TrainSpec

Indices = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Drawing:
    """Row numbers of an epoch, in random order."""

    rows: int
    """How many are drawn, in every epoch the same."""

    draw: Callable[[Generator], Indices]
    """Shape (rows,)."""


def make_drawing(spec: TrainSpec, task: Task, rows: Dataset, raw: Dataset) -> Drawing:
    """What the recipe's `sampling` asks for, given the encoded rows and those they were made from.

    Raises:
        DataError: the column of weights is missing or holds none, or the task knows no classes.
    """
    if spec.sampling == "weighted":
        return weighted(_weights(raw, spec.sampling_weights or "", split=spec.train_split))
    if spec.sampling == "all":
        return everything(len(rows))
    if not isinstance(task, Classes):
        message = (
            f"the task does not say the rows' classes, so sampling cannot be {spec.sampling!r}"
        )
        hint = "give it a method `classes(rows)`, or set `train.sampling` to `all` or `weighted`"
        raise DataError(message, key="train.sampling", hint=hint)
    return _BY_CLASS[spec.sampling](np.asarray(task.classes(rows)))


def everything(rows: int) -> Drawing:
    """Each of so many rows once."""
    return Drawing(rows, lambda random: random.permutation(rows))


def weighted(weights: NDArray[np.float64]) -> Drawing:
    """As many rows as there are, with replacement, each as likely as its weight says."""
    upto = np.cumsum(weights)
    upto /= upto[-1]
    count = len(weights)
    # The last bound is 1, so that no draw lies beyond; a row without weight is never the first above.
    return Drawing(count, lambda random: np.searchsorted(upto, random.random(count), side="right"))


def balanced(classes: Indices) -> Drawing:
    """As many rows as there are, each class equally often; a class's rows all before one comes again.

    What does not divide goes to classes chosen by chance.
    """
    members = _members(classes)
    share, over = divmod(len(classes), len(members))

    def draw(random: Generator) -> Indices:
        lucky = set(random.permutation(len(members))[:over].tolist())
        parts = [
            _cycled(rows, share + (number in lucky), random) for number, rows in enumerate(members)
        ]
        return random.permutation(np.concatenate(parts))

    return Drawing(len(classes), draw)


def undersampled(classes: Indices) -> Drawing:
    """Of each class as many rows as the rarest has, other ones in each epoch."""
    members = _members(classes)
    share = min(len(rows) for rows in members)

    def draw(random: Generator) -> Indices:
        parts = [random.permutation(rows)[:share] for rows in members]
        return random.permutation(np.concatenate(parts))

    return Drawing(share * len(members), draw)


_BY_CLASS: Mapping[str, Callable[[Indices], Drawing]] = {
    "balanced": balanced,
    "undersampled": undersampled,
}


def _members(classes: Indices) -> list[Indices]:
    """The rows of each class that there is."""
    order = np.argsort(classes, kind="stable")
    starts = np.flatnonzero(np.diff(classes[order])) + 1
    return np.split(order, starts)


def _cycled(rows: Indices, count: int, random: Generator) -> Indices:
    """So many of the rows: all of them as often as that fits, then some of them once more."""
    times = -(-count // len(rows))
    return np.concatenate([random.permutation(rows) for _ in range(times)])[:count]


def _weights(rows: Dataset, column: str, *, split: str) -> NDArray[np.float64]:
    if column not in rows.column_names:
        known = ", ".join(rows.column_names)
        message = f"split {split!r} has no column {column!r}; columns: {known}"
        near = did_you_mean(column, rows.column_names)
        hint = near if near.startswith("did") else None
        raise DataError(message, key="train.sampling_weights", hint=hint)
    kind = rows.features.arrow_schema.field(column).type
    if not (types.is_integer(kind) or types.is_floating(kind)):
        message = f"column {column!r} of split {split!r} holds {kind}, not a weight for each row"
        raise DataError(message, key="train.sampling_weights")
    values = rows.with_format("arrow")[column]
    chunked = values if isinstance(values, pa.ChunkedArray) else pa.chunked_array(values[:])
    weights: NDArray[np.float64] = chunked.to_numpy().astype(np.float64)
    bad = np.flatnonzero(~(np.isfinite(weights) & (weights >= 0)))
    if len(bad):
        message = f"row {bad[0]} of split {split!r} has the weight {weights[bad[0]]} in {column!r}"
        hint = "a weight is a finite number of at least 0"
        raise DataError(message, key="train.sampling_weights", hint=hint)
    if not weights.any():
        message = f"every weight in column {column!r} of split {split!r} is 0"
        raise DataError(message, key="train.sampling_weights")
    return weights
