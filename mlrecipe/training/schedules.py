"""Learning-rate schedules, by the names that transformers gives them."""

from __future__ import annotations

import math
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler
from transformers import optimization as _optimization

from mlrecipe import scheduler
from mlrecipe.training.checks import check_warmup

optimization: Any = _optimization  # parts of it have no types


@scheduler("linear")
def linear(optimizer: Optimizer, total_steps: int, *, warmup: float = 0.0) -> LRScheduler:
    """Rises during warm-up, then falls on a line to 0.

    Args:
        optimizer: whose learning rates are set.
        total_steps: steps that there will be.
        warmup: a fraction of all steps when below 1, else steps.
    """
    steps = warmup_steps(warmup, total_steps)
    made: LRScheduler = optimization.get_linear_schedule_with_warmup(optimizer, steps, total_steps)
    return made


@scheduler("cosine")
def cosine(optimizer: Optimizer, total_steps: int, *, warmup: float = 0.0) -> LRScheduler:
    """Rises during warm-up, then falls on half a cosine to 0.

    Args:
        optimizer: whose learning rates are set.
        total_steps: steps that there will be.
        warmup: a fraction of all steps when below 1, else steps.
    """
    steps = warmup_steps(warmup, total_steps)
    made: LRScheduler = optimization.get_cosine_schedule_with_warmup(optimizer, steps, total_steps)
    return made


@scheduler("cosine_with_restarts")
def cosine_with_restarts(
    optimizer: Optimizer, total_steps: int, *, warmup: float = 0.0, num_cycles: int = 1
) -> LRScheduler:
    """Rises during warm-up, then falls on half a cosine to 0, several times over.

    Args:
        optimizer: whose learning rates are set.
        total_steps: steps that there will be.
        warmup: a fraction of all steps when below 1, else steps.
        num_cycles: how often it starts again from the top.
    """
    steps = warmup_steps(warmup, total_steps)
    made: LRScheduler = optimization.get_cosine_with_hard_restarts_schedule_with_warmup(
        optimizer, steps, total_steps, num_cycles=num_cycles
    )
    return made


@scheduler("polynomial")
def polynomial(
    optimizer: Optimizer,
    total_steps: int,
    *,
    warmup: float = 0.0,
    power: float = 1.0,
    lr_end: float = 1e-7,
) -> LRScheduler:
    """Rises during warm-up, then falls as a power of what is left to `lr_end`.

    Args:
        optimizer: whose learning rates are set.
        total_steps: steps that there will be.
        warmup: a fraction of all steps when below 1, else steps.
        power: of the curve; 1 is a line.
        lr_end: learning rate of the last step.
    """
    steps = warmup_steps(warmup, total_steps)
    made: LRScheduler = optimization.get_polynomial_decay_schedule_with_warmup(
        optimizer, steps, total_steps, lr_end=lr_end, power=power
    )
    return made


@scheduler("inverse_sqrt")
def inverse_sqrt(optimizer: Optimizer, total_steps: int, *, warmup: float = 0.0) -> LRScheduler:
    """Rises during warm-up, then falls with the square root of the steps done.

    Args:
        optimizer: whose learning rates are set.
        total_steps: steps that there will be.
        warmup: a fraction of all steps when below 1, else steps.
    """
    # Without warm-up the library falls back on 10,000 steps for the curve's scale.
    made: LRScheduler = optimization.get_inverse_sqrt_schedule(
        optimizer, warmup_steps(warmup, total_steps)
    )
    return made


@scheduler("constant")
def constant(optimizer: Optimizer, total_steps: int, *, warmup: float = 0.0) -> LRScheduler:
    """Rises during warm-up, then stays.

    Args:
        optimizer: whose learning rates are set.
        total_steps: steps that there will be.
        warmup: a fraction of all steps when below 1, else steps.
    """
    made: LRScheduler = optimization.get_constant_schedule_with_warmup(
        optimizer, warmup_steps(warmup, total_steps)
    )
    return made


def warmup_steps(warmup: float, total_steps: int) -> int:
    """`warmup` in steps: below 1 it is a fraction of all steps, rounded up.

    Raises:
        DataError: it is negative.
    """
    check_warmup(warmup, key="train.scheduler.warmup")
    return math.ceil(warmup * total_steps) if warmup < 1 else int(warmup)
