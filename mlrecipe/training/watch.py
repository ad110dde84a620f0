"""The watch over a training: what is no longer a number stops it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytorch_lightning as pl
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

from mlrecipe.errors import TrainingError
from mlrecipe.training.data import TrainData

FOLDER = "not-finite"
"""Folder of a run directory with the batch at which training stopped."""

_HINT = (
    "try a lower train.optimizer.lr, a longer train.scheduler.warmup, a smaller "
    'train.trainer.gradient_clip_val, or train.trainer.precision = "fp32"'
)
MODULE_HINT = (
    "try a lower learning rate in the module's `configure_optimizers`, or in [task] where that names it, "
    'clipped gradients, or train.trainer.precision = "fp32"'
)
"""What to try with a `LightningModule`, which makes its optimizers itself."""


class NotFinite(TrainingError):
    """A loss is infinite or not a number, or weights are: by gradients that were, or too large a step."""

    def __init__(self, message: str, *, hint: str, is_broken: bool) -> None:
        super().__init__(message, hint=hint)
        self.is_broken = is_broken
        """Whether the weights are, too: then they are not worth keeping."""


class Watch(pl.Callback):
    """Stops training at a loss or weight that is no number, and keeps the batch that it comes from.

    On a GPU a loss is looked at while the next batch is computed, so that nothing waits for it.
    """

    def __init__(self, folder: Path, *, hint: str = _HINT) -> None:
        """Watch a training whose batch, should it fail, goes into `folder`; `hint` says what to try."""
        self._folder = folder
        self._hint = hint
        self._batch: tuple[int, Any] | None = None
        self._before: tuple[int, Any] | None = None
        self._flag: tuple[Tensor, torch.cuda.Event] | None = None

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Remember the batch, and the one before it."""
        self._before, self._batch = self._batch, (batch_idx, batch)

    def on_before_backward(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, loss: Tensor
    ) -> None:
        """Look at the loss before anything is learnt from it."""
        if loss.device.type != "cuda":
            if not math.isfinite(float(loss.detach())):
                self._stop_at_loss(trainer, pl_module)
            return
        late = self._flag
        flag = torch.empty((), dtype=torch.bool, pin_memory=True)
        flag.copy_(torch.isfinite(loss.detach()).all(), non_blocking=True)
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record()
        self._flag = (flag, event)
        if late is not None:
            late[1].synchronize()
            if not bool(late[0]):
                self._stop(trainer, self._before, is_broken=True, step=trainer.global_step)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the weights before they are validated and kept."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._look_at_weights(trainer, pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Look at the weights before they are kept."""
        self._look_at_weights(trainer, pl_module)
        self._batch = self._before = self._flag = None

    def _look_at_weights(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if self._batch is not None and _are_broken(module):
            self._stop(trainer, self._batch, is_broken=True, step=trainer.global_step)

    def _stop_at_loss(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """With broken weights any loss is none: the gradients of the batch before have broken them."""
        if _are_broken(module) and self._before is not None:
            self._stop(trainer, self._before, is_broken=True, step=trainer.global_step)
        self._stop(
            trainer, self._batch, is_broken=_are_broken(module), step=trainer.global_step + 1
        )

    def _stop(
        self, trainer: pl.Trainer, batch: tuple[int, Any] | None, *, is_broken: bool, step: int
    ) -> NoReturn:
        """Keep the batch and raise."""
        what = "the weights are" if is_broken else "the loss is"
        facts: dict[str, Any] = {"step": step, "epoch": trainer.current_epoch + 1}
        message = f"{what} infinite or not a number at step {step:,}, epoch {facts['epoch']}"
        place = "/".join(self._folder.parts[-3:])  # runs/ID/not-finite
        if batch is not None:
            rows = _rows(trainer, batch[0])
            write_batch(self._folder, batch[1], rows=rows, facts={"what": what, **facts})
            if rows is not None:
                message += f", in a batch of the train rows {_some(rows)}"
        hint = f"{self._hint}; the batch is in {place}"
        raise NotFinite(message, hint=hint, is_broken=is_broken)


def write_batch(
    folder: Path, batch: Any, *, rows: NDArray[np.int64] | None, facts: Mapping[str, Any]
) -> None:
    """Write a batch's tensors, `batch.safetensors`, and its row numbers, `batch.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _tensors(batch)}
    save_file(tensors, folder / "batch.safetensors")
    numbers = None if rows is None else rows.tolist()
    text = json.dumps({**facts, "rows": numbers}, indent=2) + "\n"
    (folder / "batch.json").write_text(text, encoding="utf-8")


def _are_broken(module: nn.Module) -> bool:
    learning = [p.detach() for p in module.parameters() if p.requires_grad and p.numel()]
    if not learning:
        return False
    norms = torch._foreach_norm(learning)
    return not bool(
        torch.stack([norm.float().to(norms[0].device) for norm in norms]).isfinite().all()
    )


def _rows(trainer: pl.Trainer, batch: int) -> NDArray[np.int64] | None:
    """Numbers of the batch's rows, where the loader is ours."""
    data = trainer.datamodule  # type: ignore[attr-defined]
    return data.batches.rows_of(batch) if isinstance(data, TrainData) else None


def _some(rows: NDArray[np.int64]) -> str:
    shown = ", ".join(str(row) for row in rows[:5].tolist())
    return f"{shown}, … ({len(rows)} in all)" if len(rows) > 5 else shown


def _tensors(batch: Any, name: str = "") -> list[tuple[str, Tensor]]:
    """Every tensor of a batch with a name made of its place."""
    if isinstance(batch, Tensor):
        return [(name or "batch", batch)]
    items: Any = ()
    if isinstance(batch, Mapping):
        items = batch.items()
    elif isinstance(batch, list | tuple):
        items = enumerate(batch)
    return [
        pair
        for key, value in items
        for pair in _tensors(value, f"{name}.{key}" if name else str(key))
    ]
