"""The op `split`: new splits out of the rows of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlrecipe
from mlrecipe.builtin.ops import _choice, _splits
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Column, Split

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from datasets import Dataset, DatasetDict
    from numpy.typing import NDArray

    from mlrecipe.builtin.ops._splits import Data


@mlrecipe.op("split")
def split(
    data: Data,
    *,
    source: Split = "train",
    target: str = "valid",
    size: int | float | None = None,
    sizes: dict[str, int | float] | None = None,
    stratify: Column | None = None,
    shuffle: bool = True,
    seed: int = 0,
) -> DatasetDict:
    """Move some rows of one split into a new one.

    No row is in two splits, and rows keep their order. Data without splits becomes the split
    `source` and the new ones.

    Args:
        data: a data set, with splits or without.
        source: split to take the rows from.
        target: name of the new split.
        size: rows of the new split: a number of rows, or a fraction such as 0.1.
        sizes: several new splits at once, instead of `target` and `size`, such as
            `{ valid = 0.1, test = 0.1 }`; fractions are of all rows of the source.
        stratify: column whose values get the same share in every part.
        shuffle: whether to choose the rows at random; otherwise the last rows are taken.
        seed: seed of the choice.
    """
    from datasets import DatasetDict

    found = _splits.splits_of(data)
    found = {source: found[""]} if "" in found else found
    _splits.chosen(found, [source], key="source")
    wanted = _sizes(found, target, size, sizes, len(found[source]))
    order = _order(found[source], source, seed, shuffle)
    codes = _codes(found[source], stratify)
    parts = _parts(found[source], order, codes, wanted)
    result: dict[str, Dataset] = {}
    for name, whole in found.items():
        result |= {name: parts.pop(""), **parts} if name == source else {name: whole}
    return DatasetDict(result)


def _sizes(
    found: Mapping[str, Dataset],
    target: str,
    size: int | float | None,
    sizes: Mapping[str, int | float] | None,
    rows: int,
) -> dict[str, int]:
    """New split → its number of rows."""
    if (size is None) == (sizes is None):
        raise DataError("one of size and sizes is needed, and not both", key="size")
    key = "target" if sizes is None else "sizes"
    wanted = {target: size} if sizes is None else sizes
    for name in wanted:
        if name in found:
            raise DataError(f"there is a split {name!r} already", key=key)
    key = "size" if sizes is None else "sizes"
    counts = {name: _count(value, rows, key) for name, value in wanted.items()}
    if sum(counts.values()) >= rows:
        total = sum(counts.values())
        raise DataError(
            f"the source has {rows:,} rows, of which {total:,} cannot be moved", key=key
        )
    return counts


def _count(size: int | float | None, rows: int, key: str) -> int:
    if isinstance(size, float):
        if not 0 < size < 1:
            raise DataError(f"a fraction must be between 0 and 1, not {size}", key=key)
        return max(1, round(size * rows))
    if size is None or size < 1:
        raise DataError(f"a new split needs at least 1 row, not {size}", key=key)
    return size


def _order(source: Dataset, name: str, seed: int, shuffle: bool) -> NDArray[np.int64]:
    """The rows in the order in which they are moved."""
    import numpy as np

    rows = len(source)
    return _choice.permutation(rows, seed, name) if shuffle else np.arange(rows)[::-1]


def _codes(source: Dataset, stratify: str | None) -> NDArray[np.int64]:
    import numpy as np

    if stratify is None:
        return np.zeros(len(source), dtype=np.int64)
    _splits.check_columns({"": source}, [stratify], key="stratify")
    return _choice.classes(source, stratify)


def _parts(
    source: Dataset, order: NDArray[np.int64], codes: NDArray[np.int64], wanted: dict[str, int]
) -> dict[str, Dataset]:
    """The new splits, and what is left as `""`."""
    import numpy as np

    parts = {}
    for name, count in wanted.items():
        counts = _choice.shares(codes[order], count)
        picked = _choice.first_of_each(order, codes, counts)
        parts[name] = source.select(picked)
        order = order[~np.isin(order, picked)]
    return {**parts, "": source.select(np.sort(order))}
