"""The row numbers of each batch, as a loader asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Sampler, SequentialSampler

from mlrecipe.training.batching.epochs import Epoch, Order

Indices = NDArray[np.int64]


if TYPE_CHECKING:
    Base = Sampler[Indices]
else:
    # With `overfit_batches` Lightning puts one of this kind in the place of any other.
    Base = SequentialSampler


class TrainBatches(Base):
    """This process's batches of one epoch after another."""

    def __init__(
        self, order: Order, *, rank: int = 0, still: bool = False, items: Indices | None = None
    ) -> None:
        """Take the batches of an order.

        Args:
            order: of all processes.
            rank: number of this process.
            still: whether every epoch is the first one again.
            items: over how many items of each row the loss is a mean, shape (rows,); by default over rows.
        """
        self._items = items
        self.rank = rank
        self._still = still
        self._order = order
        self._epoch = 0
        self._start = 0
        self._planned: tuple[int, Epoch] | None = None

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, whose batches are to come; Lightning calls this."""
        self._epoch = 0 if self._still else epoch

    def start_at(self, batch: int) -> None:
        """Leave out so many batches of the next pass, which were learnt before an interruption."""
        self._start = batch

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[Indices]:
        start, self._start = self._start, 0
        yield from islice(self._plan().batches(self.rank), start, None)

    def rows_of(self, batch: int) -> Indices | None:
        """Numbers of the rows of this process's batch of the epoch."""
        return next(islice(self._plan().batches(self.rank), batch, None), None)

    def weight_of(self, batch: int, *, accumulation: int, batches: int) -> float:
        """By what the loss of a batch of the epoch is multiplied; `batches` are made of the epoch."""
        plan = self._plan()
        return plan.weight(batch, self.rank, accumulation=accumulation, batches=batches)

    def _plan(self) -> Epoch:
        if self._planned is None or self._planned[0] != self._epoch:
            epoch = self._order.epoch(self._epoch)
            self._planned = (self._epoch, epoch if self._items is None else epoch.of(self._items))
        return self._planned[1]


class FileBatches(Base):
    """Every row once, in the order of the file."""

    def __init__(self, rows: int, *, batch_size: int) -> None:
        self._rows = rows
        self._size = batch_size

    def __len__(self) -> int:
        return len(range(0, self._rows, self._size))

    def __iter__(self) -> Iterator[Indices]:
        for start in range(0, self._rows, self._size):
            yield np.arange(start, min(start + self._size, self._rows))


class SortedBatches(Base):
    """Every row once, rows of like length together: for validation."""

    def __init__(self, lengths: Indices, *, batch_size: int) -> None:
        self._rows = np.argsort(lengths, kind="stable")
        self._size = batch_size

    def __len__(self) -> int:
        return len(range(0, len(self._rows), self._size))

    def __iter__(self) -> Iterator[Indices]:
        yield from (self.rows(step) for step in range(len(self)))

    def rows(self, step: int) -> Indices:
        """Numbers of the rows of a batch."""
        return self._rows[step * self._size : (step + 1) * self._size]
