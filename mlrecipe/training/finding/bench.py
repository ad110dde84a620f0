"""The bench: a recipe's training set up to take single steps on a copy of its network."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytorch_lightning as pl
import torch
from datasets import Dataset
from torch import Tensor, nn
from torch.optim import Optimizer

from mlrecipe.interfaces import Model, Task
from mlrecipe.recipe.schema import TrainSpec
from mlrecipe.training import trainer as trainers
from mlrecipe.training.data import TrainData
from mlrecipe.training.optimization import Components, Optimization
from mlrecipe.training.preparing import build, keyed, prepare, revealed
from mlrecipe.training.settling import settle


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """A recipe's training set up to take single steps; a copy of which nothing is kept."""

    task: Task
    network: nn.Module
    optimizer: Optimizer
    trainer: pl.Trainer
    data: TrainData
    rows: Dataset
    spec: TrainSpec

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        device: torch.device = self.trainer.strategy.root_device
        return device

    def step(self, batches: Sequence[tuple[Mapping[str, Tensor], float]]) -> float:
        """One optimizer step on batches, each with its share of the loss; the loss before it."""
        self.optimizer.zero_grad(set_to_none=True)
        total = 0.0
        for batch, share in batches:
            moved = {name: tensor.to(self.device) for name, tensor in batch.items()}
            with self.trainer.precision_plugin.forward_context():
                loss = self.task.step(self.network, moved).loss * share
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        clip = self.trainer.gradient_clip_val
        if clip:
            self.trainer.precision_plugin.clip_gradients(
                self.optimizer,
                clip,
                self.trainer.gradient_clip_algorithm or "norm",  # type: ignore[arg-type]
            )
        if math.isfinite(total):
            self.optimizer.step()
        return total

    def steps(self) -> Iterator[list[tuple[Mapping[str, Tensor], float]]]:
        """The batches of each step, epoch after epoch, without end."""
        many = self.data.accumulation
        epoch = 0
        while True:
            self.data.batches.set_epoch(epoch)
            part: list[tuple[Mapping[str, Tensor], float]] = []
            for number, batch in enumerate(self.data.train_dataloader()):
                part.append((batch, self.data.weight_of(number) / many))
                if len(part) == many:
                    yield part
                    part = []
            if part:
                yield part
            epoch += 1


@contextlib.contextmanager
def bench(
    *, task: Task, model: Model, spec: TrainSpec, seed: int, data: Mapping[str, Dataset],
    components: Components,
) -> Iterator[Bench]:  # fmt: skip
    """Set up a recipe's training on one device.

    Raises:
        DataError: what training itself would raise.
    """
    with tempfile.TemporaryDirectory(prefix="mlrecipe-find-") as folder, trainers.quiet():
        spec = revealed(spec, Path(folder))
        arguments = {k: v for k, v in spec.trainer.items() if k not in ("strategy", "num_nodes")}
        spec = replace(
            spec, trainer={**arguments, "devices": 1}, valid_split="", validate_every=None
        )
        with keyed("task"):
            task, _ = settle(task, spec, data)
        plan = prepare(task, replace(spec, monitor="train/loss"), data)
        pl.seed_everything(seed, verbose=False)
        network = build(task, model, plan)
        optimization = Optimization(
            optimizer=spec.optimizer, scheduler=spec.scheduler, components=components,
            layer_decay=spec.layer_decay, lr_by_name=spec.lr_by_name,
        )  # fmt: skip
        optimization.check(network)
        trainer = trainers.make_trainer(
            folder=Path(folder), callbacks=[], loggers=[], **trainers.train_arguments(spec)
        )
        rows = plan.encoded[spec.train_split]
        loaded = TrainData(task=task, spec=spec, seed=seed, train=rows, drawing=plan.drawing)
        network = trainer.precision_plugin.convert_module(network)
        network = network.to(trainer.strategy.root_device)
        yield Bench(
            task=task, network=network, optimizer=optimization.make_optimizer(network),
            trainer=trainer, data=loaded, rows=rows, spec=spec,
        )  # fmt: skip
