"""The op `filter`: rows that meet conditions on a column."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any, Literal

import mlrecipe
from mlrecipe import events
from mlrecipe.builtin.ops import _splits
from mlrecipe.builtin.ops._lengths import lengths
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Column, Split

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa
    from datasets import Dataset

    from mlrecipe.builtin.ops._splits import D


@mlrecipe.op("filter", rowwise=True)
def filter_(  # noqa: PLR0913 - each is one condition
    data: D,
    *,
    column: Column,
    equals: Any = None,
    one_of: list[Any] | None = None,
    none_of: list[Any] | None = None,
    not_empty: bool = False,
    matches: str | None = None,
    min: float | None = None,
    max: float | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    unit: Literal["words", "characters"] = "words",
    invert: bool = False,
    splits: list[Split] | None = None,
) -> D:
    """Keep the rows that meet every condition on a column.

    A missing value meets no condition but `none_of`.

    Args:
        data: a data set, with splits or without.
        column: column that the conditions are about.
        equals: the value to have; classes are named by their names.
        one_of: values of which to have one.
        none_of: values to have none of.
        not_empty: whether to have something: a text that is not only white space, a list with
            items, a number that is not missing.
        matches: regular expression (RE2) to be found somewhere in a text.
        min: smallest number to have.
        max: largest number to have.
        min_length: shortest length of a text, in `unit`, or of a list, in items.
        max_length: longest length of a text, in `unit`, or of a list, in items.
        unit: what lengths of texts count; words are what white space separates.
        invert: whether to keep the other rows instead.
        splits: splits to filter; by default all that have the column.
    """
    found = _splits.splits_of(data)
    names = _splits.chosen(found, splits)
    _splits.check_columns({name: found[name] for name in names}, [column], key="column")
    conditions = {
        "equals": equals, "one_of": one_of, "none_of": none_of, "not_empty": not_empty or None,
        "matches": matches, "min": min, "max": max, "min_length": min_length,
        "max_length": max_length,
    }  # fmt: skip
    conditions = {key: value for key, value in conditions.items() if value is not None}
    if not conditions:
        raise DataError("a condition is needed, such as not_empty or one_of", key="column")

    def change(name: str, split: Dataset) -> Dataset:
        if column not in split.column_names:
            return split
        kept = _kept(split, column, conditions, unit, invert)
        _tell(name, len(kept), len(split))
        return split if len(kept) == len(split) else split.select(kept)

    return _splits.each(data, change, names if "" not in found else None)


def _kept(
    split: Dataset, column: str, conditions: Mapping[str, Any], unit: str, invert: bool
) -> list[int]:
    """Numbers of the rows that meet the conditions, or of those that do not."""
    import pyarrow.compute as pc

    feature = split.features[column]
    kept: list[int] = []
    for start, values in _values(split, column):
        masks = [_mask(values, feature, key, value, unit) for key, value in conditions.items()]
        mask = reduce(pc.and_, (pc.fill_null(mask, False) for mask in masks))
        mask = pc.invert(mask) if invert else mask
        kept += [start + row for row in pc.indices_nonzero(mask).to_pylist()]
        events.progress(start + len(values), len(split))
    return kept


def _values(split: Dataset, column: str) -> Iterator[tuple[int, pa.ChunkedArray]]:
    start = 0
    for table in _splits.batches(split, [column]):
        yield start, table.column(column)
        start += table.num_rows


def _mask(
    values: pa.ChunkedArray, feature: Any, key: str, value: Any, unit: str
) -> pa.ChunkedArray:
    """Which rows meet one condition; null where the value is missing."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        if key in ("equals", "one_of", "none_of"):
            wanted = _ids(value if isinstance(value, list) else [value], feature, key)
            among = pc.is_in(values, value_set=_array(wanted, values.type))
            return pc.invert(among) if key == "none_of" else pc.and_(among, pc.is_valid(values))
        if key == "matches":
            return pc.match_substring_regex(values, value)
        if key in ("min", "max"):
            return (pc.greater_equal if key == "min" else pc.less_equal)(values, value)
    except (pa.ArrowException, TypeError) as error:
        raise DataError(
            f"{value!r} does not go with a column of {values.type}: {_first_line(error)}", key=key
        ) from error
    if key == "not_empty" and not _has_length(values.type):
        return pc.is_valid(values)
    if key == "not_empty":
        return pc.greater_equal(lengths(values, unit="words", key=key), 1)
    counted = lengths(values, unit=unit, key=key)
    return (pc.less_equal if key == "max_length" else pc.greater_equal)(counted, value)


def _has_length(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _array(values: list[Any], kind: pa.DataType) -> pa.Array:
    """The values as the column's type; only whole numbers become numbers with fractions."""
    import pyarrow as pa

    array = pa.array(values)
    if array.type == kind:
        return array
    is_number = pa.types.is_integer(array.type) or pa.types.is_floating(array.type)
    if pa.types.is_floating(kind) and is_number:
        return array.cast(kind)
    if pa.types.is_integer(kind) and pa.types.is_integer(array.type):
        return array.cast(kind)
    raise TypeError(f"these are values of {array.type}")


def _ids(values: list[Any], feature: Any, key: str) -> list[Any]:
    """The values as the column has them: the ids of classes that are given by name."""
    names = list(getattr(feature, "names", None) or ())
    for value in values:
        if names and isinstance(value, str) and value not in names:
            raise DataError(f"there is no class {value!r} (the classes are {names})", key=key)
    return [names.index(v) if names and isinstance(v, str) else v for v in values]


def _tell(name: str, kept: int, rows: int) -> None:
    text = f"{kept:,} of {rows:,} rows kept{_splits.at(name)}"
    events.emit(events.Note(text, level="info" if kept or not rows else "warning"))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
