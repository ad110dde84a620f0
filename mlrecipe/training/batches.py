"""Batches: which rows each holds, in which order, and rows into tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from datasets import Dataset
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import Sampler

Indices = NDArray[np.int64]
Batch = dict[str, Tensor]

_POOL = 50
"""Batches that are sorted by length together: more fill better and mix worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Which part of every batch this process takes."""

    rank: int = 0
    """Number of this process, from 0."""

    world_size: int = 1
    """Number of processes."""


class TrainBatches(Sampler[Indices]):
    """The row numbers of each batch of an epoch: every row once, as seed and epoch decide.

    All processes draw the same batches of `batch_size * world_size` rows and each takes its share,
    so that together they see every row once and make equally many steps.
    """

    def __init__(
        self,
        lengths: Indices,
        *,
        batch_size: int,
        seed: int,
        bucket: bool = True,
        share: Share | None = None,
    ) -> None:
        """Prepare the batches of rows with the given lengths, shape (rows,).

        Args:
            lengths: tokens of each row.
            batch_size: rows of each process's part of a batch.
            seed: of the order.
            bucket: whether rows of like length are put together.
            share: this process's part; everything by default.
        """
        self._lengths = lengths
        self._seed = seed
        self._bucket = bucket
        self._share = share or Share()
        self._size = batch_size * self._share.world_size
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch, from 0, whose batches are to come; Lightning calls this."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(_cuts(len(self._lengths), self._size, self._share.world_size))

    def __iter__(self) -> Iterator[Indices]:
        random = np.random.default_rng((self._seed, self._epoch))
        rows = random.permutation(len(self._lengths))
        if self._bucket:
            rows = _sort_pools(rows, self._lengths, pool=self._size * _POOL)
        starts = _cuts(len(rows), self._size, self._share.world_size)
        batches = np.split(rows, starts[1:])
        order = random.permutation(len(batches)) if self._bucket else range(len(batches))
        for number in order:
            yield batches[number][self._share.rank :: self._share.world_size]


class FileBatches(Sampler[Indices]):
    """Every row once, in the order of the file."""

    def __init__(self, rows: int, *, batch_size: int) -> None:
        self._rows = rows
        self._size = batch_size

    def __len__(self) -> int:
        return len(range(0, self._rows, self._size))

    def __iter__(self) -> Iterator[Indices]:
        for start in range(0, self._rows, self._size):
            yield np.arange(start, min(start + self._size, self._rows))


class SortedBatches(Sampler[Indices]):
    """Every row of this process's share once, rows of like length together: for validation."""

    def __init__(self, lengths: Indices, *, batch_size: int, share: Share | None = None) -> None:
        share = share or Share()
        self._rows = np.argsort(lengths, kind="stable")[share.rank :: share.world_size]
        self._size = batch_size

    def __len__(self) -> int:
        return len(range(0, len(self._rows), self._size))

    def __iter__(self) -> Iterator[Indices]:
        for start in range(0, len(self._rows), self._size):
            yield self._rows[start : start + self._size]


class Fill:
    """Counts how much of the batches is tokens and how much padding."""

    def __init__(self) -> None:
        self._tokens = 0
        self._places = 0

    def add(self, lengths: Indices) -> None:
        """Count one batch of rows with these lengths."""
        self._tokens += int(lengths.sum())
        self._places += int(lengths.max(initial=0)) * len(lengths)

    @property
    def share(self) -> float:
        """Tokens over places, from 0 to 1; 1 before any batch."""
        return self._tokens / self._places if self._places else 1.0


class Rows(TorchDataset[Batch]):
    """Encoded rows that give a whole batch for an array of row numbers."""

    def __init__(
        self,
        rows: Dataset,
        collate: Callable[[pa.Table], Batch],
        *,
        lengths: Indices,
        fill: Fill | None = None,
    ) -> None:
        self._rows = rows.with_format("arrow")
        self._collate = collate
        self._lengths = lengths
        self._fill = fill

    def __len__(self) -> int:
        return len(self._lengths)

    def __getitem__(self, indices: Indices | Sequence[int]) -> Batch:
        if self._fill is not None:
            self._fill.add(self._lengths[indices])
        return self._collate(self._rows[indices])


def _sort_pools(rows: Indices, lengths: Indices, *, pool: int) -> Indices:
    """Sort each `pool` consecutive rows by length; equal lengths keep their random order."""
    pools = [rows[start : start + pool] for start in range(0, len(rows), pool)]
    return np.concatenate([part[np.argsort(lengths[part], kind="stable")] for part in pools])


def _cuts(rows: int, size: int, world_size: int) -> list[int]:
    """Where batches start; a rest of too few rows for every process joins the batch before."""
    starts = list(range(0, rows, size))
    if len(starts) > 1 and rows - starts[-1] < world_size:
        starts.pop()
    return starts
