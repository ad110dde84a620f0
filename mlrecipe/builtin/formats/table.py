"""Formats of tables: Arrow tables, pandas data frames and series."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd  # type: ignore[import-untyped]
import pyarrow as pa

import mlrecipe
from mlrecipe.builtin.formats import _arrow, _rows, _summary
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Summary

_FRAME = "frame.json"


@mlrecipe.format("arrow-table", types=("pyarrow.lib.Table",))
class ArrowTableFormat(_rows.TableRows):
    """A `pyarrow.Table` as an Arrow stream; chunks and offsets are not part of its value."""

    def save(self, value: pa.Table, folder: Path) -> None:
        """Write the rows in their order, with the schema and its metadata.

        Raises:
            DataError: Arrow cannot bring a column into one form, as with run-end encoding.
        """
        try:
            value = value.unify_dictionaries()
            schema = _sorted_metadata(value.schema)
            _arrow.write(_arrow.slices(value), schema, folder / _arrow.FILE)
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            reason = str(error).partition("\n")[0]
            raise DataError(
                f"the table cannot be stored: {reason}", hint="cast the column to a plainer type"
            ) from error

    def load(self, folder: Path) -> pa.Table:
        """The table, memory-mapped."""
        return _arrow.read(folder / _arrow.FILE)

    def describe(self, value: pa.Table) -> Summary:
        """Rows, types, label counts and the first rows."""
        return _describe(value, "Table", {field.name: str(field.type) for field in value.schema})


@mlrecipe.format(
    "dataframe",
    types=(
        "pandas.DataFrame",
        "pandas.Series",
        "pandas.core.frame.DataFrame",
        "pandas.core.series.Series",
    ),
)
class DataFrameFormat:
    """A pandas data frame or series as an Arrow stream, its types and index in `frame.json`."""

    def save(self, value: pd.DataFrame | pd.Series, folder: Path) -> None:
        """Write the rows.

        Raises:
            DataError: the frame would not come back equal, as with a column of mixed objects.
        """
        frame = _as_frame(value)
        table = _to_table(frame)
        objects = [i for i, kind in enumerate(frame.dtypes) if pd.api.types.is_object_dtype(kind)]
        is_series = isinstance(value, pd.Series)
        is_named = not is_series or value.name is not None
        facts = {"series": is_series, "named": is_named, "objects": objects}
        ArrowTableFormat().save(table, folder)
        (folder / _FRAME).write_text(json.dumps(facts, sort_keys=True), encoding="utf-8")
        _check_equal(frame, _to_frame(ArrowTableFormat().load(folder), objects))

    def load(self, folder: Path) -> pd.DataFrame | pd.Series:
        """The frame or series, in memory of its own."""
        facts = json.loads((folder / _FRAME).read_text(encoding="utf-8"))
        frame = _to_frame(ArrowTableFormat().load(folder), facts["objects"])
        if not facts["series"]:
            return frame
        series = frame.iloc[:, 0]
        return series if facts["named"] else series.rename(None)

    def describe(self, value: pd.DataFrame | pd.Series) -> Summary:
        """Rows, dtypes, label counts and the first rows."""
        frame = _as_frame(value)
        schema = {str(name): str(kind) for name, kind in frame.dtypes.items()}
        table = _to_table(frame).select([str(name) for name in frame.columns])
        return _describe(table, type(value).__name__, schema)


def _describe(table: pa.Table, kind: str, schema: dict[str, str]) -> Summary:
    labels = {}
    for name in _summary.label_columns(table) if table.num_rows else []:
        counts = _summary.count(name, table.column(name))
        if counts is not None:
            labels[name] = {"": counts}
    return Summary(
        kind=kind,
        rows={"": table.num_rows},
        schema=schema,
        labels=labels,
        sample={"": _summary.sample(table)},
    )


def _sorted_metadata(schema: pa.Schema) -> pa.Schema:
    return schema.with_metadata(dict(sorted((schema.metadata or {}).items())) or None)


def _as_frame(value: pd.DataFrame | pd.Series) -> pd.DataFrame:
    if type(value) not in (pd.DataFrame, pd.Series):
        kind = type(value).__qualname__
        raise DataError(
            f"{kind!r} would come back as another type", hint="return a plain DataFrame"
        )
    if isinstance(value, pd.DataFrame):
        return value
    return value.to_frame("value" if value.name is None else value.name)


def _to_table(frame: pd.DataFrame) -> pa.Table:
    try:
        table = pa.Table.from_pandas(frame)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise DataError(
            f"the data frame cannot be stored: {error}", hint="give each column one plain type"
        ) from error
    pandas = json.loads((table.schema.metadata or {})[b"pandas"])
    # Which versions wrote it is not part of the value.
    pandas.pop("creator", None)
    pandas["pandas_version"] = "3.0.0"
    return table.replace_schema_metadata({"pandas": json.dumps(pandas, sort_keys=True)})


def _to_frame(table: pa.Table, objects: list[int]) -> pd.DataFrame:
    frame = table.to_pandas()
    for position in objects:
        frame.isetitem(position, frame.iloc[:, position].astype(object))
    return frame


def _check_equal(frame: pd.DataFrame, again: pd.DataFrame) -> None:
    try:
        pd.testing.assert_frame_equal(frame, again, check_exact=True, check_freq=False)
    except AssertionError as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"the data frame would not come back equal: {reason}",
            hint="give each column one plain type",
        ) from error
