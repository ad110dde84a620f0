"""Evaluating: the metrics of evaluation nodes over the predictions of each validation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from mlrecipe.interfaces import Evaluator, Head, StepOutput
from mlrecipe.training.predictions import Predictions
from mlrecipe.training.validated import FOLDER, Validated, gather, own, prune


class Evaluating(pl.Callback):
    """Writes each validation's predictions, has them evaluated, and removes those that nobody needs.

    `conclude` is for the module's `on_validation_epoch_end`: what it gives is there before any callback looks
    at metrics. This callback comes after the one that keeps checkpoints.
    """

    def __init__(
        self, evaluator: Evaluator, splits: Sequence[Validated], head: Head, *, folder: Path,
        keep: int,
    ) -> None:  # fmt: skip
        """Evaluate validations on splits.

        Args:
            evaluator: of the evaluation nodes.
            splits: what is validated on.
            head: of the model.
            folder: the run directory.
            keep: so many validations, the newest, are kept whatever checkpoints there are.
        """
        self.splits, self.head = list(splits), head
        self._evaluator = evaluator
        self._run = folder
        self._keep = keep
        self._open = ExitStack()
        self._files: list[Predictions] = []
        self.folder = folder / FOLDER
        """Folder of all validations."""

        self.names: set[str] = set()
        """The metrics that there have been."""

        self.is_on = False
        """Whether a validation is on whose predictions are wanted."""

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open this process's files."""
        self.is_on = trainer.state.fn == "fit" and not trainer.sanity_checking
        if not self.is_on:
            return
        folder = self._folder(trainer.global_step)
        folder.mkdir(parents=True, exist_ok=True)
        self._open.close()
        paths = [own(folder / each.file, trainer.global_rank) for each in self.splits]
        self._files = [
            self._open.enter_context(Predictions(path, self.head, split=each.split))
            for path, each in zip(paths, self.splits, strict=True)
        ]

    def add(self, trainer: pl.Trainer, output: StepOutput, batch_idx: int, *, number: int) -> None:
        """Take the predictions of one batch of the split with this number."""
        rows = _sampler(trainer, number).rows(batch_idx)
        self._files[number].add(output.scores, output.targets, rows=rows)

    def conclude(self, trainer: pl.Trainer, device: torch.device) -> dict[str, Tensor]:
        """Put the predictions of all processes together, and give the nodes' metrics over them."""
        self._open.close()
        trainer.strategy.barrier("validated")
        found: dict[str, float] = {}
        if trainer.is_global_zero:
            for each in self.splits:
                found |= self.evaluate(each, self._folder(trainer.global_step), trainer.world_size)
            # Lightning would go on with what was there before.
            found |= dict.fromkeys(sorted(self.names - found.keys()), math.nan)
        if trainer.world_size > 1:
            found = trainer.strategy.broadcast(found)
        self.names |= found.keys()
        kind = torch.float32 if device.type == "mps" else torch.float64
        return {name: torch.tensor(v, dtype=kind, device=device) for name, v in found.items()}

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Remove the validations that are neither new nor of a checkpoint."""
        self.is_on = False
        if trainer.state.fn == "fit" and trainer.is_global_zero:
            prune(self._run, keep=self._keep)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Likewise, now that the last checkpoint is there."""
        if trainer.is_global_zero:
            prune(self._run, keep=self._keep)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Leave no predictions that are not whole."""
        self._open.__exit__(type(exception), exception, exception.__traceback__)
        folder = self._folder(trainer.global_step)
        for path in folder.glob(".*") if self.is_on else ():
            path.unlink(missing_ok=True)
        if self.is_on:
            with suppress(OSError):
                folder.rmdir()

    def state_dict(self) -> dict[str, Any]:
        """The names of metrics."""
        return {"names": sorted(self.names)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with these."""
        self.names |= set(state_dict["names"])

    def evaluate(self, each: Validated, folder: Path, world_size: int = 1) -> dict[str, float]:
        """The metrics over what processes have written of a split into a folder, by their whole names."""
        path = folder / each.file
        gather([own(path, rank) for rank in range(world_size)], path, each.beside)
        metrics = self._evaluator.evaluate(path, split=each.split)
        return {f"{each.place}/{name}": float(value) for name, value in metrics.items()}

    def _folder(self, step: int) -> Path:
        return self.folder / f"step-{step}"


def _sampler(trainer: pl.Trainer, number: int) -> Any:
    loaders: Any = trainer.val_dataloaders
    return (loaders[number] if isinstance(loaders, list) else loaders).sampler
