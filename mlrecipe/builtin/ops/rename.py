"""The op `rename`: other names for columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlrecipe
from mlrecipe.builtin.ops import _splits
from mlrecipe.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset

    from mlrecipe.builtin.ops._splits import D


@mlrecipe.op("rename", rowwise=True)
def rename(data: D, *, columns: dict[str, str]) -> D:
    """Give columns other names; their order stays.

    Args:
        data: a data set, with splits or without.
        columns: old name to new name: `{ sentence = "text" }`. A split may lack some of them. Two
            columns may swap their names.
    """
    found = _splits.splits_of(data)
    _splits.check_columns(found, list(columns), key="columns")
    for name, split in found.items():
        _check_collisions(name, split, columns)
    return _splits.each(data, lambda _, split: _renamed(split, columns))


def _check_collisions(name: str, split: Dataset, columns: dict[str, str]) -> None:
    """Raise if two columns would have one name."""
    taken: dict[str, str] = {}
    for old in split.column_names:
        new = columns.get(old, old)
        if new in taken:
            raise DataError(
                f"columns {taken[new]!r} and {old!r} would both be {new!r}{_splits.at(name)}",
                key="columns",
            )
        taken[new] = old


def _renamed(split: Dataset, columns: dict[str, str]) -> Dataset:
    # `datasets` refuses a name that is in use, even if it is given up in the same step.
    there = {old: new for old, new in columns.items() if old in split.column_names and old != new}
    away = {old: f"\0{number}" for number, old in enumerate(there)}
    back = {away[old]: new for old, new in there.items()}
    return split.rename_columns(away).rename_columns(back) if there else split
