"""When validation comes, where epochs end in steps of fewer batches than others."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl


class Validations(pl.Callback):
    """Has Lightning validate after every so many optimizer steps; by itself it counts batches."""

    def __init__(self, steps: int) -> None:
        self._steps = steps

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go on as after the last batch before an interruption."""
        self._decide(trainer)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any,
        batch_idx: int,
    ) -> None:  # fmt: skip
        """Decide whether validation comes now."""
        self._decide(trainer)

    def _decide(self, trainer: pl.Trainer) -> None:
        progress = trainer.fit_loop.epoch_loop.batch_progress
        batches = progress.current.ready
        ends = batches in (trainer.num_training_batches, trainer.fit_loop.max_batches)
        stepped = batches % trainer.accumulate_grad_batches == 0 or ends
        is_due = stepped and trainer.global_step > 0 and trainer.global_step % self._steps == 0
        # Lightning validates when this divides the number of batches so far.
        trainer.val_check_batch = max(progress.total.ready, 1) + (not is_due)
