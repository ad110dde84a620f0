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


def pad(column: pa.ChunkedArray, *, value: int = 0, width: int | None = None) -> Tensor:
    """Right-pad lists of integers to `width`, or else to the longest.

    The result is int64 of shape (rows, width).
    """
    filled = _is_filled(lengths(column), width)
    padded = np.full(filled.shape, value, dtype=np.int64)
    padded[filled] = _values(column)
    return torch.from_numpy(padded)


def mask(column: pa.ChunkedArray, *, width: int | None = None) -> Tensor:
    """1 where `pad` puts a value of the column and 0 where it fills up; int64, (rows, width)."""
    return torch.from_numpy(_is_filled(lengths(column), width).astype(np.int64))


def to_numpy(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """A column of integers, shape (rows,)."""
    return np.asarray(column.to_numpy().astype(np.int64))


def _is_filled(counts: NDArray[np.int64], width: int | None) -> NDArray[np.bool_]:
    """Where a place holds a value, shape (rows, width)."""
    places = int(counts.max(initial=0)) if width is None else width
    return np.arange(places) < counts[:, None]


def _values(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """The lists' values, end to end."""
    values = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in column.chunks]
    return np.concatenate(values) if values else np.zeros(0, dtype=np.int64)
