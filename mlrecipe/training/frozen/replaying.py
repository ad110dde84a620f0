"""Replaying: batches with the outputs of the frozen part of a network, and steps that begin above it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics import Metric

from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head, StepOutput, Task, Trunk, Weighing

ROW = "frozen_row"
STATES = "frozen_states"
"""Column of the rows' numbers, and what a batch calls the outputs of the frozen part."""

Indices = NDArray[np.int64]


class FrozenTask:
    """A task whose network is given the outputs of its frozen part, once they are there."""

    def __init__(self, task: Task, trunk: Trunk) -> None:
        self._task = task
        self._trunk = trunk
        self._states: States | None = None
        self._frozen = [t for t in trunk.weights.values() if isinstance(t, nn.Parameter)]

    def give(self, states: States | None) -> None:
        """Use these from the next batch on; None: compute everything."""
        self._states = states

    def head(self, splits: Mapping[str, Dataset]) -> Head:
        """The task's."""
        return self._task.head(splits)

    def encode(self, rows: Dataset, head: Head, *, split: str) -> Dataset:
        """The task's rows, without numbers."""
        return self._task.encode(rows, head, split=split)

    def check(self, module: nn.Module, rows: Dataset, *, split: str) -> None:
        """The task's."""
        self._task.check(module, rows, split=split)

    def lengths(self, rows: Dataset) -> Indices:
        """The task's."""
        return self._task.lengths(rows)

    def loss_items(self, rows: Dataset) -> Indices:
        """The task's; of one whose loss is a mean over rows one of each."""
        if isinstance(self._task, Weighing):
            return self._task.loss_items(rows)
        return np.ones(len(rows), np.int64)

    def meters(self, head: Head) -> Mapping[str, Metric]:
        """The task's."""
        return self._task.meters(head)

    def collate(self, rows: pa.Table, *, width: int | None = None) -> dict[str, Tensor]:
        """The task's batch, with the outputs of the frozen part for its rows."""
        numbers = rows[ROW].to_numpy()
        inner = rows.drop_columns([ROW])
        batch = (
            self._task.collate(inner) if width is None else self._task.collate(inner, width=width)
        )
        if self._states is None:
            return batch
        return {**self._trunk.narrow(batch), STATES: self._states.batch(numbers, width=width)}

    def step(self, module: nn.Module, batch: Mapping[str, Tensor]) -> StepOutput:
        """The task's step, from above the frozen part.

        Raises:
            DataError: a part that was frozen learns.
        """
        given = dict(batch)
        states = given.pop(STATES, None)
        if states is None:
            return self._task.step(module, given)
        if any(parameter.requires_grad for parameter in self._frozen):
            message = "a callback lets layers learn whose outputs are kept"
            raise DataError(message, key="train.cache_frozen", hint="set it to false")
        return self._trunk.replay(states, lambda: self._task.step(module, given))


@dataclass(frozen=True, slots=True)
class Part:
    """The outputs for the rows of one split."""

    values: NDArray[np.float32]
    """(tokens of all rows, size), or (rows, size)."""

    starts: Indices | None
    """Where each row begins, and the last ends; None: one vector for each row."""


class States:
    """The outputs of the frozen part for the rows of all splits, numbered through."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        sizes = [len(p.values) if p.starts is None else len(p.starts) - 1 for p in parts]
        self._first = np.cumsum([0, *sizes])[:-1]

    def batch(self, numbers: Indices, *, width: int | None = None) -> Tensor:
        """Those of some rows of one split, (rows, tokens, size) with zeros behind each row, or (rows, size)."""
        number = int(np.searchsorted(self._first, numbers[0], side="right")) - 1
        part, rows = self._parts[number], numbers - self._first[number]
        if part.starts is None:
            return torch.from_numpy(part.values[rows])
        starts, ends = part.starts[rows], part.starts[rows + 1]
        places = int((ends - starts).max()) if width is None else width
        padded = np.zeros((len(rows), places, part.values.shape[1]), dtype=np.float32)
        for row, start, end in zip(padded, starts.tolist(), ends.tolist(), strict=True):
            row[: end - start] = part.values[start:end]
        return torch.from_numpy(padded)


def numbered(splits: Mapping[str, Dataset]) -> dict[str, Dataset]:
    """The splits with a column of row numbers, which go on from one split to the next."""
    found, first = {}, 0
    for name, rows in splits.items():
        numbers = pa.array(np.arange(first, first + len(rows), dtype=np.int64))
        found[name] = rows.add_column(ROW, numbers)
        first += len(rows)
    return found
