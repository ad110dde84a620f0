"""Averages of the weights: Lightning's callbacks, made to go with our checkpoints and with resuming.

Mended are: before the first average the untrained weights were validated; an epoch's average was made
after its validation, so that the last was never validated; whole numbers, such as BERT's `position_ids`,
were averaged and cut down; and what was saved was not what had been validated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Literal

import pytorch_lightning as pl
from pytorch_lightning import callbacks
from torch.optim.swa_utils import AveragedModel

from mlrecipe import callback
from mlrecipe.errors import DataError


class Averages(callbacks.WeightAveraging):
    """What all three have in common."""

    _average_model: AveragedModel | None
    _is_shown = False

    @property
    def is_begun(self) -> bool:
        """Whether anything was averaged yet."""
        return self._average_model is not None and int(self._average_model.n_averaged) > 0

    @contextmanager
    def shown(self, module: pl.LightningModule, *, is_shown: bool) -> Iterator[None]:
        """Have the module hold the average (or the learning) weights for a while."""
        swaps = self.is_begun and self._is_shown != is_shown
        if swaps:
            self._swap_models(module)
        try:
            yield
        finally:
            if swaps:
                self._swap_models(module)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any,
        batch_idx: int,
    ) -> None:  # fmt: skip
        """Average after a step, and after an epoch's last, before it is validated."""
        before = self._count()
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        if trainer.fit_loop.epoch_loop._num_ready_batches_reached():
            super().on_train_epoch_end(trainer, pl_module)
        if self._count() != before:
            self._copy_whole_numbers(pl_module)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Nothing: the epoch's average was made before its validation."""

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Hand the average on."""
        if self.is_begun:
            super().on_train_end(trainer, pl_module)

    def on_validation_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validate the average, once there is one."""
        if trainer.state.fn == "fit" and self.is_begun:
            self._swap_models(pl_module)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Learn on with the weights that learn."""
        if self._is_shown:
            self._swap_models(pl_module)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Likewise, if the validation broke off."""
        if self._is_shown:
            self._swap_models(pl_module)

    def state_dict(self) -> dict[str, Any]:
        """When it last averaged."""
        return {**super().state_dict(), "latest_update_epoch": self._latest_update_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        super().load_state_dict(state_dict)
        self._latest_update_epoch = state_dict["latest_update_epoch"]

    def _swap_models(self, pl_module: pl.LightningModule) -> None:
        super()._swap_models(pl_module)
        self._is_shown = not self._is_shown

    def _count(self) -> int:
        return int(self._average_model.n_averaged) if self._average_model is not None else 0

    def _copy_whole_numbers(self, module: pl.LightningModule) -> None:
        assert self._average_model is not None
        pairs = zip(self._average_model.module.buffers(), module.buffers(), strict=True)
        for average, current in pairs:
            if not average.is_floating_point():
                average.data.copy_(current.data)


@callback("WeightAveraging")
class WeightAveraging(Averages):
    """Averages the weights of all steps; the average is validated and saved."""

    def __init__(self, *, device: str | None = None, use_buffers: bool = True) -> None:
        """Average equally.

        Args:
            device: where the average is; by default where the model is.
            use_buffers: whether buffers are averaged, too.
        """
        super().__init__(device=device, use_buffers=use_buffers)


@callback("EMAWeightAveraging")
class EMAWeightAveraging(Averages, callbacks.EMAWeightAveraging):
    """Averages the weights, older ones ever less; the average is validated and saved."""

    def __init__(
        self,
        *,
        device: str | None = None,
        use_buffers: bool = True,
        decay: float = 0.999,
        update_every_n_steps: int = 1,
        update_starting_at_step: int | None = None,
        update_starting_at_epoch: int | None = None,
    ) -> None:
        """Average with exponential decay.

        Args:
            device: where the average is; by default where the model is.
            use_buffers: whether buffers are averaged, too.
            decay: what the average so far weighs; the new weights weigh 1 less this.
            update_every_n_steps: optimizer steps between two averagings.
            update_starting_at_step: step, from 0, with which averaging begins.
            update_starting_at_epoch: epoch, from 0, from which on its end is averaged.
        """
        if not 0 <= decay < 1:
            raise DataError(f"{decay!r} is not from 0 to below 1", key="decay")
        if update_every_n_steps < 1 and update_starting_at_epoch is None:
            hint = "set `update_starting_at_epoch` to average at the ends of epochs alone"
            message = f"{update_every_n_steps!r} is not at least 1: nothing would be averaged"
            raise DataError(message, key="update_every_n_steps", hint=hint)
        callbacks.EMAWeightAveraging.__init__(
            self, device=device, use_buffers=use_buffers, decay=decay,
            update_every_n_steps=update_every_n_steps,
            update_starting_at_step=update_starting_at_step,
            update_starting_at_epoch=update_starting_at_epoch,
        )  # fmt: skip


@callback("StochasticWeightAveraging")
class StochasticWeightAveraging(Averages):
    """Averages the weights of the last epochs' ends; the average is validated and saved.

    From the first such epoch on the learning rate goes to its own value instead of following the schedule.
    Izmailov et al. 2018, Averaging Weights Leads to Wider Optima and Better Generalization.
    """

    def __init__(
        self,
        *,
        swa_lrs: float | list[float],
        swa_epoch_start: int | float = 0.8,
        annealing_epochs: int = 10,
        annealing_strategy: Literal["cos", "linear"] = "cos",
        device: str | None = None,
    ) -> None:
        """Average equally over epochs.

        Args:
            swa_lrs: the learning rate of these epochs: one for all parameter groups, or one for each.
            swa_epoch_start: the first of them, from 1; below 1 as a fraction of all.
            annealing_epochs: epochs that the learning rate takes to get there.
            annealing_strategy: on a cosine or on a line.
            device: where the average is; by default where the model is.
        """
        rates = swa_lrs if isinstance(swa_lrs, list) else [swa_lrs]
        if not rates or not all(rate > 0 for rate in rates):
            raise DataError(f"{swa_lrs!r} is not above 0", key="swa_lrs")
        if swa_epoch_start < 0 or (isinstance(swa_epoch_start, float) and swa_epoch_start > 1):
            message = f"{swa_epoch_start!r} is neither an epoch nor a fraction"
            raise DataError(message, key="swa_epoch_start")
        super().__init__(device=device, use_buffers=True)
        self._rates = rates
        self._start = swa_epoch_start
        self._epochs = max(annealing_epochs, 1)
        self._strategy = annealing_strategy
        self._first = 0
        self._from: list[float] = []

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """At the end of each epoch from the first on."""
        return epoch_idx is not None and epoch_idx >= self._first

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Find out which epoch is the first."""
        start, epochs = self._start, trainer.max_epochs or 1
        number = int(epochs * start) if isinstance(start, float) else start
        self._first = max(number - 1, 0)
        self._check_rates(len(trainer.optimizers[0].param_groups) if trainer.optimizers else 1)
        if self._from:  # resumed: the schedule was left before
            trainer.lr_scheduler_configs.clear()

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Set the epoch's learning rates."""
        done = trainer.current_epoch - self._first
        if done < 0:
            return
        groups = trainer.optimizers[0].param_groups
        if not self._from:
            self._from = [float(group["lr"]) for group in groups]
            trainer.lr_scheduler_configs.clear()
        share = min((done + 1) / self._epochs, 1.0)
        if self._strategy == "cos":
            share = (1 - math.cos(math.pi * share)) / 2
        rates = self._rates if len(self._rates) > 1 else self._rates * len(groups)
        for group, start, end in zip(groups, self._from, rates, strict=True):
            group["lr"] = start + (end - start) * share

    def _check_rates(self, groups: int) -> None:
        if len(self._rates) not in (1, groups):
            raise DataError(
                f"swa_lrs has {len(self._rates)} learning rates, and the optimizer has {groups} "
                "groups of parameters",
                key="train.callbacks", hint="give one rate for all of them",
            )  # fmt: skip

    def state_dict(self) -> dict[str, Any]:
        """Also where the learning rates came from."""
        return {**super().state_dict(), "from": list(self._from)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        super().load_state_dict(state_dict)
        self._from = list(state_dict["from"])


@contextmanager
def averaged(trainer: pl.Trainer, module: pl.LightningModule) -> Iterator[None]:
    """Have the module hold the averages, where there are any: to save them."""
    with _all(trainer, module, is_shown=True):
        yield


@contextmanager
def learning(trainer: pl.Trainer, module: pl.LightningModule) -> Iterator[None]:
    """Have the module hold the weights that learn: to save them amid a validation."""
    with _all(trainer, module, is_shown=False):
        yield


@contextmanager
def _all(trainer: pl.Trainer, module: pl.LightningModule, *, is_shown: bool) -> Iterator[None]:
    with ExitStack() as stack:
        for found in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(found, Averages):
                stack.enter_context(found.shown(module, is_shown=is_shown))
        yield
