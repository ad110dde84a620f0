"""The op `concat`: the rows of several data sets one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import mlrecipe
from mlrecipe.builtin.ops import _splits
from mlrecipe.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from datasets import Dataset

    from mlrecipe.builtin.ops._splits import D


@mlrecipe.op("concat")
def concat(*inputs: D, source_column: str | None = None, sources: list[str] | None = None) -> D:
    """Put the rows of several data sets one after the other, split by split.

    Splits of the same name become one and must have the same columns; a split that only one of the
    inputs has stays as it is.

    Args:
        *inputs: data sets, all with splits or all without.
        source_column: name of a column to add, which says from which input a row comes.
        sources: what that column says for each input; by default `1`, `2` and so on.
    """
    if not inputs:
        raise DataError("there is nothing to put together", key="inputs")
    found = [_splits.splits_of(data) for data in inputs]
    if len({"" in splits for splits in found}) > 1:
        raise DataError("some inputs have splits and some have none", key="inputs")
    if source_column is not None:
        names = _names(sources, len(found))
        found = [
            {name: _marked(split, source_column, mark) for name, split in splits.items()}
            for splits, mark in zip(found, names, strict=True)
        ]
    union = dict.fromkeys(name for splits in found for name in splits)
    return _splits.like(inputs[0], {name: _joined(name, found) for name in union})


def _names(sources: list[str] | None, count: int) -> list[str]:
    if sources is not None and len(sources) != count:
        raise DataError(f"{len(sources)} names for {count} inputs", key="sources")
    return sources or [str(number) for number in range(1, count + 1)]


def _marked(split: Dataset, column: str, mark: str) -> Dataset:
    from datasets import Value

    if column in split.column_names:
        raise DataError(f"there is a column {column!r} already", key="source_column")
    return split.add_column(column, [mark] * len(split), feature=Value("string"))


def _joined(name: str, found: Sequence[dict[str, Dataset]]) -> Dataset:
    from datasets import concatenate_datasets

    having = [(number, splits[name]) for number, splits in enumerate(found, 1) if name in splits]
    (first_number, first), *others = having
    for number, split in others:
        differences = list(_differences(first_number, first, number, split))
        if differences:
            raise DataError(
                f"the columns differ{_splits.at(name)}: {'; '.join(differences)}",
                key="inputs",
                hint="see the ops select, rename and map-labels",
            )
    if not others:
        return first
    return concatenate_datasets([split for _, split in having])


def _differences(number: int, first: Dataset, other_number: int, other: Dataset) -> Iterator[str]:
    """What keeps two data sets from being one, as half-sentences."""
    ours, theirs = first.features, other.features
    for column in ours:
        if column not in theirs:
            yield f"only input {number} has {column!r}"
        elif ours[column] != theirs[column]:
            yield (
                f"{column!r} is {_type(ours[column])} in input {number} and"
                f" {_type(theirs[column])} in input {other_number}"
            )
    yield from (
        f"only input {other_number} has {column!r}" for column in theirs if column not in ours
    )


def _type(feature: Any) -> str:
    names = getattr(feature, "names", None)
    return f"classes {names}" if names else str(getattr(feature, "dtype", None) or feature)
