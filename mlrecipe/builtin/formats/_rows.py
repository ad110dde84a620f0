"""Rows of tables: cutting them into runs, and putting such runs together again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from datasets import Dataset, DatasetDict, concatenate_datasets

from mlrecipe.errors import DataError


class DatasetRows:
    """Shards of a `datasets.Dataset`."""

    def part(self, value: Dataset, rows: Callable[[int], range]) -> Dataset:
        """A run of rows; nothing is copied."""
        return _part(value, rows)

    def join(self, parts: Sequence[Dataset]) -> Dataset:
        """All rows in order; nothing is copied.

        Raises:
            DataError: the parts have different columns.
        """
        return _joined(parts, "")


class DatasetDictRows:
    """Shards of a `datasets.DatasetDict`: each has a run of rows of every split."""

    def part(self, value: DatasetDict, rows: Callable[[int], range]) -> DatasetDict:
        """A run of rows of each split; nothing is copied."""
        return DatasetDict({name: _part(split, rows) for name, split in value.items()})

    def join(self, parts: Sequence[DatasetDict]) -> DatasetDict:
        """The rows of each split in order; nothing is copied.

        Raises:
            DataError: the parts have different splits or columns.
        """
        for number, part in enumerate(parts, 1):
            if list(part) != list(parts[0]):
                names = f"{list(map(str, parts[0]))} and {list(map(str, part))}"
                raise DataError(f"shards 1 and {number} gave different splits: {names}")
        return DatasetDict(
            {name: _joined([part[name] for part in parts], name) for name in parts[0]}
        )


class TableRows:
    """Shards of a `pyarrow.Table`."""

    def part(self, value: pa.Table, rows: Callable[[int], range]) -> pa.Table:
        """A run of rows; nothing is copied."""
        found = rows(value.num_rows)
        return value.slice(found.start, len(found))

    def join(self, parts: Sequence[pa.Table]) -> pa.Table:
        """All rows in order; nothing is copied.

        Raises:
            DataError: the parts have different columns.
        """
        chosen = _with_rows(parts, [part.num_rows for part in parts])
        for number, part in chosen:
            if not part.schema.equals(chosen[0][1].schema, check_metadata=True):
                raise _differing(chosen[0][0], number, chosen[0][1].schema, part.schema, "")
        return pa.concat_tables([part for _, part in chosen])


def _part(dataset: Dataset, rows: Callable[[int], range]) -> Dataset:
    # `datasets` refuses no rows that begin after the last.
    return dataset.select(rows(len(dataset)) or range(0))


def _joined(parts: Sequence[Dataset], name: str) -> Dataset:
    chosen = _with_rows(parts, [len(part) for part in parts])
    first_number, first = chosen[0]
    for number, part in chosen:
        if list(part.features.items()) != list(first.features.items()):
            raise _differing(first_number, number, first.features, part.features, name)
    return concatenate_datasets([part for _, part in chosen]) if len(chosen) > 1 else first


def _with_rows(parts: Sequence[Any], rows: Sequence[int]) -> list[tuple[int, Any]]:
    """The parts that have rows, with their numbers from 1; the first alone if none has.

    What an op makes of no rows may lack the columns that it adds; of the parts the first is the last to have
    been made of none.
    """
    found = [(number, part) for number, part in enumerate(parts, 1) if rows[number - 1]]
    return found or [(1, parts[0])]


def _differing(number: int, other_number: int, one: Any, other: Any, split: str) -> DataError:
    ours, theirs = _types(one), _types(other)
    names = [n for n in {**ours, **theirs} if ours.get(n) != theirs.get(n)]
    what = "; ".join(
        f"{n!r} is {ours.get(n, 'missing')} and {theirs.get(n, 'missing')}" for n in names
    )
    place = f" in split {split!r}" if split else ""
    return DataError(
        f"shards {number} and {other_number} gave different columns{place}: {what or 'their order'}",
        hint="an op in shards must give every row the same columns and types, whatever the other rows",
    )


def _types(schema: Any) -> dict[str, str]:
    if isinstance(schema, Mapping):
        return {name: str(feature) for name, feature in schema.items()}
    return {field.name: str(field.type) for field in schema}
