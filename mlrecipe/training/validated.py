"""Validated: the files with the predictions of validations: how they are put together, which are kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from datasets import Dataset

from mlrecipe.errors import TrainingError
from mlrecipe.interfaces import Head
from mlrecipe.recipe import splits
from mlrecipe.training.companions import Companions, companions
from mlrecipe.training.keeping.records import step_of
from mlrecipe.training.streams import Stream

FOLDER = "validations"
"""Folder of a train run with the predictions of validations."""

_ROWS = 4096
"""Rows of a batch of a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """A split to validate on."""

    split: str
    place: str
    """What is before the `/` of its metrics."""

    file: str
    """Name of the file with its predictions."""

    beside: Companions
    """Columns that stand beside its predictions."""


def validated(
    valid_split: str | list[str], data: Mapping[str, Dataset], head: Head,
    columns: Sequence[str] | None,
) -> list[Validated]:  # fmt: skip
    """The splits to validate on, with those of `columns` that they have beside their predictions.

    None: with the columns that people read.
    """
    places = splits.places(valid_split, "valid")
    return [
        Validated(
            split=name, place=place,
            file="predictions.arrow" if len(places) == 1 else f"predictions-{name}.arrow",
            beside=companions(data[name], head, keep=_there(columns, data[name])),
        )
        for name, place in places.items()
    ]  # fmt: skip


def own(path: Path, rank: int) -> Path:
    """Where a process keeps its part of a validation's predictions until all are there."""
    return path.with_name(f".{path.name}.{rank}")


def gather(parts: Sequence[Path], path: Path, beside: Companions) -> None:
    """Put parts together in the order of their rows, with columns beside them, and remove them.

    Raises:
        TrainingError: a row is there twice.
    """
    tables = [_read(file) for file in parts]
    whole = pa.concat_tables(tables)
    rows = whole["row"].to_numpy()
    order = np.argsort(rows, kind="stable")
    if (np.diff(rows[order]) == 0).any():
        raise TrainingError("a row was validated twice")
    whole = whole.take(pa.array(order))
    schema = whole.schema
    for field in beside.fields:
        schema = schema.append(field)
    fresh = path.with_name(f".{path.name}.new")
    with closing(Stream(fresh, schema)) as stream:
        for start in range(0, len(whole), _ROWS):
            for batch in whole.slice(start, _ROWS).combine_chunks().to_batches():
                columns = [*batch.columns, *beside.of(batch.column("row").to_numpy())]
                stream.write(pa.RecordBatch.from_arrays(columns, schema=schema))
    os.replace(fresh, path)
    for file in parts:
        file.unlink()


def prune(run: Path, *, keep: int) -> None:
    """Remove predictions of validations, but for the `keep` newest and those whose checkpoint is kept."""
    found = {_step(path): path for path in (run / FOLDER).glob("step-*")}
    checkpoints = run / "checkpoints"
    wanted = {step_of(path) for path in checkpoints.iterdir()} if checkpoints.is_dir() else set()
    wanted |= set(sorted(found)[-keep:]) if keep > 0 else set()
    for step, path in found.items():
        if step not in wanted:
            shutil.rmtree(path, ignore_errors=True)


def _read(path: Path) -> pa.Table:
    with pa.memory_map(str(path)) as file, pa.ipc.open_stream(file) as stream:
        return stream.read_all()


def _there(columns: Sequence[str] | None, rows: Dataset) -> list[str] | None:
    return None if columns is None else [name for name in columns if name in rows.column_names]


def _step(path: Path) -> int:
    number = path.name.removeprefix("step-")
    return int(number) if number.isdigit() else -1
