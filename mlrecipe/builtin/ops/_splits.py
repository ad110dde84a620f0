"""Splits: doing one thing to each `Dataset` of a `DatasetDict`, and finding their columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar, cast

from mlrecipe.builtin.ops._reading import unknown_column
from mlrecipe.errors import DataError, did_you_mean

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, DatasetDict

    from mlrecipe.recorder import Recorder

    Data: TypeAlias = DatasetDict | Dataset | Recorder
    D = TypeVar("D", bound="DatasetDict | Dataset | Recorder")

BATCH = 10_000
"""Rows that are looked at together."""


def splits_of(data: Data) -> dict[str, Dataset]:
    """Name → split; a plain `Dataset` is the one split `""`, and so are the rows of a recorder.

    Raises:
        DataError: it is none of these.
    """
    from datasets import Dataset, DatasetDict

    if isinstance(data, Dataset):
        return {"": data}
    if isinstance(data, DatasetDict):
        return dict(data)
    if hasattr(data, "statistics"):
        return {"": Dataset(data.table.replace_schema_metadata(None))}
    raise DataError(
        f"expected a data set with splits, got {type(data).__name__}",
        key="inputs",
        hint="check which node is the input",
    )


def like(data: D, splits: Mapping[str, Dataset]) -> D:
    """What `data` was: a `DatasetDict` of the splits, the one `Dataset`, or a recorder of its rows.

    The statistics of a recorder stay behind: they are of the rows as they were.
    """
    from datasets import DatasetDict

    if isinstance(data, Mapping):
        return cast("D", DatasetDict(splits))
    if hasattr(data, "statistics"):
        from mlrecipe.recorder.recorder import Recorder

        rows = splits[""].with_format("arrow")[:]
        return cast("D", Recorder(rows.replace_schema_metadata(data.table.schema.metadata)))
    return cast("D", splits[""])


def each(
    data: D, change: Callable[[str, Dataset], Dataset], splits: Sequence[str] | None = None
) -> D:
    """The data with `change(name, split)` done to each of the named splits, or to all."""
    found = splits_of(data)
    wanted = chosen(found, splits)
    changed = {n: change(n, split) if n in wanted else split for n, split in found.items()}
    return like(data, changed)


def chosen(
    splits: Mapping[str, Any], names: Sequence[str] | None, *, key: str = "splits"
) -> list[str]:
    """The named splits, or all.

    Raises:
        DataError: one of them is not there.
    """
    if names is None:
        return list(splits)
    for name in names:
        if name not in splits:
            raise DataError(f"there is no split {name!r}", key=key, hint=did_you_mean(name, splits))
    return list(names)


def check_columns(splits: Mapping[str, Dataset], names: Sequence[str], *, key: str) -> None:
    """Raise a DataError unless each column is in one of the splits; the error lists those there are."""
    known = dict.fromkeys(name for split in splits.values() for name in split.column_names)
    for name in names:
        if name not in known:
            raise unknown_column(name, known, key=key)


def column(split: Dataset, name: str) -> pa.ChunkedArray:
    """The values of a column, in the order of the rows."""
    return split.select_columns(name).with_format("arrow")[:].column(name)


def batches(split: Dataset, names: Sequence[str]) -> Iterator[pa.Table]:
    """The named columns, `BATCH` rows at a time."""
    rows = split.select_columns(list(names)).with_format("arrow")
    for start in range(0, len(split), BATCH):
        yield rows[start : start + BATCH]


def at(name: str) -> str:
    """` in split 'train'`, or nothing for data without splits."""
    return f" in split {name!r}" if name else ""
