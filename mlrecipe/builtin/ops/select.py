"""The op `select`: some columns, some splits, some rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlrecipe
from mlrecipe.builtin.ops import _choice, _splits
from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.interfaces import Column, Split

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from datasets import Dataset
    from numpy.typing import NDArray

    from mlrecipe.builtin.ops._splits import D

    Count = int | dict[str, int] | None


@mlrecipe.op("select")
def select(  # noqa: PLR0913 - each is one way to choose
    data: D,
    *,
    splits: list[Split] | None = None,
    columns: list[Column] | None = None,
    drop: list[Column] | None = None,
    rows: list[int] | None = None,
    first: int | dict[str, int] | None = None,
    sample: int | dict[str, int] | None = None,
    per_class: int | dict[str, int] | None = None,
    label: Column = "label",
    stratified: bool = False,
    seed: int = 0,
) -> D:
    """Keep some of the splits, columns or rows.

    At most one of `rows`, `first`, `sample` and `per_class` may be given. Numbers of rows are for
    every split, or a table of split to number; a split that has fewer rows keeps them all, and rows
    stay in their order.

    Args:
        data: a data set, with splits or without.
        splits: splits to keep, in this order; by default all.
        columns: columns to keep, in this order; by default all. A split may lack some of them.
        drop: columns to leave out.
        rows: numbers of the rows to keep, from 0, in this order.
        first: how many of the first rows to keep.
        sample: how many rows to keep, chosen at random.
        per_class: how many rows of each class to keep, chosen at random.
        label: column with the class, for `per_class` and `stratified`.
        stratified: whether a sample has each class in the share that the split has.
        seed: seed of the choice.
    """
    found = _splits.splits_of(data)
    names = _splits.chosen(found, splits)
    if splits is not None and "" in found:
        raise DataError("the data has no splits to choose from", key="splits")
    kept = {name: found[name] for name in names}
    _check_columns(kept, columns, drop)
    counts = {"rows": rows, "first": first, "sample": sample, "per_class": per_class}
    _check_counts(counts, kept)
    if per_class is not None or (sample is not None and stratified):
        _splits.check_columns(kept, [label], key="label")

    def change(name: str, split: Dataset) -> Dataset:
        picked = _rows(split, name, counts, label if stratified or per_class else None, seed)
        smaller = split if picked is None else split.select(picked)
        return _columns(smaller, columns, drop)

    return _splits.like(data, {name: change(name, split) for name, split in kept.items()})


def _check_columns(
    splits: Mapping[str, Dataset], columns: Sequence[str] | None, drop: Sequence[str] | None
) -> None:
    _splits.check_columns(splits, columns or (), key="columns")
    _splits.check_columns(splits, drop or (), key="drop")


def _check_counts(counts: Mapping[str, Count | list[int]], splits: Mapping[str, Dataset]) -> None:
    given = [key for key, value in counts.items() if value is not None]
    if len(given) > 1:
        raise DataError(f"{given[0]} and {given[1]} cannot both choose the rows", key=given[1])
    for key in given:
        value = counts[key]
        numbers = value.values() if isinstance(value, dict) else [value]
        if key != "rows" and any(isinstance(n, int) and n < 0 for n in numbers):
            raise DataError("a number of rows cannot be negative", key=key)
        for name in value if isinstance(value, dict) else ():
            if name not in splits:
                raise DataError(
                    f"there is no split {name!r}", key=key, hint=did_you_mean(name, splits)
                )


def _rows(
    split: Dataset, name: str, counts: Mapping[str, Count | list[int]], label: str | None, seed: int
) -> NDArray[np.int64] | list[int] | range | None:
    """Numbers of the rows to keep; None for all."""
    import numpy as np

    if isinstance(rows := counts["rows"], list):
        return _checked_rows(rows, name, len(split))
    key = next((key for key, value in counts.items() if value is not None), "")
    value = counts.get(key)
    count = value.get(name) if isinstance(value, dict) else value
    if not isinstance(count, int) or (key != "per_class" and count >= len(split)):
        return None
    if key == "first":
        return range(count)
    order = _choice.permutation(len(split), seed, name)
    if label is None:
        return np.sort(order[:count])
    if label not in split.column_names:
        raise DataError(f"there is no column {label!r}{_splits.at(name)}", key="label")
    codes = _choice.classes(split, label)
    if key == "per_class":
        return _choice.first_of_each(order, codes, np.full(codes.max(initial=-1) + 1, count))
    return _choice.first_of_each(order, codes, _choice.shares(codes, count))


def _checked_rows(rows: list[int], name: str, count: int) -> list[int]:
    for row in rows:
        if not 0 <= row < count:
            raise DataError(
                f"there is no row {row}{_splits.at(name)}, which has {count:,} rows", key="rows"
            )
    return rows


def _columns(split: Dataset, columns: Sequence[str] | None, drop: Sequence[str] | None) -> Dataset:
    names = split.column_names if columns is None else columns
    wanted = [n for n in names if n in split.column_names and n not in (drop or ())]
    return split if wanted == split.column_names else split.select_columns(wanted)
