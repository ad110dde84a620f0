"""The op `shuffle`: rows in random order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlrecipe
from mlrecipe.builtin.ops import _choice, _splits
from mlrecipe.interfaces import Split

if TYPE_CHECKING:
    from mlrecipe.builtin.ops._splits import D


@mlrecipe.op("shuffle")
def shuffle(data: D, *, splits: list[Split] | None = None, seed: int = 0) -> D:
    """Put the rows of each split into a random order.

    Training shuffles by itself in every epoch; this is for data whose first rows should be like the
    rest.

    Args:
        data: a data set, with splits or without.
        splits: splits to shuffle; by default all.
        seed: seed of the order.
    """
    return _splits.each(
        data, lambda name, split: split.select(_choice.permutation(len(split), seed, name)), splits
    )
