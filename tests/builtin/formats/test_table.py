"""Tables and data frames come back equal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mlrecipe import DataError
from mlrecipe.registry import registries

pytestmark = pytest.mark.heavy


def again(name: str, value: Any, folder: Path) -> Any:
    """The value, saved and loaded by the format of this name."""
    chosen = registries["format"].get(name)()
    folder.mkdir(exist_ok=True)
    chosen.save(value, folder)
    return chosen.load(folder)


def frames() -> dict[str, Any]:
    """Data frames with all that is hard to keep."""
    import numpy as np
    import pandas as pd

    columns = {
        "b": [1, 2, 3],
        "a": ["x", None, "z"],
        "when": pd.to_datetime(["2020-01-01", None, "2021-05-06"]),
        "kind": pd.Categorical(["u", "v", "u"], categories=["v", "u", "w"], ordered=True),
        "half": np.array([1, np.nan, 3], dtype=np.float32),
        "nullable": pd.array([1, None, 3], dtype="Int16"),
        "old": np.array(["p", None, "r"], dtype=object),
    }
    two = pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["k", None])
    return {
        "types": pd.DataFrame(columns),
        "index": pd.DataFrame({"x": [1.0, 2.0]}, index=pd.Index(["q", "p"], name="key")),
        "range": pd.DataFrame({"x": [1, 2, 3]}, index=pd.RangeIndex(10, 16, 2)),
        "levels": pd.DataFrame({"x": [1, 2, 3]}, index=two),
        "numbers": pd.DataFrame([[1, 2], [3, 4]], columns=[7, 5]),
        "empty": pd.DataFrame({"x": pd.Series([], dtype="int8")}),
        "filtered": pd.DataFrame({"x": range(10)}).query("x % 2 == 1"),
    }


@pytest.mark.parametrize(
    "name", ["types", "index", "range", "levels", "numbers", "empty", "filtered"]
)
def test_a_frame_comes_back_equal(name: str, tmp_path: Path) -> None:
    """Dtypes, index, names and the order of columns survive."""
    import pandas as pd

    value = frames()[name]

    loaded = again("dataframe", value, tmp_path)

    pd.testing.assert_frame_equal(loaded, value, check_exact=True)


@pytest.mark.parametrize("name", ["length", None])
def test_a_series_comes_back_equal(name: str | None, tmp_path: Path) -> None:
    """A series stays a series, with its name or without one."""
    import pandas as pd

    value = pd.Series([3, 1], index=["b", "a"], name=name)

    loaded = again("dataframe", value, tmp_path)

    pd.testing.assert_series_equal(loaded, value)


def test_writing_to_a_loaded_frame_leaves_the_store_alone(tmp_path: Path) -> None:
    """Each load gives a frame of its own."""
    import pandas as pd

    first = again("dataframe", pd.DataFrame({"x": [1, 2]}), tmp_path)
    first.loc[0, "x"] = 99

    assert registries["format"].get("dataframe")().load(tmp_path)["x"].tolist() == [1, 2]


@pytest.mark.parametrize("cell", [[1, "x"], [[1], [2]], [{1}, {2}]])
def test_a_frame_that_would_not_come_back_is_refused(cell: list[Any], tmp_path: Path) -> None:
    """Mixed objects are an error, not something near."""
    import pandas as pd

    with pytest.raises(DataError, match="data frame"):
        again("dataframe", pd.DataFrame({"x": pd.Series(cell, dtype=object)}), tmp_path)


def test_store_20_equal_frames_give_equal_bytes(tmp_path: Path) -> None:
    """How a frame was put together leaves no trace."""
    import pandas as pd

    value = pd.DataFrame({"x": range(2000), "y": [str(i) for i in range(2000)]})
    parts = pd.concat([value[:700], value[700:]])
    parts.index = pd.RangeIndex(2000)

    again("dataframe", value, tmp_path / "one")
    again("dataframe", parts, tmp_path / "two")

    for name in ("data.arrow", "frame.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_table_comes_back_with_schema_and_metadata(tmp_path: Path) -> None:
    """Types, nullability, dictionaries and metadata are part of a table."""
    import pyarrow as pa

    schema = pa.schema(
        [
            pa.field("x", pa.int8(), nullable=False),
            pa.field("d", pa.dictionary(pa.int16(), pa.string())),
            pa.field("m", pa.map_(pa.string(), pa.int32())),
            pa.field("f", pa.list_(pa.float32(), 2)),
        ],
        metadata={"who": "me"},
    )
    rows = [{"x": i % 100, "d": "ab"[i % 2], "m": [("k", i)], "f": [i, 1]} for i in range(1500)]
    value = pa.Table.from_pylist(rows, schema=schema)

    loaded = again("arrow-table", value, tmp_path)

    assert loaded.schema.equals(schema, check_metadata=True)
    assert loaded.to_pylist() == value.to_pylist()


def test_store_20_equal_tables_give_equal_bytes(tmp_path: Path) -> None:
    """Chunks and offsets are no part of the value."""
    import pyarrow as pa

    words = pa.array([["no", "yes", None][i % 3] for i in range(2100)]).dictionary_encode()
    value = pa.table({"d": words, "i": range(2100)})
    other = pa.concat_tables([value[:6], value[6:1999], value[1999:]])

    again("arrow-table", value, tmp_path / "one")
    again("arrow-table", other, tmp_path / "two")

    one, two = (tmp_path / name / "data.arrow" for name in ("one", "two"))
    assert value.equals(other)
    assert one.read_bytes() == two.read_bytes()


def test_dictionaries_of_chunks_are_made_one(tmp_path: Path) -> None:
    """A table whose chunks have dictionaries of their own comes back with equal values."""
    import pyarrow as pa

    chunks = [pa.array(part).dictionary_encode() for part in (["a", "b"], ["c", "a", None])]
    value = pa.table({"d": pa.chunked_array(chunks)})

    assert again("arrow-table", value, tmp_path).to_pylist() == value.to_pylist()


def test_describe_counts_labels() -> None:
    """Columns with few values are counted, and the first rows are shown."""
    import pandas as pd

    value = pd.DataFrame({"label": ["a", "b"] * 10, "x": [0.5] * 20})

    found = registries["format"].get("dataframe")().describe(value)

    assert found.kind == "DataFrame"
    assert found.rows == {"": 20}
    assert found.labels == {"label": {"": {"a": 10, "b": 10}}}
    assert len(found.sample[""]) == 3


def columns() -> dict[str, Any]:
    """A column of every type of Arrow that can be stored, with nulls."""
    import pyarrow as pa

    numbers = range(2300)
    some = [None if i % 3 == 0 else i for i in numbers]
    texts = [None if i is None else "é" * (i % 40) for i in some]
    lists = [None if i is None else list(range(i % 4)) for i in some]
    pairs = [None if i is None else ["a" * (i % 5), None] for i in some]
    maps = [None if i is None else [(f"k{j}", j) for j in range(i % 4)] for i in some]
    structs = [[{"a": j if j % 2 else None, "b": ["x"] * j} for j in range(i % 3)] for i in numbers]
    kinds = pa.array([i % 2 for i in numbers], pa.int8())
    places = pa.array([i // 2 for i in numbers], pa.int32())
    parts = [pa.array(numbers), pa.array(map(str, numbers))]
    return {
        "bool": pa.array([i and i % 2 == 0 for i in some], pa.bool_()),
        "half": pa.array(numbers).cast(pa.float16()),
        "decimal": pa.array(some, pa.decimal128(10, 2)),
        "duration": pa.array(some, pa.duration("s")),
        "null": pa.nulls(2300),
        "string": pa.array(texts),
        "large string": pa.array(texts, pa.large_string()),
        "string view": pa.array(texts, pa.string_view()),
        "fixed binary": pa.array([i and b"abc" for i in some], pa.binary(3)),
        "list": pa.array(lists),
        "list view": pa.array(lists, pa.list_view(pa.int32())),
        "fixed list": pa.array(pairs, pa.list_(pa.string(), 2)),
        "map": pa.array(maps, pa.map_(pa.string(), pa.int32())),
        "struct": pa.array(structs),
        "dense union": pa.UnionArray.from_dense(kinds, places, parts),
        "sparse union": pa.UnionArray.from_sparse(kinds, parts),
        "extension": pa.ExtensionArray.from_storage(
            pa.uuid(), pa.array([bytes([i % 256]) * 16 for i in numbers], pa.binary(16))
        ),
    }


COLUMNS = [
    "bool", "half", "decimal", "duration", "null", "string", "large string", "string view", "fixed binary",
    "list", "list view", "fixed list", "map", "struct", "dense union", "sparse union", "extension",
]  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_store_20_chunks_and_slices_of_every_type_give_equal_bytes(
    name: str, tmp_path: Path
) -> None:
    """What lies before, after and under the values of a column is no part of it."""
    import pyarrow as pa

    column = columns()[name]
    value = pa.table({"x": column})
    longer = pa.concat_arrays([column[5:12], column, column[:3]])
    others = [
        pa.concat_tables([value[:7], value[7:1500], value[1500:]]),
        pa.table({"x": longer[7:2307]}),
    ]

    loaded = [
        again("arrow-table", other, tmp_path / str(position))
        for position, other in enumerate([value, *others])
    ]

    assert len({(tmp_path / str(i) / "data.arrow").read_bytes() for i in range(3)}) == 1
    assert all(table.equals(value) for table in loaded)


def test_a_column_that_has_no_one_form_is_refused(tmp_path: Path) -> None:
    """The error is about the data, and says what to do."""
    import pyarrow as pa

    runs = pa.RunEndEncodedArray.from_arrays(pa.array([3], pa.int32()), pa.array(["a"]))

    with pytest.raises(
        DataError, match=r"the table cannot be stored: .*run_end.*; cast the column"
    ):
        again("arrow-table", pa.table({"x": runs}), tmp_path)
