"""Progress: what happens in Lightning's loops, told as mlrecipe's events, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from typing import Any

import pytorch_lightning as pl
from torch import Tensor

from mlrecipe import events
from mlrecipe.training.batching.fill import Fill
from mlrecipe.training.keeping.checkpoints import metrics_of
from mlrecipe.training.memory import memory

_LOSS_EVERY = 10
"""Steps between two looks at the loss: each waits for the device."""


class TrainProgress(pl.Callback):
    """Tells of every step and epoch, and measures the time spent on training alone."""

    unit = "steps"

    def __init__(self, *, fill: Fill | None = None, valid: Iterable[str] = ("valid",)) -> None:
        """Tell of the metrics whose names have one of `valid` before the `/`."""
        self.train_seconds = 0.0
        self.rows_seen = 0
        self.fill = fill
        """Counts the tokens, where somebody does."""

        self.hidden: Collection[str] = ()
        """Metrics that are not told of: they are many."""

        self._valid = tuple(valid)
        self._values: dict[str, float] = {}
        self._total: int | None = 0
        self._epoch_started = 0.0
        self._batch_started = 0.0

    def state_dict(self) -> dict[str, Any]:
        """What was counted."""
        return {"train_seconds": self.train_seconds, "rows_seen": self.rows_seen}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on counting from there."""
        self.train_seconds = state_dict["train_seconds"]
        self.rows_seen = state_dict["rows_seen"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start counting, after an interruption amid an epoch, too."""
        self._epoch_started = self._batch_started = time.perf_counter()
        self._total = self._count(trainer)
        events.emit(events.Progress(self._done(trainer), self._total, self.unit))

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
        self.rows_seen += self._rows(batch)
        if batch_idx % _LOSS_EVERY == 0:
            self._values = self._measure(trainer, outputs)
        events.emit(events.Progress(self._done(trainer), self._total, self.unit, self._values))

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave validation out of the time of the next step."""
        self._batch_started = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell of the epoch."""
        events.emit(
            events.EpochFinished(
                epoch=trainer.current_epoch + 1,
                epochs=trainer.max_epochs or 0,
                step=trainer.global_step,
                metrics=self._conclude(trainer, pl_module),
                seconds=time.perf_counter() - self._epoch_started,
            )
        )

    def _count(self, trainer: pl.Trainer) -> int | None:
        """How many there will be, where that is known."""
        return int(trainer.estimated_stepping_batches)

    def _done(self, trainer: pl.Trainer) -> int:
        return trainer.global_step

    def _rows(self, batch: Any) -> int:
        return len(next(iter(batch.values())))

    def _conclude(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> dict[str, float]:
        """The epoch's metrics, with its mean loss per row."""
        mean: Any = pl_module.train_loss
        starts = tuple(f"{place}/" for place in self._valid)
        metrics = {k: v for k, v in metrics_of(trainer).items()
                   if k.startswith(starts) and k not in self.hidden}  # fmt: skip
        metrics = {"train/loss": float(mean.compute()), **metrics}
        mean.reset()
        return metrics

    def _measure(self, trainer: pl.Trainer, outputs: Any) -> dict[str, float]:
        """Numbers for the display; speeds are means since training began, validation left out."""
        seconds = max(self.train_seconds, 1e-9) / trainer.world_size
        # What Lightning hands on is what was added to the step, not the mean over the rows.
        newest = getattr(trainer.lightning_module, "newest_loss", None)
        found = {"loss": _loss(outputs if newest is None else newest)}
        rates = [group["lr"] for o in trainer.optimizers for group in o.param_groups]
        if rates:
            found["rate"] = float(max(rates))
        if self.fill is not None:
            found["tokens/s"] = self.fill.tokens / seconds
        return {
            **found, "examples/s": self.rows_seen / seconds,
            "memory": float(memory(trainer.strategy.root_device)),
        }  # fmt: skip


class TestProgress(pl.Callback):
    """Tells how many rows are tested."""

    __test__ = False  # not a test class for pytest

    def __init__(self, *, rows: int) -> None:
        self._rows = rows
        self.done = 0
        """Rows that are tested."""

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any,
        batch_idx: int, dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        """Tell of the batch."""
        self.done += len(outputs["scores"])
        events.emit(events.Progress(self.done, self._rows, "rows"))


def _loss(outputs: Any) -> float:
    loss = outputs["loss"] if isinstance(outputs, dict) else outputs
    return float(loss.detach()) if isinstance(loss, Tensor) else float(loss)
