"""The recorder: rows, statistics and images that every op of an evaluation reads and writes."""

from __future__ import annotations

import json
import operator
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.recorder import arrays, facts, images, merging, writing
from mlrecipe.recorder.rows import Rows

_STEP = 1000
"""Rows that are turned into Python's values at a time."""


class Recorder:
    """Rows with columns, and statistics of them.

    `log`, `log_batch`, `record` and `set_column` change a recorder; all else gives another one, which shares
    the rows without a copy. Rows are kept as Arrow. Values may be Python's, NumPy's, torch's, Arrow's, paths
    and images of Pillow; what is given is copied, so that changing it later changes nothing here.

    Args:
        table: the rows to begin with. Its metadata may say the head and the split, as a file of predictions
            does.
        statistics: what is known of the rows, by name.
        head: of what the predictions are, where rows are predictions: a `Head` as JSON; `{}` takes away what
            the table says.
        split: the split that the rows are of.
    """

    def __init__(
        self,
        table: pa.Table | None = None,
        *,
        statistics: Mapping[str, Any] | None = None,
        head: Mapping[str, Any] | None = None,
        split: str | None = None,
    ) -> None:
        self._facts = facts.of(table, head, split)
        self._rows = Rows(table)
        self.statistics: dict[str, Any] = {}
        self._record(statistics or {})

    @property
    def table(self) -> pa.Table:
        """The rows. A column `row` holds their numbers in their split, where they are those of a split."""
        return self._rows.table().replace_schema_metadata(self._facts or None)

    @property
    def head(self) -> Mapping[str, Any]:
        """Of what the predictions are: problem type, labels, outputs, …; `{}` where rows are no predictions."""
        found: Mapping[str, Any] = json.loads(self._facts.get(b"head", b"{}"))
        return found

    @property
    def split(self) -> str:
        """The split that the rows are of; `""` where that is not known."""
        return self._facts.get(b"split", b"").decode()

    @property
    def column_names(self) -> list[str]:
        """The columns in their order."""
        return self._rows.names

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The row at a place, from 0; from the end where it is negative."""
        place = operator.index(index)
        place += len(self) if place < 0 else 0
        if not 0 <= place < len(self):
            raise IndexError(f"there is no row {index}, there are {len(self):,}")
        return next(_values(self.table.slice(place, 1)))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self.rows()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Each row as a dict, its images as images of Pillow."""
        table = self.table
        for start in range(0, table.num_rows, _STEP):
            yield from _values(table.slice(start, _STEP))

    def column(self, name: str) -> list[Any]:
        """The values of a column, images as images of Pillow.

        Raises:
            DataError: there is none of that name.
        """
        self._check(name)
        found = self.table.column(name)
        values: list[Any] = found.to_pylist()
        return [images.decode(v) for v in values] if images.is_of_images(found.type) else values

    def log(self, /, **values: Any) -> None:
        """Add a row; what it does not have is null.

        Raises:
            DataError: a value is of another kind than those of the rows before.
        """
        self._rows.add_one(values)

    def log_batch(self, /, **columns: Any) -> None:
        """Add rows: for each column their values, as a list, an array, a tensor or a column of Arrow.

        A column that is new is null in the rows before, one that is missing in the rows added.

        Raises:
            DataError: the columns are not equally long, or one holds another kind of values than before.
        """
        self._rows.add(columns)

    def record(self, /, **statistics: Any) -> None:
        """Set statistics. Those that are finite numbers are the metrics of the node that gives the recorder.

        Raises:
            DataError: JSON cannot hold a value.
        """
        self._record(statistics)

    def set_column(self, name: str, values: Any) -> None:
        """Give a column new values, or add one after the others.

        Raises:
            DataError: there are more or fewer values than rows.
        """
        new = arrays.column(name, values)
        table = self._rows.table()
        if not table.num_columns:
            self._rows = Rows(pa.table({name: new}))
            return
        if len(new) != len(self):
            raise DataError(f"column {name!r} has {len(new):,} values for {len(self):,} rows")
        place = table.schema.get_field_index(name)
        field = pa.field(name, new.type)
        changed = (
            table.append_column(field, new) if place < 0 else table.set_column(place, field, new)
        )
        self._rows = Rows(changed)

    def drop(self, *names: str) -> Recorder:
        """Without some columns."""
        self._check(*names)
        return self._with(self.table.drop_columns(list(names)))

    def select(self, *names: str) -> Recorder:
        """With these columns alone, in this order."""
        self._check(*names)
        return self._with(self.table.select(list(names)))

    def rename(self, columns: Mapping[str, str]) -> Recorder:
        """With other names: old → new. Two columns may swap theirs.

        Raises:
            DataError: a column is not there, or two would have one name.
        """
        self._check(*columns)
        new = [columns.get(name, name) for name in self.column_names]
        twice = sorted({name for name in new if new.count(name) > 1})
        if twice:
            raise DataError(f"two columns would be {twice[0]!r}")
        return self._with(self.table.rename_columns(new))

    def take(self, indices: Iterable[int]) -> Recorder:
        """The rows at these places, in this order. The statistics, which are of all rows, stay behind.

        Raises:
            DataError: there is no such row.
        """
        places = [operator.index(index) for index in indices]
        wrong = next((place for place in places if not 0 <= place < len(self)), None)
        if wrong is not None:
            raise DataError(f"there is no row {wrong}, there are {len(self):,}")
        return Recorder(self.table.take(pa.array(places, pa.int64())))

    def top(self, n: int, by: str, *, largest: bool = True) -> Recorder:
        """The `n` rows with the largest, or smallest, value of a column, that first.

        Rows without a value, or with NaN, come last; of equal ones the first. As with `take` there are no
        statistics.

        Raises:
            DataError: there is no such column, or its values have no order.
        """
        self._check(by)
        if n < 0:
            raise DataError("a number of rows cannot be negative", key="n")
        table = self.table
        order = "descending" if largest else "ascending"
        try:
            places = pc.sort_indices(table, sort_keys=[(by, order)])
        except (pa.ArrowException, TypeError) as error:
            kind = table.schema.field(by).type
            message = f"column {by!r} has values of type {kind}, which have no order"
            raise DataError(message, key="by") from error
        return Recorder(table.take(places[:n]))

    def merge(self, other: Recorder, *, suffix: str = "") -> Recorder:
        """The columns of both, put together by the column `row`; rows are in the order of this recorder.

        What both have alike is there once; a column or statistic that differs gets `suffix` after its name in
        `other`.

        Raises:
            DataError: one lacks rows that the other has, or they differ under a name and there is no suffix.
        """
        table = merging.merged(self.table, other.table, suffix=suffix)
        statistics = merging.merged_statistics(self.statistics, other.statistics, suffix=suffix)
        return Recorder(table, statistics=statistics)

    def copy(self) -> Recorder:
        """Another recorder with the same rows and statistics."""
        return self._with(self.table)

    def to_pandas(self) -> Any:
        """The rows as a data frame; images are images of Pillow."""
        return writing.frame(self.table)

    def to_csv(self, path: str | Path) -> None:
        """Write the rows as CSV: lists as JSON, images as files below `images/` beside it.

        Raises:
            DataError: a column holds bytes.
        """
        writing.csv(self.table, Path(path))

    def to_json(self, path: str | Path) -> None:
        """Write a line of JSON for each row; NaN is null, images are files below `images/` beside it.

        Raises:
            DataError: a column holds what JSON cannot.
        """
        writing.json_lines(self.table, Path(path))

    def to_parquet(self, path: str | Path) -> None:
        """Write the rows as Parquet; images as the bytes of PNG files."""
        writing.parquet(self.table, Path(path))

    @classmethod
    def from_pandas(cls, frame: Any, *, statistics: Mapping[str, Any] | None = None) -> Recorder:
        """The rows of a data frame; an index is a column if it has a name."""
        named = [name for name in frame.index.names if name is not None]
        found = frame.reset_index(named) if named else frame
        recorder = cls(statistics=statistics)
        if len(found.columns):
            recorder.log_batch(**{str(name): found[name] for name in found.columns})
        return recorder

    @classmethod
    def read(cls, path: str | Path) -> Recorder:
        """The rows of a file of predictions, or of another stream of Arrow.

        Raises:
            DataError: there is no such file, or it is none of these.
        """
        return cls(writing.read(Path(path)))

    def __eq__(self, other: object) -> bool:
        """Whether rows, statistics, head and split are equal, NaN being equal to NaN."""
        if not isinstance(other, Recorder):
            return NotImplemented
        one, two = self.table, other.table
        return (
            one.schema.equals(two.schema, check_metadata=True)
            and all(map(merging.equal, one.columns, two.columns))
            and repr(self.statistics) == repr(other.statistics)
        )

    __hash__ = None  # type: ignore[assignment]

    def __copy__(self) -> Recorder:
        return self.copy()

    def __deepcopy__(self, memo: object) -> Recorder:
        return self.copy()

    def __repr__(self) -> str:
        told = [
            f"{len(self):,} rows",
            *([", ".join(self.column_names)] if self.column_names else []),
        ]
        return f"Recorder({': '.join(told)}; {len(self.statistics)} statistics)"

    def _record(self, statistics: Mapping[str, Any]) -> None:
        for name, value in statistics.items():
            self.statistics[str(name)] = arrays.json_value(value, str(name))

    def _with(self, table: pa.Table) -> Recorder:
        return Recorder(table, statistics=self.statistics)

    def _check(self, *names: str) -> None:
        known = self.column_names
        for name in names:
            if name not in known:
                raise DataError(f"there is no column {name!r}", hint=did_you_mean(name, known))


def _values(table: pa.Table) -> Iterator[dict[str, Any]]:
    """The rows of a short table."""
    pictures = images.columns(table.schema)
    for row in table.to_pylist():
        for name in pictures:
            row[name] = images.decode(row[name])
        yield row
