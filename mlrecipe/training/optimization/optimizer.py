"""The optimizer and its schedule, as the recipe wants them over what learns in a network."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from torch.utils._foreach_utils import _get_fused_kernels_supported_devices

from mlrecipe.errors import DataError
from mlrecipe.recipe.schema import Component
from mlrecipe.registry import Kind
from mlrecipe.training.optimization.groups import ALL, Group, group_dicts, plan_groups

Components = Callable[[Kind, Component], Any]
"""Gives the registered object of a kind that a component names."""

_FUSED = (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD)
_WAYS = {"fused": None, "foreach": None, "differentiable": False}
"""Arguments that say how a step is computed, and their defaults."""

_MANY = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimization:
    """How the recipe wants weights to be updated."""

    optimizer: Component
    scheduler: Component
    components: Components

    layer_decay: float | None = None
    """Factor of the learning rate from each layer to the one below."""

    lr_by_name: Mapping[str, float] = field(default_factory=dict)
    """Glob pattern of parameter names → learning rate."""

    def groups(self, module: nn.Module) -> list[Group]:
        """What learns, by rate and decay.

        Raises:
            DataError: nothing learns, or rates are asked for that cannot be given.
        """
        lr = self._lr() if self.layer_decay is not None or self.lr_by_name else None
        found = plan_groups(module, lr=lr, layer_decay=self.layer_decay, lr_by_name=self.lr_by_name)
        if not found:
            message = "no parameter learns: all of the network is frozen"
            raise DataError(message, key="model", hint="leave the head free at least")
        if self.layer_decay is not None and all(group.place in self.lr_by_name for group in found):
            message = "does nothing: all that learns has its rate from `train.lr_by_name`"
            raise DataError(message, key="train.layer_decay", hint="leave one of the two out")
        return found

    def make_optimizer(self, module: nn.Module) -> Optimizer:
        """The optimizer over what learns; biases and normalization weights do not decay.

        Raises:
            DataError: the optimizer does not take its parameters, or does not fit the network.
        """
        kind = self.components("optimizer", self.optimizer)
        accepted = self._accepted()
        groups = group_dicts(
            self.groups(module), can_decay="weight_decay" in accepted, takes_rates="lr" in accepted
        )
        _require_sparse(kind, module)
        given = {name: v for name, v in self.optimizer.params.items() if v is not None}
        fused = _fused(kind, given, groups)
        try:
            made: Optimizer = kind(groups, **{**fused, **given})
        except (TypeError, ValueError, RuntimeError) as error:
            message = f"{self.optimizer.use} refuses its parameters: {error}"
            raise DataError(message, key="train.optimizer", hint=_hint(kind)) from error
        if "_step_supports_amp_scaling" in vars(made):
            # Else Lightning refuses to clip gradients. Without this the scaler of fp16 unscales before
            # the step, as with optimizers that are not fused.
            vars(made)["_step_supports_amp_scaling"] = False
        return made

    def make_scheduler(self, optimizer: Optimizer, total_steps: int) -> LRScheduler:
        """The schedule over `total_steps` optimizer steps; groups keep the proportions of their rates.

        Raises:
            DataError: the schedule does not take its parameters.
        """
        function = self.components("scheduler", self.scheduler)
        try:
            made: LRScheduler = function(optimizer, total_steps, **self.scheduler.params)
        except (TypeError, ValueError) as error:
            message = f"{self.scheduler.use} refuses its parameters: {error}"
            raise DataError(message, key="train.scheduler") from error
        return made

    def check(self, module: nn.Module) -> None:
        """Raise for what cannot be done with this network, before any step is made."""
        self.make_scheduler(self.make_optimizer(module), _MANY)

    def describe(self, module: nn.Module) -> str | None:
        """A line with the rate of every group, where the recipe asks for several."""
        groups = [group for group in self.groups(module) if group.lr is not None]
        if not groups:
            return None
        rates = dict.fromkeys((group.place, group.lr) for group in groups)
        shown = ", ".join(f"{'others' if place == ALL else place} {lr:.6g}" for place, lr in rates)
        still = sum(p.numel() for p in module.parameters() if not p.requires_grad)
        return f"learning rates: {shown}" + (f"; {still:,} parameters do not learn" * bool(still))

    def _accepted(self) -> Mapping[str, inspect.Parameter]:
        return inspect.signature(self.components("optimizer", self.optimizer)).parameters

    def _lr(self) -> float:
        """The learning rate of the recipe, else the optimizer's own default."""
        if (given := self.optimizer.params.get("lr")) is not None:
            return float(given)
        known = self._accepted().get("lr")
        if known is None or not isinstance(known.default, int | float):
            message = f"{self.optimizer.use} has no learning rate to start from"
            key = "train.lr_by_name" if self.layer_decay is None else "train.layer_decay"
            raise DataError(message, key=key, hint="set `lr` in `train.optimizer`")
        return float(known.default)


def check_closure(optimizer: Optimizer, *, accumulation: int) -> None:
    """Raise for LBFGS over several batches: computing the loss anew would see the last of them only."""
    if isinstance(optimizer, torch.optim.LBFGS) and accumulation > 1:
        raise DataError(
            f"LBFGS computes the loss of a step several times, and a step is {accumulation} batches here",
            key="train.optimizer",
            hint="leave out `train.device_batch_size`, or take another optimizer",
        )


def _fused(
    kind: Any, given: Mapping[str, Any], groups: Sequence[Mapping[str, Any]]
) -> dict[str, bool]:
    """`fused` where the optimizer has one kernel for the whole step, and the recipe does not say how."""
    # `differentiable` is off by default: a resolved recipe says so, and must give the same again.
    says = any(given.get(name) not in (None, default) for name, default in _WAYS.items())
    if kind not in _FUSED or says:
        return {}
    devices = _get_fused_kernels_supported_devices()
    fits = all(
        parameter.is_floating_point() and parameter.device.type in devices
        for group in groups
        for parameter in group["params"]
    )
    return {"fused": True} if fits else {}


def _require_sparse(kind: Any, module: nn.Module) -> None:
    """Raise when SparseAdam would get a gradient that is not sparse."""
    if kind is not torch.optim.SparseAdam:
        return
    sparse = {
        id(layer.weight)
        for layer in module.modules()
        if isinstance(layer, nn.Embedding | nn.EmbeddingBag) and layer.sparse
    }
    dense = [n for n, p in module.named_parameters() if p.requires_grad and id(p) not in sparse]
    if dense:
        raise DataError(
            f"SparseAdam learns embeddings with sparse gradients only; {dense[0]!r} has dense ones",
            key="train.optimizer",
            hint="take Adam or AdamW",
        )


def _hint(kind: Any) -> str | None:
    if kind is getattr(torch.optim, "Muon", None):
        return "Muon learns matrices only: freeze what is none, or take AdamW"
    return None
