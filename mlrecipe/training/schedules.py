"""Learning-rate schedules, by the names that transformers gives them."""

from __future__ import annotations

import math
from typing import Any, Literal

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from transformers import optimization as _optimization

from mlrecipe import events, scheduler
from mlrecipe.errors import DataError
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


@scheduler("one_cycle")
def one_cycle(
    optimizer: Optimizer,
    total_steps: int,
    *,
    warmup: float = 0.3,
    anneal: Literal["cos", "linear"] = "cos",
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> LRScheduler:
    """Rises from a fraction of the rate to the rate, then falls far below where it began: one cycle.

    The rates are those of torch's OneCycleLR; the optimizer's momentum stays as it is.

    Args:
        optimizer: whose learning rates are set.
        total_steps: steps that there will be.
        warmup: a fraction of all steps when below 1, else steps.
        anneal: the curve of both parts, half a cosine or a line.
        div_factor: the first step's rate is the highest one divided by this.
        final_div_factor: the last step's rate is the first one's divided by this.
    """
    for name, value in (("div_factor", div_factor), ("final_div_factor", final_div_factor)):
        if value <= 0:
            raise DataError(f"{value!r} is not above 0", key=f"train.scheduler.{name}")
    check_warmup(warmup, key="train.scheduler.warmup")
    # A fraction is not rounded, as torch does not: the top may lie between two steps.
    top = max((warmup * total_steps if warmup < 1 else int(warmup)) - 1, 0)
    first, end = 1 / div_factor, total_steps - 1 if top < total_steps - 1 else top + 1
    last = first / final_div_factor

    def factor(step: int) -> float:
        if step < top:
            return _between(first, 1.0, step / top, anneal)
        return _between(1.0, last, min((step - top) / (end - top), 1.0), anneal)

    return LambdaLR(optimizer, factor)


def warn_of_warmup(warmup: float, total_steps: int) -> None:
    """Say so when training ends before the learning rate has risen to its height."""
    if warmup >= 1 and warmup >= total_steps:
        text = (
            f"the warm-up takes {int(warmup):,} steps and there will be {total_steps:,}: the learning rate "
            "never comes to its height"
        )
        events.emit(events.Note(text, "warning"))


def warmup_steps(warmup: float, total_steps: int) -> int:
    """`warmup` in steps: below 1 it is a fraction of all steps, rounded up.

    Raises:
        DataError: it is negative.
    """
    check_warmup(warmup, key="train.scheduler.warmup")
    return math.ceil(warmup * total_steps) if warmup < 1 else int(warmup)


def _between(start: float, end: float, share: float, anneal: str) -> float:
    """The value at `share` of the way from `start` to `end`."""
    way = share if anneal == "linear" else (1 - math.cos(math.pi * share)) / 2
    return start + (end - start) * way
