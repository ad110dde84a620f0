"""The optimizer and its schedule: which parameters decay, and how many steps there will be."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from mlrecipe.errors import DataError
from mlrecipe.recipe.schema import Component
from mlrecipe.registry import Kind

Components = Callable[[Kind, Component], Any]
"""Gives the registered object of a kind that a component names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimization:
    """How the recipe wants weights to be updated."""

    optimizer: Component
    scheduler: Component
    components: Components

    def make_optimizer(self, module: nn.Module) -> Optimizer:
        """The optimizer over what learns; biases and normalization weights do not decay.

        Raises:
            DataError: the optimizer does not take its parameters.
        """
        kind = self.components("optimizer", self.optimizer)
        try:
            made: Optimizer = kind(groups_for(kind, module), **self.optimizer.params)
        except (TypeError, ValueError) as error:
            message = f"{self.optimizer.use} refuses its parameters: {error}"
            raise DataError(message, key="train.optimizer") from error
        return made

    def make_scheduler(self, optimizer: Optimizer, total_steps: int) -> LRScheduler:
        """The schedule over `total_steps` optimizer steps."""
        function = self.components("scheduler", self.scheduler)
        made: LRScheduler = function(optimizer, total_steps, **self.scheduler.params)
        return made


def groups_for(optimizer: type[Optimizer], module: nn.Module) -> list[dict[str, Any]]:
    """What learns, split by whether it decays where the optimizer decays at all."""
    learning = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    if "weight_decay" not in inspect.signature(optimizer.__init__).parameters:
        return [{"params": [p for _, p in learning]}]
    # Biases and the weights of normalization layers are the parameters of one dimension.
    decaying = [p for _, p in learning if p.ndim > 1]
    others = [p for _, p in learning if p.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": decaying}, {"params": others, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
