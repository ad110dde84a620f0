"""Testing: a checkpoint over every row of a split, once, with its predictions kept."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from datasets import Dataset

from mlrecipe import events
from mlrecipe.interfaces import Model, Task
from mlrecipe.recipe.schema import TestSpec
from mlrecipe.training import trainer as trainers
from mlrecipe.training.checkpoints import metrics_of, read_record
from mlrecipe.training.checks import check_trainer
from mlrecipe.training.data import test_loader
from mlrecipe.training.fit import keyed, require_split
from mlrecipe.training.module import Learner
from mlrecipe.training.predictions import Predictions
from mlrecipe.training.progress import TestProgress

_ONE_PROCESS: Mapping[str, Any] = {"devices": 1, "num_nodes": 1, "strategy": "auto"}
"""Several processes would repeat rows to share them evenly; each row must count once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestReport:
    """What the test came to."""

    __test__ = False  # not a test class for pytest

    metrics: Mapping[str, float]
    """`test/loss` and `test/…` for each metric of the task."""

    rows: int
    """Rows tested."""

    seconds: float
    """Wall-clock time, loading of the model left out."""

    predictions: Path
    """Arrow stream with row, label, prediction and probabilities."""


def test(
    *,
    task: Task,
    model: Model,
    spec: TestSpec,
    data: Mapping[str, Dataset],
    checkpoint: Path,
    folder: Path,
    trainer: Mapping[str, Any] | None = None,
) -> TestReport:
    """Test a checkpoint on a split; `predictions.arrow` and `metrics.json` go into `folder`.

    Labels go by the names that the checkpoint was trained with. `trainer` holds arguments of
    Lightning's Trainer; the test itself runs in one process.

    Raises:
        DataError: the split is missing or does not fit the checkpoint; `key` is the recipe's own.
        TrainingError: there is no checkpoint, or it is damaged.
    """
    check_trainer(trainer or {}, trainers.TRAINER_ARGUMENTS)
    rows = require_split(data, spec.split, key="test.split")
    head = read_record(checkpoint).head
    with keyed("task", data="test.data"):
        encoded = task.encode(rows, head, split=spec.split)
    with trainers.quiet(), keyed("task", data="test.data"):
        network = model.load(checkpoint)
        task.check(network, encoded, split=spec.split)
        learner = Learner(task=task, head=head, network=network)
        with Predictions(folder / "predictions.arrow", head.labels) as predictions:
            lightning = trainers.make_trainer(
                folder=folder, loggers=[],
                callbacks=[TestProgress(rows=len(rows)), _Keep(predictions)],
                **{**(trainer or {}), **_ONE_PROCESS},
            )  # fmt: skip
            events.emit(events.StageStarted("test", f"{len(rows):,} rows of split {spec.split!r}"))
            started = time.perf_counter()
            loader = test_loader(task, spec, encoded)
            trainers.run(lambda: lightning.test(learner, loader, verbose=False))
    report = TestReport(
        metrics=metrics_of(lightning),
        rows=predictions.rows,
        seconds=time.perf_counter() - started,
        predictions=folder / "predictions.arrow",
    )
    _write_metrics(report, spec, folder / "metrics.json")
    return report


test.__test__ = False  # type: ignore[attr-defined]  # not a test for pytest


class _Keep(pl.Callback):
    """Writes each batch's predictions."""

    def __init__(self, predictions: Predictions) -> None:
        self._predictions = predictions

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any,
        batch_idx: int, dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        self._predictions.add(outputs["scores"], outputs["targets"])


def _write_metrics(report: TestReport, spec: TestSpec, path: Path) -> None:
    content = {"split": spec.split, "rows": report.rows, "metrics": dict(report.metrics)}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
