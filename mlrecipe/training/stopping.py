"""Stopping: why a training ended, in a sentence."""

from __future__ import annotations

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping

from mlrecipe.recipe.schema import TrainSpec
from mlrecipe.training.keeping.checkpoints import Checkpoints


def why_stopped(trainer: pl.Trainer, spec: TrainSpec, checkpoints: Checkpoints) -> str:
    """A sentence that says why training ended."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, EarlyStopping) and callback.stopped_epoch:
            times = callback.wait_count
            return (
                f"stopped early at step {trainer.global_step}: {callback.monitor} has not improved "
                f"on {float(callback.best_score):.4g} in {times} "
                f"{'validation' if times == 1 else 'validations'}; best "
                f"checkpoint at step {checkpoints.best_step}"
            )
    if spec.max_steps is not None and trainer.global_step >= spec.max_steps:
        return f"reached max_steps, {spec.max_steps}"
    if trainer.current_epoch >= spec.epochs:
        return f"finished {spec.epochs} {'epoch' if spec.epochs == 1 else 'epochs'}"
    return f"a callback ended it at step {trainer.global_step}"
