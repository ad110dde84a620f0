"""Data sets become canonical files and come back equal."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mlrecipe import DataError
from mlrecipe.registry import registries

pytestmark = pytest.mark.heavy

ROWS = 2500


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below `folder`."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(f.relative_to(folder)): sha256(f.read_bytes()).hexdigest() for f in files}


def save(value: Any, folder: Path) -> Path:
    """`folder`, with the value in it."""
    folder.mkdir(parents=True)
    name = "dataset-dict" if isinstance(value, dict) else "dataset"
    registries["format"].get(name)().save(value, folder)
    return folder


def load(folder: Path) -> Any:
    """The data set in `folder`."""
    return registries["format"].get("dataset")().load(folder)


def rows(start: int, stop: int) -> dict[str, list[Any]]:
    """Columns of every kind, with nulls, nesting and empty lists."""
    numbers = range(start, stop)
    return {
        "text": [None if i % 11 == 0 else f"text {i} " * (i % 5) for i in numbers],
        "label": [i % 3 for i in numbers],
        "score": [None if i % 13 == 0 else i / 7 for i in numbers],
        "flag": [None if i % 17 == 0 else i % 2 == 0 for i in numbers],
        "ids": [None if i % 19 == 0 else list(range(i % 6)) for i in numbers],
        "spans": [[{"start": i, "name": "x" * (j + 1)} for j in range(i % 3)] for i in numbers],
        "meta": [{"a": None if i % 5 == 0 else i, "b": {"c": str(i)}} for i in numbers],
    }


@pytest.fixture(scope="module")
def features() -> Any:
    """Features of `rows`."""
    from datasets import ClassLabel, Features, List, Value

    return Features(
        {
            "text": Value("string"),
            "label": ClassLabel(names=["bad", "so-so", "good"]),
            "score": Value("float32"),
            "flag": Value("bool"),
            "ids": List(Value("int32")),
            "spans": List({"start": Value("int64"), "name": Value("string")}),
            "meta": {"a": Value("int64"), "b": {"c": Value("large_string")}},
        }
    )


@pytest.fixture(scope="module")
def data(features: Any) -> Any:
    """A data set in memory."""
    from datasets import Dataset

    return Dataset.from_dict(rows(0, ROWS), features=features)


@pytest.fixture(scope="module")
def saved(data: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the data set is saved in."""
    return save(data, tmp_path_factory.mktemp("saved") / "object")


def _rebuilt(data: Any) -> Any:
    from datasets import Dataset

    return Dataset.from_list(data.to_list(), features=data.features)


def _sliced(data: Any) -> Any:
    from datasets import Dataset

    more = Dataset.from_dict(rows(-77, ROWS + 33), features=data.features)
    return more.select(range(77, 77 + ROWS))


def _shuffled_back(data: Any) -> Any:
    order = random.Random(0).sample(range(len(data)), len(data))
    back = sorted(range(len(data)), key=order.__getitem__)
    return data.select(order).select(back)


def _filtered(data: Any) -> Any:
    from datasets import concatenate_datasets

    keep = [i % 3 != 0 for i in range(2 * len(data))]
    picked = iter(range(len(data)))
    doubled = concatenate_datasets([data, data])
    wanted = [next(picked) if k and n < len(data) else None for n, k in enumerate(keep)]
    order = [i for i in wanted if i is not None]
    rest = list(range(len(order), len(data)))
    return doubled.select(order + rest).filter(lambda _, i: i >= 0, with_indices=True)


def _chunked(data: Any) -> Any:
    from datasets import Dataset, concatenate_datasets

    ends = [0, 1, 998, 1000, 1001, 2222, ROWS]
    parts = [rows(a, b) for a, b in pairwise(ends)]
    return concatenate_datasets([Dataset.from_dict(p, features=data.features) for p in parts])


def _with_format(data: Any) -> Any:
    return data.with_format("numpy", columns=["label"])


def _other_split(data: Any) -> Any:
    from datasets import Dataset

    return Dataset(data.data, info=data.info, split="valid")


@pytest.mark.parametrize(
    "again",
    [_rebuilt, _sliced, _shuffled_back, _filtered, _chunked, _with_format, _other_split],
    ids=lambda function: function.__name__.strip("_"),
)
def test_store_20_equal_data_sets_give_equal_bytes(
    data: Any, saved: Path, tmp_path: Path, again: Callable[[Any], Any]
) -> None:
    """However a data set came about, its files depend on its rows and features alone."""
    other = save(again(data), tmp_path / "other")

    assert digests(other) == digests(saved)


def test_store_20_another_order_of_rows_gives_other_bytes(
    data: Any, saved: Path, tmp_path: Path
) -> None:
    """The order of the rows is part of the value."""
    other = save(data.select([1, 0, *range(2, ROWS)]), tmp_path / "other")

    assert digests(other)["data.arrow"] != digests(saved)["data.arrow"]


@pytest.mark.parametrize("change", ["feature", "cell", "columns"])
def test_store_10_a_small_difference_gives_other_bytes(
    data: Any, saved: Path, tmp_path: Path, change: str
) -> None:
    """A label's name, one deep element, the order of columns: each is part of the value."""
    from datasets import ClassLabel, Dataset

    if change == "feature":
        other = data.cast_column("label", ClassLabel(names=["bad", "so-so", "great"]))
    elif change == "columns":
        other = data.select_columns(data.column_names[::-1])
    else:
        columns = rows(0, ROWS)
        columns["meta"][ROWS - 1]["b"]["c"] = "changed"
        other = Dataset.from_dict(columns, features=data.features)

    assert digests(save(other, tmp_path / "other")) != digests(saved)


def test_store_20_what_lies_under_nulls_does_not_count(tmp_path: Path) -> None:
    """Arrow keeps garbage where a value is null; the files do not."""
    import pyarrow as pa
    from datasets import Dataset

    def table(garbage: int) -> Any:
        valid = pa.py_buffer(bytes([0b101]))
        inner = pa.Array.from_buffers(
            pa.int64(), 3, [None, pa.array([1, garbage, 3], pa.int64()).buffers()[1]]
        )
        numbers = pa.Array.from_buffers(pa.int64(), 3, [valid, inner.buffers()[1]])
        struct = pa.StructArray.from_arrays([inner], ["x"], mask=pa.array([False, True, False]))
        offsets = pa.array([0, 1, 2, 3], pa.int32())
        lists = pa.ListArray.from_arrays(offsets, inner, mask=pa.array([False, True, False]))
        return pa.table({"numbers": numbers, "struct": struct, "lists": lists})

    first = save(Dataset(table(7)), tmp_path / "first")
    second = save(Dataset(table(8)), tmp_path / "second")

    assert digests(first) == digests(second)
    assert load(first)["lists"][:] == [[1], None, [3]]


def test_a_data_set_comes_back_equal(data: Any, saved: Path) -> None:
    """Rows, nulls, features and the order of columns survive."""
    again = load(saved)

    assert again.features == data.features
    assert again.column_names == data.column_names
    assert again[:] == data[:]


def test_store_20_what_is_loaded_saves_to_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    """Saving a loaded data set changes nothing."""
    assert digests(save(load(saved), tmp_path / "again")) == digests(saved)


def test_store_28_a_loaded_data_set_is_memory_mapped(saved: Path) -> None:
    """Loading allocates next to nothing, however big the file is."""
    import pyarrow as pa

    before = pa.total_allocated_bytes()

    again = load(saved)

    assert pa.total_allocated_bytes() - before < 10_000
    assert again.data.nbytes > 100_000


def test_a_loaded_data_set_has_the_fingerprint_of_its_content(
    saved: Path, data: Any, tmp_path: Path
) -> None:
    """What `map` caches by is neither time nor place."""
    again = save(_rebuilt(data), tmp_path / "elsewhere")
    shorter = save(data.select(range(5)), tmp_path / "shorter")

    assert load(again)._fingerprint == load(saved)._fingerprint
    assert load(shorter)._fingerprint != load(saved)._fingerprint


def test_mapping_a_loaded_data_set_leaves_the_store_alone(saved: Path) -> None:
    """The caches of `datasets` go elsewhere, and the result is memory-mapped all the same."""
    before = digests(saved)

    mapped = load(saved).map(lambda row: {"double": row["label"] * 2})

    assert digests(saved) == before
    assert mapped.cache_files
    assert not mapped.cache_files[0]["filename"].startswith(str(saved))


def test_loading_twice_gives_independent_data_sets(saved: Path) -> None:
    """A change of one is not seen in the other."""
    first, second = load(saved), load(saved)
    first.info.description = "changed"
    first.set_format("numpy")

    assert second.info.description == ""
    assert second.format["type"] is None


def test_the_order_of_splits_comes_back(data: Any, tmp_path: Path) -> None:
    """Splits are in the order of the value, not of the folder."""
    from datasets import DatasetDict

    value = DatasetDict(zeta=data.select([1]), alpha=data.select([]), mid=data.select([2, 0]))
    folder = save(value, tmp_path / "splits")

    again = registries["format"].get("dataset-dict")().load(folder)

    assert list(again) == ["zeta", "alpha", "mid"]
    assert [len(split) for split in again.values()] == [1, 0, 2]
    assert again["mid"][:] == value["mid"][:]
    assert again["alpha"].features == data.features


@pytest.mark.parametrize("name", ["", "..", "a/b", ".hidden", "splits.json"])
def test_a_split_that_is_no_folder_name_is_refused(data: Any, tmp_path: Path, name: str) -> None:
    """Nothing is written outside of the folder."""
    from datasets import DatasetDict

    with pytest.raises(DataError, match="split"):
        save(DatasetDict({name: data.select([0])}), tmp_path / "splits")


def test_describe_counts_labels_and_shortens_rows() -> None:
    """`inspect` gets types in words, counts by label name and cut values, all JSON."""
    from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

    features = Features(
        {
            "text": Value("string"),
            "label": ClassLabel(names=["neg", "pos"]),
            "lang": Value("string"),
            "truncated": Value("bool"),
            "ids": List(Value("int32")),
            "score": Value("float64"),
        }
    )
    columns = {
        "text": [f"{i} " + "x" * 300 for i in range(100)],
        "label": [1] * 60 + [0] * 38 + [-1, None],
        "lang": ["en", "de"] * 50,
        "truncated": [True] * 5 + [False] * 95,
        "ids": [list(range(40))] * 100,
        "score": [float("nan")] * 100,
    }
    train = Dataset.from_dict(columns, features=features)
    value = DatasetDict(train=train, test=train.select([99, 0]), none=train.select([]))

    found = registries["format"].get("dataset-dict")().describe(value)

    assert found.kind == "DatasetDict"
    assert found.rows == {"train": 100, "test": 2, "none": 0}
    assert found.schema["label"] == "class_label(neg, pos)"
    assert found.schema["ids"] == "list<int32>"
    assert found.labels["label"]["train"] == {"-1": 1, "neg": 38, "pos": 60, "null": 1}
    assert found.labels["label"]["test"] == {"pos": 1, "null": 1}
    assert found.labels["lang"]["train"] == {"de": 50, "en": 50}
    assert found.labels["truncated"]["train"] == {"false": 95, "true": 5}
    assert "text" not in found.labels
    first = found.sample["train"][0]
    assert first["text"] == ("0 " + "x" * 300)[:200] + "…"
    assert first["ids"] == [*range(16), "…"]
    assert [len(sample) for sample in found.sample.values()] == [3, 2, 0]
    json.dumps([dict(found.labels), dict(found.sample), dict(found.schema)], allow_nan=False)


def test_describe_covers_every_split_with_few_rows() -> None:
    """A column that is labels in one split is counted in all of them."""
    from datasets import Dataset, DatasetDict

    train = Dataset.from_dict({"lang": ["en", "de"] * 50})
    value = DatasetDict(train=train, test=train.select([0]))

    found = registries["format"].get("dataset-dict")().describe(value)

    assert found.labels["lang"] == {"train": {"de": 50, "en": 50}, "test": {"en": 1}}
