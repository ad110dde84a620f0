"""The op `deduplicate`: each row once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import mlrecipe
from mlrecipe import events
from mlrecipe.builtin.ops import _splits
from mlrecipe.builtin.ops._keys import keys
from mlrecipe.interfaces import Column, Split

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset
    from numpy.typing import NDArray

    from mlrecipe.builtin.ops._splits import D


@mlrecipe.op("deduplicate")
def deduplicate(
    data: D,
    *,
    columns: list[Column] | None = None,
    normalize: bool = False,
    across_splits: bool = False,
    splits: list[Split] | None = None,
) -> D:
    """Drop the rows that equal an earlier row of their split.

    Args:
        data: a data set, with splits or without.
        columns: columns to compare, such as `["tokens"]` of words with tags; by default all.
        normalize: whether texts that differ only in case and white space are equal, and lists of such.
        across_splits: whether rows are also dropped that are in another split. A row stays in
            `test` rather than elsewhere, and in any split rather than in `train`; among the others,
            such as `valid`, in the one that comes first.
        splits: splits to drop rows from, the others stay as they are; by default all.
    """
    import numpy as np

    found = _splits.splits_of(data)
    names = _splits.chosen(found, splits)
    if columns is not None:
        _splits.check_columns(found, columns, key="columns")
    seen = np.empty(0, dtype=np.uint64)
    kept: dict[str, Dataset] = {}
    for name in _by_precedence(found):
        split = found[name]
        compared = _compared(split, columns)
        if not compared or not (across_splits or name in names):
            kept[name] = split
            continue
        row_keys = keys(split, compared, normalize=normalize)
        kept[name] = _without(name, split, row_keys, seen) if name in names else split
        if across_splits:
            seen = np.union1d(seen, row_keys)
    return _splits.like(data, {name: kept[name] for name in found})


def _by_precedence(names: Iterable[str]) -> list[str]:
    """Test splits first, train last: what a model is judged by keeps its rows."""

    def rank(name: str) -> int:
        return 0 if name.startswith("test") else 2 if name.startswith("train") else 1

    return sorted(names, key=rank)


def _compared(split: Dataset, columns: list[str] | None) -> list[str]:
    names = split.column_names if columns is None else columns
    return [name for name in names if name in split.column_names]


def _without(
    name: str, split: Dataset, row_keys: NDArray[np.uint64], seen: NDArray[np.uint64]
) -> Dataset:
    """The split without rows that are in `seen` or equal an earlier row."""
    import numpy as np

    is_first = np.zeros(len(row_keys), dtype=bool)
    is_first[np.unique(row_keys, return_index=True)[1]] = True
    elsewhere = np.isin(row_keys, seen)
    repeated = int(np.count_nonzero(~is_first & ~elsewhere))
    text = f"{repeated:,} repeated rows of {len(split):,} dropped{_splits.at(name)}"
    if len(seen):
        text += f", and {np.count_nonzero(elsewhere):,} that are in another split"
    events.emit(events.Note(text))
    is_kept = is_first & ~elsewhere
    return split if is_kept.all() else split.select(np.flatnonzero(is_kept))
