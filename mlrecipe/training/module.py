"""What Lightning runs: the task's step around the network, with its losses and metrics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric, Metric

from mlrecipe import events
from mlrecipe.interfaces import Head, Predicting, StepOutput, Task
from mlrecipe.training.collapse import Collapse
from mlrecipe.training.data import TrainData
from mlrecipe.training.devices import distributed
from mlrecipe.training.devices.dealing import counts
from mlrecipe.training.evaluating import Evaluating
from mlrecipe.training.optimization import Optimization, check_closure
from mlrecipe.training.parting import Seen, parts_of
from mlrecipe.training.schedules import warn_of_warmup
from mlrecipe.training.sets import TestSet


class Meters(nn.Module):
    """The mean loss per row, or per word, and the task's metrics over the batches of one pass."""

    def __init__(self, metrics: Mapping[str, Metric], head: Head) -> None:
        super().__init__()
        self.collapse = Collapse(head)
        self._names = ["loss", *metrics]
        # By itself torchmetrics leaves out what is no number: the mean would be that of the others.
        self._loss = MeanMetric(nan_strategy=math.nan)
        if not torch.backends.mps.is_available():  # there is no float64 there
            # In float32 the mean would tell how many processes the rows were shared by.
            self._loss.set_dtype(torch.float64)
        self._metrics = list(metrics.values())
        # So that they move to the device.
        self._kept = nn.ModuleList([self._loss, *self._metrics, *self.collapse.metrics])

    def update(self, output: StepOutput) -> None:
        """Count one batch; its loss weighs as much as it has rows, or whatever it is a mean over."""
        if weight := _weight(output):  # the mean over nothing is no number, and weighs nothing
            self._loss.update(output.loss.detach(), weight=weight)
        for metric in self._metrics:
            metric.update(output.scores, output.targets)
        self.collapse.update(output)

    def collect(self) -> dict[str, Tensor]:
        """The loss and every metric by name, over all processes; counting starts anew."""
        metrics = [self._loss, *self._metrics]
        values = {name: m.compute() for name, m in zip(self._names, metrics, strict=True)}
        for metric in metrics:
            metric.reset()
        return values


