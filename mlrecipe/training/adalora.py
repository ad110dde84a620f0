"""AdaLoRA's part of a training: ranks are shared out anew after each step, and factors kept orthogonal.

Zhang et al. 2023, Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning (arXiv 2303.10512). PEFT
leaves both to the one who trains.
"""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from mlrecipe.errors import DataError

_UNKNOWN = 2**31
"""Steps that a model without a schedule of its own is built for."""

_KNOWN = ("ipt", "exp_avg_ipt", "exp_avg_unc")
"""What PEFT knows of each entry."""


def callbacks(network: nn.Module) -> list[pl.Callback]:
    """What training this network needs: nothing, unless it has an adapter of AdaLoRA."""
    tuner = _tuner(network)
    return [] if tuner is None else [RankBudget(tuner)]


class RankBudget(pl.Callback):
    """Gives ranks to the matrices that need them; the budget falls from `init_r` to `target_r`."""

    def __init__(self, tuner: Any) -> None:
        self._tuner = tuner
        self._done = 0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell the schedule how many steps there will be."""
        self._move()
        config = self._config
        if config.total_step == _UNKNOWN:
            config.total_step = int(trainer.estimated_stepping_batches)
        if config.tinit >= config.total_step - config.tfinal:
            raise DataError(
                f"of {config.total_step} steps none is left between the first {config.tinit} "
                f"(`tinit`) and the last {config.tfinal} (`tfinal`)",
                key="model.peft",
            )

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: object
    ) -> None:
        """Add the gradient of the penalty on factors that are not orthogonal."""
        factors = self._factors()
        penalty = self._config.orth_reg_weight * _distance(factors)
        # Not `backward`: the penalty is that of the step, not of one process's batch.
        for factor, gradient in zip(factors, torch.autograd.grad(penalty, factors), strict=True):
            factor.grad = gradient if factor.grad is None else factor.grad + gradient

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any,
        batch_idx: int,
    ) -> None:  # fmt: skip
        """Share out ranks after each step, while its gradients are there."""
        if trainer.global_step > self._done:
            self._done = trainer.global_step
            self._tuner.update_and_allocate(self._done)

    def state_dict(self) -> dict[str, Any]:
        """How important each entry has been so far, and the ranks."""
        allocator, config = self._tuner.rankallocator, self._config
        kept = {name: getattr(allocator, name) for name in _KNOWN}
        return {**kept, "rank_pattern": config.rank_pattern, "done": self._done}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        for name in _KNOWN:
            setattr(self._tuner.rankallocator, name, dict(state_dict[name]))
        self._config.rank_pattern = state_dict["rank_pattern"]
        self._done = int(state_dict["done"])

    def _move(self) -> None:
        """Put what is known of each entry on the entry's device: states are read on the CPU."""
        allocator = self._tuner.rankallocator
        devices = {name: p.device for name, p in self._tuner.model.named_parameters()}
        for kind in _KNOWN:
            known = getattr(allocator, kind)
            setattr(allocator, kind, {n: value.to(devices[n]) for n, value in known.items()})

    @property
    def _config(self) -> Any:
        return self._tuner.peft_config[self._tuner.trainable_adapter_name]

    def _factors(self) -> list[nn.Parameter]:
        return [
            parameter
            for name, parameter in self._tuner.model.named_parameters()
            if ("lora_A" in name or "lora_B" in name) and parameter.requires_grad
        ]


def _tuner(network: nn.Module) -> Any:
    wrapper = getattr(getattr(network, "mlrecipe_adapter", None), "wrapper", None)
    tuner = getattr(wrapper, "base_model", None)
    return tuner if hasattr(tuner, "rankallocator") else None


def _distance(factors: list[nn.Parameter]) -> Tensor:
    """How far the factors' shorter sides are from orthonormal, on average."""
    products = [f @ f.T if f.shape[0] <= f.shape[1] else f.T @ f for f in factors]
    norms = [torch.linalg.matrix_norm(p - torch.eye(len(p), device=p.device)) for p in products]
    return torch.stack(norms).mean()
