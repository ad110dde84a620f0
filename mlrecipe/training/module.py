"""What Lightning runs: the task's step around the network, with its losses and metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric, Metric

from mlrecipe.interfaces import Head, StepOutput, Task
from mlrecipe.training.optimization import Optimization


class Meters(nn.Module):
    """The mean loss per row and the task's metrics over the batches of one pass."""

    def __init__(self, metrics: Mapping[str, Metric]) -> None:
        super().__init__()
        self._names = ["loss", *metrics]
        self._loss = MeanMetric()
        self._metrics = list(metrics.values())
        self._kept = nn.ModuleList([self._loss, *self._metrics])  # so that they move to the device

    def update(self, output: StepOutput) -> None:
        """Count one batch; its loss weighs as much as it has rows."""
        self._loss.update(output.loss.detach(), weight=len(output.targets))
        for metric in self._metrics:
            metric.update(output.scores, output.targets)

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
    ) -> None:
        super().__init__()
        self.network = network
        self._task = task
        self._optimization = optimization
        self.train_loss = MeanMetric()
        self.valid_meters = Meters(task.meters(head))
        self.test_meters = Meters(task.meters(head))

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
        """The batch's loss."""
        output = self._task.step(self.network, batch)
        self.train_loss.update(output.loss.detach(), weight=len(output.targets))
        self.log("train/loss", output.loss.detach(), batch_size=len(output.targets))
        return output.loss

    def validation_step(self, batch: dict[str, Tensor], batch_idx: int) -> None:
        """Count one batch."""
        self.valid_meters.update(self._task.step(self.network, batch))

    def on_validation_epoch_end(self) -> None:
        """Report `valid/loss` and the metrics, before any callback looks at them."""
        self.log_dict(
            {f"valid/{name}": value for name, value in self.valid_meters.collect().items()}
        )

    def test_step(self, batch: dict[str, Tensor], batch_idx: int) -> dict[str, Tensor]:
        """Count one batch and hand on its scores and targets."""
        output = self._task.step(self.network, batch)
        self.test_meters.update(output)
        return {"scores": output.scores, "targets": output.targets}

    def on_test_epoch_end(self) -> None:
        """Report `test/loss` and the metrics."""
        self.log_dict({f"test/{name}": value for name, value in self.test_meters.collect().items()})

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Log the learning rate with which the batch is learnt."""
        optimizer = self.optimizers(use_pl_optimizer=False)
        assert isinstance(optimizer, torch.optim.Optimizer)
        self.log("learning_rate", optimizer.param_groups[0]["lr"])

    def configure_optimizers(self) -> Any:
        """The recipe's optimizer and schedule, over the steps that there will really be."""
        assert self._optimization is not None, "a learner that only tests has no optimizer"
        optimizer = self._optimization.make_optimizer(self.network)
        steps = int(self.trainer.estimated_stepping_batches)
        scheduler = self._optimization.make_scheduler(optimizer, steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }
