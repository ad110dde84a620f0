"""Formats of Hugging Face data sets: canonical Arrow files, memory-mapped on load."""

from __future__ import annotations

import atexit
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from datasets import ClassLabel, Dataset, DatasetDict, Features, LargeList, List, Value
from datasets.table import MemoryMappedTable

import mlrecipe
from mlrecipe.builtin.formats import _arrow, _rows, _summary
from mlrecipe.errors import DataError, StoreError
from mlrecipe.interfaces import Summary

_FACTS = "dataset.json"
_SPLITS = "splits.json"


@mlrecipe.format("dataset", types=("datasets.arrow_dataset.Dataset",))
class DatasetFormat(_rows.DatasetRows):
    """One `datasets.Dataset`: `data.arrow` (an Arrow stream) and `dataset.json`."""

    def save(self, value: Dataset, folder: Path) -> None:
        """Write the rows; indices, slices, chunks, caches and `split` leave no trace."""
        content = _arrow.write(_batches(value), _schema(value), folder / _arrow.FILE)
        (folder / _FACTS).write_text(json.dumps({"xxh3_128": content}), encoding="utf-8")

    def load(self, folder: Path) -> Dataset:
        """The data set, memory-mapped; caches of its `map` go to a temporary folder."""
        facts = json.loads((folder / _FACTS).read_text(encoding="utf-8"))
        # `datasets` writes caches beside the file that it mapped: show it a link outside the store.
        link = Path(tempfile.mkdtemp(prefix="mlrecipe-")) / _arrow.FILE
        atexit.register(shutil.rmtree, link.parent, ignore_errors=True)
        link.symlink_to((folder / _arrow.FILE).resolve())
        # Names the content for `datasets`, which derives the names of its caches from it.
        (content,) = facts.values()
        return Dataset(MemoryMappedTable.from_file(str(link)), fingerprint=content[:16])

    def describe(self, value: Dataset) -> Summary:
        """Rows, features, label counts and the first rows."""
        return _describe({"": value}, "Dataset")


@mlrecipe.format("dataset-dict", types=("datasets.dataset_dict.DatasetDict",))
class DatasetDictFormat(_rows.DatasetDictRows):
    """A `datasets.DatasetDict`: a folder per split, and their order in `splits.json`."""

    def save(self, value: DatasetDict, folder: Path) -> None:
        """Write each split as format `dataset` does.

        Raises:
            DataError: a split's name cannot be a folder's.
        """
        for name in value:
            _check_split_name(name)
        for name, split in value.items():
            (folder / name).mkdir()
            DatasetFormat().save(split, folder / name)
        (folder / _SPLITS).write_text(json.dumps(list(value)), encoding="utf-8")

    def load(self, folder: Path) -> DatasetDict:
        """The splits in their order, memory-mapped."""
        names = json.loads((folder / _SPLITS).read_text(encoding="utf-8"))
        for name in names:
            if not (folder / str(name)).is_dir():
                raise StoreError(f"split {name!r} is missing from a stored data set")
        return DatasetDict({name: DatasetFormat().load(folder / name) for name in names})

    def load_entry(self, folder: Path, entry: str) -> Dataset:
        """One split.

        Raises:
            KeyError: there is none of that name.
        """
        if entry not in json.loads((folder / _SPLITS).read_text(encoding="utf-8")):
            raise KeyError(entry)
        return DatasetFormat().load(folder / entry)

    def describe(self, value: DatasetDict) -> Summary:
        """Rows of each split, features of the first, label counts and first rows."""
        return _describe(value, "DatasetDict")


def feature_type(feature: Any) -> str:
    """A feature in words: `int64`, `list<string>`, `class_label(negative, positive)`."""
    if isinstance(feature, Value):
        return str(feature.dtype)
    if isinstance(feature, ClassLabel):
        names = [str(name) for name in feature.names or []]
        more = [f"… {len(names)} in all"] if len(names) > _summary.FEW else []
        return f"class_label({', '.join(names[: _summary.FEW] + more)})"
    if isinstance(feature, LargeList | List):
        return f"list<{feature_type(feature.feature)}>"
    if isinstance(feature, Mapping):
        inside = ", ".join(f"{name}: {feature_type(item)}" for name, item in feature.items())
        return f"struct<{inside}>"
    return type(feature).__name__


def _schema(dataset: Dataset) -> pa.Schema:
    """The columns' types as the features say, with the features themselves as the only metadata."""
    features = Features({name: dataset.features[name] for name in dataset.column_names})
    info = {"info": {"features": features.to_dict()}}
    schema = features.arrow_schema.remove_metadata()
    return schema.with_metadata({"huggingface": json.dumps(info)})


def _batches(dataset: Dataset) -> Iterator[pa.Table]:
    rows = _plain(dataset)
    step = _arrow.batch_rows(len(dataset))
    for start in range(0, len(dataset), step):
        yield rows[start : start + step]


def _plain(dataset: Dataset) -> Dataset:
    """The data set as Arrow tables, all columns, whatever its format was."""
    dataset = dataset.with_format(None)
    return dataset.with_format("arrow")


def _check_split_name(name: Any) -> None:
    if not isinstance(name, str) or not name or name.startswith(".") or "/" in name or "\0" in name:
        raise DataError(f"a split may not be named {name!r}")
    if name == _SPLITS:
        raise DataError(f"a split may not be named {name!r}")


def _describe(splits: Mapping[str, Dataset], kind: str) -> Summary:
    first = next(iter(splits.values()), None)
    features = first.features if first is not None else {}
    return Summary(
        kind=kind,
        rows={str(name): len(split) for name, split in splits.items()},
        schema={name: feature_type(feature) for name, feature in features.items()},
        labels=_labels(splits),
        sample={str(name): _summary.sample(_head(split)) for name, split in splits.items()},
    )


def _labels(splits: Mapping[str, Dataset]) -> dict[str, dict[str, dict[str, int]]]:
    """Column → split → label → rows, for what looks like labels in any split and is so in all."""
    columns = dict.fromkeys(name for split in splits.values() for name in _label_columns(split))
    found = {}
    for column in columns:
        counts = {
            str(name): _count(split, column)
            for name, split in splits.items()
            if column in split.column_names
        }
        known = {name: count for name, count in counts.items() if count is not None}
        if len(known) == len(counts):
            found[column] = known
    return found


def _count(split: Dataset, column: str) -> dict[str, int] | None:
    names = getattr(split.features[column], "names", None) or ()
    values = _plain(split.select_columns(column))[:].column(column)
    return _summary.count(column, values, names)


def _label_columns(split: Dataset) -> list[str]:
    like = _summary.label_columns(_head(split, _summary.LOOK_ROWS)) if len(split) else []
    return [
        name
        for name, feature in split.features.items()
        if isinstance(feature, ClassLabel) or name in like
    ]


def _head(split: Dataset, rows: int = _summary.SAMPLE_ROWS) -> pa.Table:
    return _plain(split)[: min(rows, len(split))]
