"""Finders: a learning rate and a batch size that do for a recipe, by trying them on a copy of its network."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mlrecipe import events
from mlrecipe.training.batching.rows import Table
from mlrecipe.training.finding.bench import Bench
from mlrecipe.training.memory import MARGIN, room_on

_SMOOTH = 0.9
"""How much of the mean loss so far goes into the next."""

_BEYOND = 4.0
"""A loss so many times the lowest ends the test: the rate is too high by far."""

_FALL = 0.02
"""Share of the loss that must be gained for a fall to be one."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """What a learning-rate range test has seen."""

    rates: Floats
    """Learning rates tried, rising, shape (steps,)."""

    losses: Floats
    """The loss with each, smoothed."""

    suggestion: float | None
    """Where the loss falls steepest; None where it does not fall."""


def find_rate(made: Bench, *, low: float, high: float, steps: int) -> Rates:
    """Let the learning rate rise from step to step and see where the loss falls steepest (Smith 2017)."""
    groups = made.optimizer.param_groups
    shares = [group["lr"] for group in groups]
    usual = float(made.spec.optimizer.params.get("lr") or max(shares))
    rates = np.geomspace(low, high, steps)
    seen: list[float] = []
    mean, best = 0.0, math.inf
    for number, (rate, batches) in enumerate(zip(rates, made.steps(), strict=False)):
        for group, share in zip(groups, shares, strict=True):
            group["lr"] = share / usual * rate
        loss = made.step(batches)
        if not math.isfinite(loss):
            break
        mean = _SMOOTH * mean + (1 - _SMOOTH) * loss
        smooth = mean / (1 - _SMOOTH ** (number + 1))
        seen.append(smooth)
        best = min(best, smooth)
        events.emit(
            events.Progress(number + 1, steps, "steps", {"loss": smooth, "rate": float(rate)})
        )
        if smooth > _BEYOND * best:
            break
    losses = np.array(seen)
    return Rates(
        rates=rates[: len(seen)], losses=losses, suggestion=steepest(rates[: len(seen)], losses)
    )


def steepest(rates: Floats, losses: Floats) -> float | None:
    """The rate at which the loss falls steepest, before it is lowest; None where it does not fall."""
    if len(losses) < 8:
        return None
    low = int(losses.argmin())
    if losses[low] > losses[:low].max(initial=-math.inf) * (1 - _FALL):
        return None
    reach = max(2, len(losses) // 20)
    slopes = [_slope(losses[max(0, i - reach) : i + reach + 1]) for i in range(low + 1)]
    return float(f"{rates[int(np.argmin(slopes))]:.2g}")


def _slope(values: Floats) -> float:
    """The slope of the line through values at equal distances."""
    places = np.arange(len(values)) - (len(values) - 1) / 2
    return float((places * (values - values.mean())).sum() / max(float((places**2).sum()), 1e-12))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A batch size and the memory that a step took."""

    size: int
    memory: int
    """Bytes at the most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """What a batch-size probe has found."""

    tried: Sequence[Tried]
    """Sizes with which a step was made, rising; all of them fit."""

    width: int
    """Tokens of each row: those of the longest row of the train split."""

    budget: int
    """Bytes that may be taken, the margin left out."""

    ended: str
    """Why no larger size was tried."""

    @property
    def best(self) -> int:
        """The largest size that fits; 0: not even one row does."""
        return self.tried[-1].size if self.tried else 0


def find_size(made: Bench, *, most: int, seconds: float) -> Sizes:
    """Make steps of more and more rows, all as long as the longest, until memory, `most` or time is reached."""
    room = room_on(made.device)
    began = time.monotonic()
    tried: list[Tried] = []
    lengths = made.task.lengths(made.rows)
    width = max(int(lengths.max(initial=0)), made.spec.pad_to or 0)
    ended = f"none above {most} was to be tried"
    wanted = sizes(made.spec.batch_size, most)
    last = 0.0
    for size in wanted:
        growth = size / tried[-1].size if tried else 1.0
        if tried and not room.has(_foreseen(tried, size, room.before)):
            ended = f"{size} rows would need more than there is"
            break
        if tried and time.monotonic() - began + last * growth > seconds:
            ended = f"{seconds:.0f} s are over"
            break
        started = time.monotonic()
        batch = _longest(made, lengths, size)
        try:
            taken = room.measure(lambda batch=batch: _two_steps(made, batch))  # type: ignore[misc]
        except torch.OutOfMemoryError:
            made.optimizer.zero_grad(set_to_none=True)
            torch.cuda.empty_cache()
            ended = f"{size} rows do not fit"
            break
        last = time.monotonic() - started
        if not room.has(taken):
            ended = f"{size} rows leave less than {MARGIN:.0%} free"
            break
        tried.append(Tried(size=size, memory=taken))
        events.emit(events.Progress(size, most, "rows", {"memory": float(taken)}))
    return Sizes(tried=tried, width=width, budget=room.budget, ended=ended)


def sizes(batch_size: int, most: int) -> list[int]:
    """Sizes to try: powers of two, and those that divide a step's rows evenly."""
    powers = {2**i for i in range(most.bit_length())}
    parts = {n for n in range(1, batch_size + 1) if batch_size % n == 0}
    return sorted(n for n in powers | parts if n <= most)


def _two_steps(made: Bench, batch: Mapping[str, Tensor]) -> None:
    """The first makes the optimizer's state."""
    for _ in range(1 if made.optimizer.state else 2):
        made.step([(batch, 1.0)])


def _longest(made: Bench, lengths: NDArray[np.int64], size: int) -> Mapping[str, Tensor]:
    """A batch of the longest rows, some more than once where there are fewer."""
    order = np.argsort(lengths, kind="stable")[::-1]
    table = Table(made.rows).take(np.resize(order, size))
    pad = made.spec.pad_to
    return made.task.collate(table) if pad is None else made.task.collate(table, width=pad)


def _foreseen(tried: Sequence[Tried], size: int, before: int) -> int:
    """Bytes that a step of `size` rows will take, by what the last took beyond what was there `before`."""
    return before + int((tried[-1].memory - before) * size / tried[-1].size)
