"""Progress of a user's own module: told as for any other training, whatever its batches are."""

from __future__ import annotations

import math
import time
import warnings
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.data import extract_batch_size
from torch import Tensor

from mlrecipe import events
from mlrecipe.training.own.checkpoints import metrics_of

_LOSS_EVERY = 10
"""Steps between two looks at the loss: each waits for the device."""


class ModuleProgress(pl.Callback):
    """Tells of every step and epoch, and measures the time spent on training alone."""

    def __init__(self) -> None:
        self.train_seconds = 0.0
        self.rows_seen = 0
        self._values: dict[str, float] = {}
        self._total: int | None = None
        self._epoch_started = 0.0
        self._batch_started = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start counting."""
        batches = trainer.num_training_batches
        if math.isfinite(batches):
            self._total = int(batches) * (trainer.max_epochs or 1)
        events.emit(events.Progress(0, self._total, "batches"))

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the epoch's clock."""
        self._epoch_started = self._batch_started = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any,
        batch_idx: int,
    ) -> None:  # fmt: skip
        """Tell of the batch."""
        now = time.perf_counter()
        self.train_seconds += now - self._batch_started
        self._batch_started = now
        self.rows_seen += rows_of(batch)
        if batch_idx % _LOSS_EVERY == 0:
            self._values = _loss(outputs)
        done = trainer.fit_loop.epoch_loop.total_batch_idx + 1
        events.emit(events.Progress(done, self._total, "batches", self._values))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave validation out of the time of the next batch."""
        self._batch_started = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell of the epoch."""
        events.emit(
            events.EpochFinished(
                epoch=trainer.current_epoch + 1,
                epochs=trainer.max_epochs or 0,
                step=trainer.global_step,
                metrics=metrics_of(trainer),
                seconds=time.perf_counter() - self._epoch_started,
            )
        )


class ModuleTestProgress(pl.Callback):
    """Counts the rows that are tested."""

    def __init__(self) -> None:
        self.rows = 0

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any,
        batch_idx: int, dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        """Tell of the batch."""
        self.rows += rows_of(batch)
        events.emit(events.Progress(self.rows, None, "rows"))


def rows_of(batch: Any) -> int:
    """Rows of a batch, as far as it can be told; 0 where it cannot."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return int(extract_batch_size(batch))
        except Exception:  # noqa: BLE001  # it cannot be told, in whatever way
            return 0


def _loss(outputs: Any) -> dict[str, float]:
    loss = outputs.get("loss") if isinstance(outputs, dict) else outputs
    return {"loss": float(loss.detach())} if isinstance(loss, Tensor) and loss.numel() == 1 else {}
