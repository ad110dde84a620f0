"""Progress: what happens in Lightning's loops, told as mlrecipe's events, and how long it took."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from mlrecipe import events
from mlrecipe.training.checkpoints import metrics_of

_LOSS_EVERY = 10
"""Steps between two looks at the loss: each waits for the device."""


class TrainProgress(pl.Callback):
    """Tells of every step and epoch, and measures the time spent on training alone."""

    def __init__(self) -> None:
        self.train_seconds = 0.0
        self.rows_seen = 0
        self._loss: dict[str, float] = {}
        self._total = 0
        self._epoch_started = 0.0
        self._batch_started = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start counting."""
        self._total = int(trainer.estimated_stepping_batches)
        events.emit(events.Progress(0, self._total, "steps"))

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the epoch's clock."""
        self._epoch_started = self._batch_started = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any,
        batch_idx: int,
    ) -> None:  # fmt: skip
        """Tell of the step."""
        now = time.perf_counter()
        self.train_seconds += now - self._batch_started
        self._batch_started = now
        self.rows_seen += len(next(iter(batch.values())))
        if batch_idx % _LOSS_EVERY == 0:
            self._loss = {"loss": _loss(outputs)}
        events.emit(events.Progress(trainer.global_step, self._total, "steps", self._loss))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave validation out of the time of the next step."""
        self._batch_started = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell of the epoch, with its mean loss per row."""
        mean: Any = pl_module.train_loss
        metrics = {k: v for k, v in metrics_of(trainer).items() if k.startswith("valid/")}
        metrics = {"train/loss": float(mean.compute()), **metrics}
        mean.reset()
        events.emit(
            events.EpochFinished(
                epoch=trainer.current_epoch + 1,
                epochs=trainer.max_epochs or 0,
                step=trainer.global_step,
                metrics=metrics,
                seconds=time.perf_counter() - self._epoch_started,
            )
        )


class TestProgress(pl.Callback):
    """Tells how many rows are tested."""

    __test__ = False  # not a test class for pytest

    def __init__(self, *, rows: int) -> None:
        self._rows = rows
        self._done = 0

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any,
        batch_idx: int, dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        """Tell of the batch."""
        self._done += len(outputs["targets"])
        events.emit(events.Progress(self._done, self._rows, "rows"))


def _loss(outputs: Any) -> float:
    loss = outputs["loss"] if isinstance(outputs, dict) else outputs
    return float(loss.detach()) if isinstance(loss, Tensor) else float(loss)