class Learner(pl.LightningModule):
    """Trains, validates and tests a network as a task and a recipe say."""

    def __init__(
        self,
        *,
        task: Task,
        head: Head,
        network: nn.Module,
        optimization: Optimization | None = None,
        valid: Sequence[str] = ("valid",),
        tested: Sequence[TestSet] = (),
        evaluating: Evaluating | None = None,
    ) -> None:
        """Train, validate and test.

        Args:
            task: whose step it is.
            head: what the network puts out.
            network: with weights.
            optimization: how they are updated; None: they are only tested.
            valid: what is before the `/` of the metrics of each split to validate on.
            tested: the splits to test on.
            evaluating: what evaluates the predictions of validations.
        """
        super().__init__()
        self.network = network
        self._task = task
        self._optimization = optimization
        self.places: int | None = None
        """The most places of a part of a batch; None: batches are whole."""

        self.newest_loss: Tensor | None = None
        self.seen = Seen()
        """Of the newest batch."""

        self._rest: list[tuple[Mapping[str, Tensor], float, float]] = []
        self.train_loss = MeanMetric()
        self._valid = list(valid)
        self._tested = list(tested)
        self.evaluating = evaluating
        # One of each split; those without labels have none.
        self.valid_meters = nn.ModuleList(_meters(task, head) for _ in valid)
        self.test_meters = nn.ModuleDict(
            {str(i): _meters(task, head) for i, each in enumerate(tested) if each.is_labelled}
        )

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """The batch's loss, as much of it as makes its step follow the mean over the step's rows or words.

        Of a batch in parts that of the first: `backward` sees to the others.
        """
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        weight = data.weight_of(batch_idx) if isinstance(data, TrainData) else 1.0
        self.seen = Seen(factor=weight)
        first, *self._rest = [
            (part, share, share * weight)
            for part, share in parts_of(self._task, batch, self.places)
        ]
        return self._learn(*first)

    def backward(self, loss: Tensor, *args: Any, **kwargs: Any) -> None:
        """Gradients of the batch, one part after the other, so that only one is in memory."""
        super().backward(loss, *args, **kwargs)
        plugin = self.trainer.precision_plugin
        while self._rest:
            with plugin.train_step_context():
                loss = self._learn(*self._rest.pop(0)) / self.trainer.accumulate_grad_batches
            super().backward(plugin.pre_backward(loss, self))

    def on_after_backward(self) -> None:
        """Log the batch's loss: the mean over the rows or words of all processes where it is logged at all."""
        loss, seen = self.seen.loss, self.seen
        self.newest_loss = loss
        self.train_loss.update(loss, weight=seen.weight)
        done = self.trainer.fit_loop.epoch_loop._batches_that_stepped
        if (done + 1) % self.trainer.log_every_n_steps == 0:  # type: ignore[attr-defined]
            loss = distributed.mean(self.trainer, loss, weight=seen.weight)
        self.log("train/loss", loss, batch_size=seen.rows)

    def _learn(self, part: Mapping[str, Tensor], share: float, weight: float) -> Tensor:
        """The loss of a part of a batch, by its weight in the step."""
        output = self._task.step(self.network, part)
        self.seen.add(output.loss.detach(), share, rows=len(output.targets), weight=_weight(output))
        return output.loss if weight == 1.0 else output.loss * weight

    def validation_step(
        self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Count one batch, unless it is here only so that all processes make equally many steps."""
        output = self._task.step(self.network, batch)
        if counts(self.trainer.val_dataloaders, batch_idx, number=dataloader_idx):
            self._meters_of(self.valid_meters[dataloader_idx]).update(output)
            if self.evaluating is not None and self.evaluating.is_on:
                self.evaluating.add(self.trainer, output, batch_idx, number=dataloader_idx)

    def on_validation_epoch_end(self) -> None:
        """Report each split's loss and metrics, before any callback looks at them."""
        for place, meters in zip(self._valid, self.valid_meters, strict=True):
            self._report(place, meters)
        if self.evaluating is not None and self.evaluating.is_on:
            self.log_dict(self.evaluating.conclude(self.trainer, self.device))

    def test_step(
        self, batch: dict[str, Tensor], batch_idx: int, dataloader_idx: int = 0
    ) -> dict[str, Any]:
        """Count one batch, if it does count, and hand on its scores and, where it has any, targets."""
        tested = self._tested[dataloader_idx]
        if not tested.is_labelled:
            assert isinstance(tested.task, Predicting)
            return {"scores": tested.task.scores(self.network, batch), "targets": None}
        output = tested.task.step(self.network, batch)
        if counts(self.trainer.test_dataloaders, batch_idx, number=dataloader_idx):
            self.count(output, number=dataloader_idx)
        return {"scores": output.scores, "targets": output.targets, "output": output}

    def count(self, output: StepOutput, *, number: int) -> None:
        """Count one batch of the split to test on with this number."""
        self._meters_of(self.test_meters[str(number)]).update(output)

    def on_test_epoch_end(self) -> None:
        """Report each split's loss and metrics."""
        for number, meters in self.test_meters.items():
            self._report(self._tested[int(number)].place, meters)

    def _report(self, place: str, module: nn.Module) -> None:
        meters = self._meters_of(module)
        self.log_dict({f"{place}/{name}": value for name, value in meters.collect().items()})
        meters.collapse.conclude(self.trainer, place)

    @staticmethod
    def _meters_of(module: nn.Module) -> Meters:
        assert isinstance(module, Meters)
        return module

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Log the learning rate with which the batch is learnt."""
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        self.log("learning_rate", optimizer.param_groups[0]["lr"])

    def configure_optimizers(self) -> Any:
        """The recipe's optimizer and schedule, over the steps that there will really be."""
        assert self._optimization is not None, "a learner that only tests has no optimizer"
        optimizer = self._optimization.make_optimizer(self.network)
        check_closure(optimizer, accumulation=self.trainer.accumulate_grad_batches)
        steps = int(self.trainer.estimated_stepping_batches)
        scheduler = self._optimization.make_scheduler(optimizer, steps)
        if self.trainer.is_global_zero:
            self._tell(self._optimization, steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def _tell(self, optimization: Optimization, steps: int) -> None:
        """Say with which rates what learns."""
        rates = optimization.describe(self.network)
        if rates is not None:
            events.emit(events.Note(rates))
        warn_of_warmup(optimization.scheduler.params.get("warmup", 0), steps)


def _weight(output: StepOutput) -> int:
    """Over how many items a batch's loss is a mean."""
    return len(output.targets) if output.weight is None else output.weight


def _meters(task: Task, head: Head) -> Meters:
    return Meters(task.meters(head), head)
