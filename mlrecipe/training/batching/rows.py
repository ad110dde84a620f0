"""Rows into tensors: a whole batch at once from memory-mapped Arrow data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import Dataset
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from mlrecipe.training.batching.fill import Fill

Indices = NDArray[np.int64]
Batch = dict[str, Tensor]


class Rows(TorchDataset[Batch]):
    """Encoded rows that give a whole batch for an array of row numbers."""

    def __init__(
        self,
        rows: Dataset,
        collate: Callable[..., Batch],
        *,
        lengths: Indices,
        width: Callable[[Indices], int] | None = None,
        fill: Fill | None = None,
    ) -> None:
        """Give batches of `rows` as `collate` makes them.

        Args:
            rows: encoded.
            collate: the task's.
            lengths: tokens of each row, shape (rows,).
            width: gives the places to pad to for the lengths of a batch's rows; by default the longest.
            fill: counts tokens and places.
        """
        self._table = Table(rows)
        self._collate = collate
        self._lengths = lengths
        self._width = width
        self._fill = fill

    def __len__(self) -> int:
        return len(self._lengths)

    def __getitem__(self, indices: Indices | Sequence[int]) -> Batch:
        chosen = np.asarray(indices, dtype=np.int64)
        lengths = self._lengths[chosen]
        width = None if self._width is None else self._width(lengths)
        if self._fill is not None:
            self._fill.add(lengths, width=width)
        table = self._table.take(chosen)
        return self._collate(table) if width is None else self._collate(table, width=width)


class Table:
    """The columns of a data set, read where they lie.

    `pyarrow.Table.take` would first copy all of a column's chunks together; here a batch costs the
    same however many rows there are.
    """

    def __init__(self, rows: Dataset) -> None:
        table = rows.data.table
        indices: Any = rows._indices
        self._mapping = None if indices is None else indices.column(0).to_numpy()
        self._schema = table.schema
        self._batches = [batch for batch in table.to_batches() if len(batch)]
        self._starts = np.cumsum([0, *(len(batch) for batch in self._batches)])[:-1]

    def take(self, indices: Indices) -> pa.Table:
        """The rows with these numbers in their order, each column in one piece."""
        if self._mapping is not None:
            indices = self._mapping[indices].astype(np.int64)
        numbers = np.searchsorted(self._starts, indices, side="right") - 1
        places = indices - self._starts[numbers] if len(indices) else indices
        parts = [
            self._batches[number].slice(place, 1)
            for number, place in zip(numbers.tolist(), places.tolist(), strict=True)
        ]
        return pa.Table.from_batches(parts, self._schema).combine_chunks()
