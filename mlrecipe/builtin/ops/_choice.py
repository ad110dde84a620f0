"""Choosing rows: the same ones for the same seed, whatever other splits there are."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from mlrecipe.builtin.ops._splits import column

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset
    from numpy.typing import NDArray


def permutation(rows: int, seed: int, split: str) -> NDArray[np.int64]:
    """The numbers below `rows` in random order, shape (rows,); each split has an order of its own."""
    import numpy as np

    generator = np.random.default_rng([seed % 2**64, zlib.crc32(split.encode())])
    return generator.permutation(rows)


def classes(split: Dataset, name: str) -> NDArray[np.int64]:
    """A number for each row, shape (rows,), equal for equal values; a missing value is one of its own.

    Numbers follow the values' first appearance.
    """
    import numpy as np

    codes = column(split, name).combine_chunks().dictionary_encode(null_encoding="encode")
    return np.asarray(codes.indices, dtype=np.int64)


def shares(codes: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """How many of `count` rows each class gets, in proportion to its rows (largest remainders)."""
    import numpy as np

    sizes = np.bincount(codes)
    exact = sizes * count / len(codes)
    given = np.floor(exact).astype(np.int64)
    # Ties go to the class that comes first: stable, and independent of the platform's sort.
    largest = np.argsort(-(exact - given), kind="stable")[: count - given.sum()]
    given[largest] += 1
    return given


def first_of_each(
    order: NDArray[np.int64], codes: NDArray[np.int64], counts: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The rows that come first in `order`, `counts[c]` of class `c` (or all it has), in row order."""
    import numpy as np

    ordered = codes[order]
    picked = [order[ordered == code][:count] for code, count in enumerate(counts)]
    return np.sort(np.concatenate(picked)) if picked else order[:0]
