"""Progress of a user's own module: told as for any other training, whatever its batches are."""

from __future__ import annotations

import math
import warnings
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.utilities.data import extract_batch_size
from torch import Tensor

from mlrecipe import events
from mlrecipe.training.own.checkpoints import metrics_of
from mlrecipe.training.progress import TrainProgress


class ModuleProgress(TrainProgress):
    """Tells of every batch and epoch: how many steps a module makes of its batches is its own affair."""

    unit = "batches"

    def _count(self, trainer: pl.Trainer) -> int | None:
        batches = trainer.num_training_batches
        return int(batches) * (trainer.max_epochs or 1) if math.isfinite(batches) else None

    def _done(self, trainer: pl.Trainer) -> int:
        return trainer.fit_loop.epoch_loop.total_batch_idx + 1

    def _rows(self, batch: Any) -> int:
        return rows_of(batch)

    def _conclude(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, float]:
        return metrics_of(trainer)

    def _measure(self, trainer: pl.Trainer, outputs: Any) -> dict[str, float]:
        return _loss(outputs)


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
