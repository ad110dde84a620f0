"""From Arrow columns to tensors, without a Python loop over rows or tokens."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor


def lengths(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """The length of each list of the column, shape (rows,); a missing list has length 0."""
    counts = pc.fill_null(pc.list_value_length(column), 0)
    return np.asarray(counts.to_numpy(), dtype=np.int64)


def pad(column: pa.ChunkedArray, *, value: int = 0) -> Tensor:
    """Right-pad lists of integers to the longest.

    The result is int64 of shape (rows, longest).
    """
    counts = lengths(column)
    width = int(counts.max(initial=0))
    padded = np.full((len(counts), width), value, dtype=np.int64)
    padded[np.arange(width) < counts[:, None]] = _values(column)
    return torch.from_numpy(padded)


def mask(column: pa.ChunkedArray) -> Tensor:
    """1 where `pad` puts a value of the column and 0 where it fills up; int64, (rows, longest)."""
    counts = lengths(column)
    width = int(counts.max(initial=0))
    return torch.from_numpy((np.arange(width) < counts[:, None]).astype(np.int64))


def integers(column: pa.ChunkedArray) -> Tensor:
    """A column of integers as int64, shape (rows,)."""
    return torch.from_numpy(column.to_numpy().astype(np.int64))


def _values(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """The lists' values, end to end."""
    values = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return np.concatenate(values) if values else np.zeros(0, dtype=np.int64)
