"""Repeats: one recipe trained with several seeds, or on several parts of its rows, and what that comes to."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import Dataset
from numpy.typing import NDArray

from mlrecipe.errors import DataError
from mlrecipe.interfaces import Classes, Task
from mlrecipe.pipeline import stages
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe import splits
from mlrecipe.recipe.schema import TestSpec, TrainSpec
from mlrecipe.runs.run import Run
from mlrecipe.significance.trainings import deviation_of
from mlrecipe.store.records import Record
from mlrecipe.store.store import Store
from mlrecipe.training.batching.rows import Table
from mlrecipe.training.preparing import keyed, require_split
from mlrecipe.training.test import test as run_test

PREDICTIONS = "left-out.arrow"
"""File of a run: predictions of the rows that its fold left out, with their numbers in the train split."""

_SAME_MACHINE = ("accelerator", "precision")
_RATE = "lr-"
"""Begins what Lightning's `LearningRateMonitor` calls a learning rate."""

_KEY = 0xF01D
"""Keeps the draw of folds apart from what else is drawn by the same seed."""

Rows = NDArray[np.int64]


def part(
    task: Task, spec: TrainSpec, data: Mapping[str, Dataset], *, seed: int
) -> Mapping[str, Dataset]:
    """The splits with which a fold is trained: its rows of the train split are those to validate on.

    With several splits to validate on they are the first; the others stay as they are.

    Raises:
        DataError: there are fewer rows than folds.
    """
    if spec.folds is None or spec.fold is None:
        return data
    rows = require_split(data, spec.train_split, key="train.train_split")
    number = folds_of(task, spec, data, seed=seed)
    left_out = number == spec.fold
    return {
        **data,
        spec.train_split: _take(rows, np.flatnonzero(~left_out)),
        _fold_split(spec): _take(rows, np.flatnonzero(left_out)),
    }


def folds_of(task: Task, spec: TrainSpec, data: Mapping[str, Dataset], *, seed: int) -> Rows:
    """The fold of each row of the train split, from 1; every label is shared out evenly.

    Raises:
        DataError: there are fewer rows than folds.
    """
    rows = data[spec.train_split]
    assert spec.folds is not None  # the caller looked
    if len(rows) < spec.folds:
        message = (
            f"{spec.folds} folds need as many rows, and split {spec.train_split!r} has {len(rows)}"
        )
        raise DataError(message, key="train.folds")
    classes = np.zeros(len(rows), np.int64)
    if isinstance(task, Classes):
        with keyed("task"):
            head = task.head({spec.train_split: rows})
            classes = task.classes(task.encode(rows, head, split=spec.train_split))
    return deal(classes, spec.folds, seed=seed)


def deal(classes: Rows, folds: int, *, seed: int) -> Rows:
    """A number from 1 to `folds` for each row; the counts, also those of each class, differ by one at most."""
    random = np.random.default_rng([_KEY, seed])
    order = random.permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]
    found = np.empty(len(classes), np.int64)
    found[order] = np.arange(len(classes)) % folds + 1
    return found


def predict_left_out(
    request: Request, records: Mapping[str, Record], store: Store, run: Run
) -> None:
    """Write what the best checkpoint of a fold's run predicts for the rows that it has not learnt from."""
    recipe = request.loaded.recipe
    spec = recipe.train
    assert recipe.task is not None and recipe.model is not None  # noqa: PT018 (the caller checked)
    seed = recipe.seed if spec.seed is None else spec.seed
    name = spec.data
    data = stages.pick(store.load(records[name.partition(".")[0]]), name)
    task = stages.make(request, "task", recipe.task)
    folder = run.folder / ".left-out"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        run_test(
            task=task, model=stages.make(request, "model", recipe.model),
            spec=TestSpec(split=_fold_split(spec), batch_size=spec.eval_batch_size),
            data=part(task, spec, data, seed=seed), checkpoint=run.checkpoint("best"),
            folder=folder,
            trainer={k: v for k, v in spec.trainer.items() if k in _SAME_MACHINE},
        )  # fmt: skip
        numbers = np.flatnonzero(folds_of(task, spec, data, seed=seed) == spec.fold)
        table = _read(folder / "predictions.arrow")
        rows = pa.array(numbers[table["row"].to_numpy()], pa.int64())
        _write(table.set_column(0, "row", rows), run.folder / PREDICTIONS)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def gather(runs: Sequence[Run], path: Path) -> None:
    """Put the predictions of all folds together, in the order of the train split's rows."""
    tables = [_read(run.folder / PREDICTIONS) for run in runs]
    whole = pa.concat_tables(tables)
    _write(whole.take(pa.array(np.argsort(whole["row"].to_numpy(), kind="stable"))), path)


def summary(values: Sequence[Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """Metric → mean, standard deviation (of a sample) and the values, of what all members report.

    Learning rates, which a `LearningRateMonitor` logs beside a module's metrics, are none.
    """
    names = [name for name in values[0] if all(name in each for each in values)
             and not name.startswith(_RATE)]  # fmt: skip
    found = {}
    for name in names:
        each = [float(metrics[name]) for metrics in values]
        found[name] = {"mean": mean(each), "std": deviation_of(each), "values": each}
    return found


def read_metrics(run: Run) -> dict[str, float]:
    """What a run's `metrics.json` says."""
    found: dict[str, float] = json.loads((run.folder / "metrics.json").read_text(encoding="utf-8"))
    return found


def _fold_split(spec: TrainSpec) -> str:
    """The split that a fold takes the place of; the recipe was checked to have one."""
    return splits.names(spec.valid_split)[0]


def _take(rows: Dataset, numbers: Rows) -> Dataset:
    """These rows as a data set that is its own, as tasks read it."""
    return Dataset(Table(rows).take(numbers), info=rows.info)


def _read(path: Path) -> pa.Table:
    with path.open("rb") as file:
        return pa.ipc.open_stream(file).read_all()


def _write(table: pa.Table, path: Path) -> None:
    fresh = path.with_name(f".{path.name}.new")
    with pa.OSFile(str(fresh), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    os.replace(fresh, path)
