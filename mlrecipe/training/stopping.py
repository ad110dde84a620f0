"""Stopping: why a training ended, in a sentence."""

from __future__ import annotations

import pytorch_lightning as pl
from pytorch_lightning.callbacks import EarlyStopping

from mlrecipe.recipe.schema import TrainSpec
from mlrecipe.training.keeping.checkpoints import Checkpoints


def why_stopped(trainer: pl.Trainer, spec: TrainSpec, checkpoints: Checkpoints) -> str:
    """A sentence that says why training ended."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, EarlyStopping) and _has_stopped(callback):
            return (
                f"stopped early at step {trainer.global_step}: {_reason(trainer, callback)}; best "
                f"checkpoint at step {checkpoints.best_step}"
            )
    if spec.max_steps is not None and trainer.global_step >= spec.max_steps:
        return f"reached max_steps, {spec.max_steps}"
    if trainer.current_epoch >= spec.epochs:
        return f"finished {spec.epochs} {'epoch' if spec.epochs == 1 else 'epochs'}"
    return f"a callback ended it at step {trainer.global_step}"


def _has_stopped(callback: EarlyStopping) -> bool:
    """Whether it has ended the training; for the first epoch its `stopped_epoch` is 0."""
    reason = getattr(callback, "stopping_reason_message", None)
    return bool(reason or callback.stopped_epoch or _is_patient_no_more(callback))


def _is_patient_no_more(callback: EarlyStopping) -> bool:
    return callback.wait_count >= max(callback.patience, 1)


def _reason(trainer: pl.Trainer, callback: EarlyStopping) -> str:
    """That the metric did not improve, or to what it came: a threshold, or no number."""
    if not _is_patient_no_more(callback):
        value = float(trainer.callback_metrics[callback.monitor])
        return f"{callback.monitor} came to {value:.4g}"
    times = callback.wait_count
    return (
        f"{callback.monitor} has not improved on {float(callback.best_score):.4g} in {times} "
        f"{'validation' if times == 1 else 'validations'}"
    )
