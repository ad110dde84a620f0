"""Checkpoints of a user's own module: weights as safetensors, and what its hooks keep beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import CheckpointIO
from lightning_fabric.plugins.io.torch_io import TorchCheckpointIO
from safetensors.torch import load_file, save_file
from torch import Tensor

from mlrecipe import events
from mlrecipe.errors import TrainingError
from mlrecipe.training.keeping import states
from mlrecipe.training.keeping.averaging import averaged
from mlrecipe.training.keeping.checkpoints import Checkpoints
from mlrecipe.training.own import monitors

WEIGHTS, REST = "model.safetensors", "rest.pt"
_LEFT_OUT = (
    "loops", "callbacks", "optimizer_states", "lr_schedulers", "hyper_parameters", "hparams_name",
    "hparams_type",
)  # fmt: skip


class ModuleCheckpoints(Checkpoints):
    """Keeps a module's checkpoints by any metric that it logs, be it in validation or in training."""

    _is_validated = False
    """Whether the metric is one of validation."""

    _looked_at = -1
    """The step at whose end of epoch it was looked at."""

    def metrics(self, trainer: pl.Trainer) -> dict[str, float]:
        """All that the module logs, whatever it calls it."""
        return metrics_of(trainer)

    def write_weights(self, trainer: pl.Trainer, module: pl.LightningModule, folder: Path) -> None:
        """Its `state_dict` as it stands, averaged where that is asked for, and what its hooks add."""
        with averaged(trainer, module):
            found = trainer._checkpoint_connector.dump_checkpoint(weights_only=True)
            write(found, folder)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the module if it is among the best, and the metric is one of validation."""
        results = trainer._results
        logged = results.metrics(on_step=False)["callback"] if results is not None else {}
        if trainer.sanity_checking:
            monitors.check(self._monitor, logged)
        elif self._monitor in logged:
            self._is_validated = True
            super().on_validation_end(trainer, pl_module)

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep what the epoch before has learnt."""
        self._look(trainer, pl_module)
        super().on_train_epoch_start(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Keep the last module; where nothing says which is best, it is that as well."""
        self._look(trainer, pl_module)
        super().on_train_end(trainer, pl_module)

    def _look(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        """Rank a finished epoch by a metric of training; complain where there is none of that name."""
        step = trainer.global_step
        if not step or step == self._looked_at or self._is_validated:
            return
        self._looked_at = step
        metrics = self.metrics(trainer)
        if self._monitor in metrics:
            super().on_validation_end(trainer, module)
        elif self._monitor != monitors.DEFAULT:
            raise monitors.missing(self._monitor, metrics)
        elif self.best_step is None:
            known = ", ".join(sorted(metrics)) or "nothing"
            text = f"the module logs no {self._monitor!r}, so that the last checkpoint counts as the best"
            events.emit(events.Note(f"{text}; `train.monitor` could be: {known}", "warning"))
            self._is_validated = True  # said once


class Weights(TorchCheckpointIO):
    """Reads a module's checkpoints; whatever else is to be read goes to the strategy's own."""

    def __init__(self, other: CheckpointIO) -> None:
        self._other = other

    def load_checkpoint(self, path: Any, *args: Any, **options: Any) -> dict[str, Any]:
        """The checkpoint as Lightning has it."""
        if (Path(path) / WEIGHTS).is_file():
            return read(Path(path))
        found: dict[str, Any] = self._other.load_checkpoint(path, *args, **options)
        return found


def metrics_of(trainer: pl.Trainer) -> dict[str, float]:
    """The newest value of every metric that was logged, as plain numbers."""
    newest = sorted(trainer.callback_metrics.items())
    return {name: float(value) for name, value in newest if value.numel() == 1}


def write(checkpoint: dict[str, Any], folder: Path) -> None:
    """Write a checkpoint of Lightning, without what only goes on training.

    Raises:
        TrainingError: a hook of the module keeps what is neither a plain value nor a tensor.
    """
    rest = {
        key: value for key, value in checkpoint.items()
        if key not in (*_LEFT_OUT, "state_dict") and not key.startswith("datamodule_hparams")
        and not key.startswith("datamodule_hyper")
    }  # fmt: skip
    tensors: dict[str, Tensor] = {}
    same: dict[str, str] = {}
    others: dict[str, Any] = {}
    seen: dict[tuple[Any, ...], str] = {}
    for name, value in checkpoint["state_dict"].items():
        if not isinstance(value, Tensor):  # a module's extra state
            others[name] = value
            continue
        # Tied weights are one tensor under several names, which safetensors does not take.
        place = (value.data_ptr(), value.dtype, tuple(value.shape), value.stride(), value.device)
        first = seen.setdefault(place, name) if value.numel() else name
        if first == name:
            tensors[name] = value.detach().to("cpu", copy=True).contiguous()
        else:
            same[name] = first
    kept = states.plain({"rest": rest, "same": same, "others": others}, "the module's checkpoint")
    save_file(tensors, folder / WEIGHTS)
    torch.save(kept, folder / REST)


def read(folder: Path) -> dict[str, Any]:
    """The checkpoint that `write` wrote, on the CPU.

    Raises:
        TrainingError: it cannot be read.
    """
    try:
        weights: dict[str, Any] = load_file(folder / WEIGHTS)
        kept: dict[str, Any] = torch.load(folder / REST, map_location="cpu", weights_only=True)
    except Exception as error:  # the readers raise errors of many kinds
        raise TrainingError(f"cannot read the checkpoint {str(folder)!r}: {error}") from error
    weights |= {name: weights[first] for name, first in kept["same"].items()} | kept["others"]
    return {**kept["rest"], "state_dict": weights}
