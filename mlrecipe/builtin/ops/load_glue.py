"""The op `load-glue`: a task of the GLUE benchmark, from its own files or from the hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import mlrecipe
from mlrecipe import events
from mlrecipe.builtin.ops import _glue_rows, _reading
from mlrecipe.builtin.ops._delimited import Layout
from mlrecipe.builtin.ops._files import Source
from mlrecipe.builtin.ops._reading import Wanted
from mlrecipe.builtin.ops.load_dataset import load_dataset
from mlrecipe.errors import DataError
from mlrecipe.glue import HUB, ROWS, TASKS, Files, Task, chosen, locate
from mlrecipe.interfaces import DatasetSource

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, DatasetDict


@mlrecipe.op("load-glue")
def load_glue(
    *,
    task: Literal["cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli", "ax"],
    path: DatasetSource,
    splits: list[str] | None = None,
    strict: bool = False,
    revision: str | None = None,
    limit: int | None = None,
    scratch: Path,
) -> DatasetDict:
    """Load a task of the GLUE benchmark, or its diagnostic set `ax`.

    Splits, columns and the order of labels are the hub's, wherever the rows come from: `train`,
    `validation`, `test`, of MNLI also `validation_matched`, `validation_mismatched`, `test_matched`,
    `test_mismatched`. A row without a label has -1, without a score null. TSV files are read without
    quoting, every line as one row. Rows of train and dev files with too few or too many cells, or
    without a known label, are left out, counted, and named by their lines; in a test file what is
    missing at the end of a row is taken for empty, and any other bad row is an error. A split of files
    with another number of rows than GLUE's own is warned of.

    Args:
        task: name of the task, as the hub has it.
        path: the folder of all of GLUE's TSV files, or the task's own folder (`RTE/train.tsv` …), or
            Parquet files in the hub's layout (`rte/train-*.parquet`); or the hub's id,
            `nyu-mll/glue`.
        splits: the splits to load; by default all that the task has.
        strict: whether any bad row is an error, and so is another number of rows than GLUE's.
        revision: branch, tag or commit on the hub.
        limit: at most this many rows of each split.
        scratch: folder for what `datasets` prepares.
    """
    from datasets import DatasetDict

    what = TASKS[task]
    names = chosen(what, splits)
    folder = Path(path)
    if folder.is_dir() and not (folder / "dataset_dict.json").is_file():
        files = locate(what, folder, names)
        tables = {name: _table(what, name, files[name], strict, limit) for name in names}
        if limit is None:
            _check_rows(what, {name: table.num_rows for name, table in tables.items()}, strict)
    else:
        data = _from_hub(what, path, revision, scratch)
        tables = {name: _from(data, name, limit) for name in names}
    return DatasetDict({name: _split(what, name, table) for name, table in tables.items()})


def _table(task: Task, split: str, files: Files, strict: bool, limit: int | None) -> pa.Table:
    if not files.is_parquet:
        return _glue_rows.read(task, split, files, strict=strict, limit=limit)
    sources = [Source(path=path, key="path", format="parquet") for path in files.paths]
    wanted = Wanted(columns=list(task.columns), limit=limit)
    return _plain(_reading.read({split: sources}, Layout(), wanted)[split])


def _check_rows(task: Task, found: Mapping[str, int], strict: bool) -> None:
    """Say where splits have other numbers of rows than GLUE's: a file was cut off, or is another's."""
    official = ROWS[task.name]
    odd = [
        f"split {split!r} has {rows:,} rows, GLUE's has {official[split]:,}"
        for split, rows in found.items()
        if rows != official[split]
    ]
    if odd and strict:
        message = f"task {task.name!r}: {'; '.join(odd)}"
        raise DataError(message, key="path", hint="take the whole files, or drop strict")
    if odd:
        text = f"task {task.name!r}: {'; '.join(odd)}: scores do not compare with GLUE's"
        events.emit(events.Note(text, level="warning"))


def _from_hub(task: Task, path: str, revision: str | None, scratch: Path) -> DatasetDict:
    is_saved = Path(path).is_dir()
    name = None if is_saved else task.name
    try:
        return load_dataset(
            path=DatasetSource(path), name=name, revision=revision, scratch=scratch,
            columns=list(task.columns),
        )  # fmt: skip
    except DataError as error:
        if error.key != "name":
            raise
        hint = f"the hub has GLUE as {HUB!r}"
        raise DataError(f"{path!r} has no task {task.name!r}", key="path", hint=hint) from error


def _from(data: DatasetDict, split: str, limit: int | None) -> pa.Table:
    if split not in data:
        raise DataError(f"there is no split {split!r} (there are {', '.join(data)})", key="path")
    return _plain(data[split]).slice(0, limit)


def _plain(rows: Dataset) -> pa.Table:
    """The rows with names where labels are classes: their order is ours."""
    import pyarrow as pa

    table = rows.with_format("arrow")[:]
    names = getattr(rows.features["label"], "names", None)
    if names is None:
        return table
    ids = table.column("label").to_pylist()
    found = [names[i] if i is not None and 0 <= i < len(names) else None for i in ids]
    position = table.column_names.index("label")
    return table.set_column(position, "label", pa.array(found, pa.string()))


def _split(task: Task, split: str, table: pa.Table) -> Dataset:
    """The rows with the hub's types; of a test split without a single score, all are null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table = table.select(list(task.columns)).combine_chunks()
    labels = table.column("label")
    if task.labels:
        labels = _ids(labels, task.labels, split)
    else:
        labels = labels.cast(pa.float32())
        # The hub writes -1 for a score that is not known.
        labels = pc.if_else(pc.less(labels, 0), pa.scalar(None, pa.float32()), labels)
    table = table.set_column(table.column_names.index("label"), "label", labels)
    return _reading.dataset(table, {"label": task.labels} if task.labels else {})


def _ids(labels: pa.ChunkedArray, names: Sequence[str], split: str) -> pa.ChunkedArray:
    """The labels' ids, -1 for none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_string(labels.type):
        return labels.cast(pa.int64())
    ids = pc.index_in(labels, value_set=pa.array(names, pa.string()))
    unknown = pc.and_(pc.is_null(ids), pc.is_valid(labels))
    if pc.any(unknown).as_py():
        row = pc.index(unknown, True).as_py()
        raise DataError(
            f"label {labels[row].as_py()!r} of split {split!r} (row {row}) is none of the task's",
            key="path",
            hint=f"its labels are {', '.join(names)}",
        )
    return pc.fill_null(ids.cast(pa.int64()), -1)
