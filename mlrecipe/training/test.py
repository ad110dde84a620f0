"""Testing: a checkpoint over every row of a split, once, with its predictions kept."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from datasets import Dataset

from mlrecipe import events
from mlrecipe.interfaces import Head, Model, Task
from mlrecipe.recipe.schema import TestSpec
from mlrecipe.training import trainer as trainers
from mlrecipe.training.checks import check_trainer
from mlrecipe.training.data import test_loader
from mlrecipe.training.devices import precision
from mlrecipe.training.devices.dealing import Dealt
from mlrecipe.training.frozen import layers as frozen
from mlrecipe.training.keeping.checkpoints import metrics_of, read_record
from mlrecipe.training.module import Learner
from mlrecipe.training.predictions import Predictions, merge, part
from mlrecipe.training.preparing import keyed, require_split
from mlrecipe.training.progress import TestProgress


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

    predictions: Path | None
    """Arrow stream with row, label, prediction and probabilities; None for a module of the user's own."""


def test(
    *,
    task: Task,
    model: Model,
    spec: TestSpec,
    data: Mapping[str, Dataset],
    checkpoint: Path,
    folder: Path,
    trainer: Mapping[str, Any] | None = None,
    derive: frozen.Derive | None = None,
) -> TestReport:
    """Test a checkpoint on a split; `predictions.arrow` and `metrics.json` go into `folder`.

    Labels go by the names that the checkpoint was trained with. `trainer` holds arguments of
    Lightning's Trainer. Several processes take the batches in turn; the first puts together what they give.
    `derive` keeps the outputs of a frozen encoder.

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
        kept = frozen.of_test(
            task=task, model=model, network=network, rows=encoded, split=spec.split, derive=derive
        )
        if kept is not None:
            task, encoded = kept.task, kept.encoded[spec.split]
        learner = Learner(task=task, head=head, network=network)
        keep = _Keep(folder / "predictions.arrow", head)
        lightning = trainers.make_trainer(
            folder=folder, loggers=[], callbacks=[TestProgress(rows=len(rows)), keep],
            **trainers.test_arguments(trainer or {}),
        )  # fmt: skip
        precision.use_kept(lightning, trainer or {}, checkpoint.parents[1])
        events.emit(events.StageStarted("test", f"{len(rows):,} rows of split {spec.split!r}"))
        started = time.perf_counter()
        if kept is not None:
            kept.settle(lightning, network, pays=True)
        loader = test_loader(
            task, spec, encoded, rank=lightning.global_rank, world_size=lightning.world_size
        )
        trainers.run(lambda: lightning.test(learner, loader, verbose=False))
    report = TestReport(
        metrics=metrics_of(lightning), rows=len(rows), seconds=time.perf_counter() - started,
        predictions=folder / "predictions.arrow",
    )  # fmt: skip
    if lightning.is_global_zero:
        _write_metrics(report, spec, folder / "metrics.json")
    return report


test.__test__ = False  # type: ignore[attr-defined]  # not a test for pytest


class _Keep(pl.Callback):
    """Writes each batch's predictions: a file for each process, then the first makes one of them."""

    def __init__(self, path: Path, head: Head) -> None:
        self._path = path
        self._head = head
        self._open = ExitStack()

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        is_alone = trainer.world_size == 1
        path = self._path if is_alone else part(self._path, trainer.global_rank)
        self._predictions = self._open.enter_context(
            Predictions(path, self._head.labels, problem_type=self._head.problem_type)
        )

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any,
        batch_idx: int, dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        rows = _batches(trainer).rows(batch_idx)
        if len(rows):
            self._predictions.add(outputs["scores"], outputs["targets"], rows=rows)

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._open.close()
        trainer.strategy.barrier("predictions")
        if trainer.world_size > 1 and trainer.is_global_zero:
            rows = len(_batches(trainer).all_rows)
            merge(self._path, world_size=trainer.world_size, rows=rows)
        trainer.strategy.barrier("merged")

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        self._open.__exit__(type(exception), exception, exception.__traceback__)


def _batches(trainer: pl.Trainer) -> Dealt:
    loader: Any = trainer.test_dataloaders
    sampler = (loader[0] if isinstance(loader, list) else loader).sampler
    assert isinstance(sampler, Dealt)  # `test` made it
    return sampler


def _write_metrics(report: TestReport, spec: TestSpec, path: Path) -> None:
    content = {"split": spec.split, "rows": report.rows, "metrics": dict(report.metrics)}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
