"""Schedules: the learning rate of each step."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from mlrecipe.errors import DataError
from mlrecipe.recipe.schema import Component
from mlrecipe.registry import registries
from mlrecipe.training.schedules import warmup_steps
from tests.training.test_fit import log_of, train

NAMES = registries["scheduler"].names()


def optimizer_of(*highest: float) -> torch.optim.Optimizer:
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": lr} for lr in highest]
    return torch.optim.SGD(groups, lr=highest[0])


def rates(name: str, steps: int, *highest: float, **params: Any) -> list[list[float]]:
    """The learning rates of each step, one for each group."""
    optimizer = optimizer_of(*(highest or (1.0,)))
    return _run(optimizer, registries["scheduler"].get(name)(optimizer, steps, **params), steps)


def _run(optimizer: torch.optim.Optimizer, schedule: Any, steps: int) -> list[list[float]]:
    seen = []
    for _ in range(steps):
        seen.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    return seen


def of(name: str, steps: int, **params: Any) -> list[float]:
    return [step[0] for step in rates(name, steps, **params)]


def test_linear_rises_and_falls_to_zero():
    """Two of ten steps of warm-up, then a line that would reach 0 after the last step."""
    expected = [0, 0.5, *[(10 - i) / 8 for i in range(2, 10)]]

    assert of("linear", 10, warmup=0.2) == pytest.approx(expected)


def test_cosine_falls_on_half_a_cosine():
    """Without warm-up it starts at the top."""
    expected = [0.5 * (1 + math.cos(math.pi * i / 10)) for i in range(10)]

    assert of("cosine", 10) == pytest.approx(expected)


def test_cosine_with_restarts_comes_to_the_top_again():
    """Two cycles of five steps each."""
    expected = [0.5 * (1 + math.cos(math.pi * i / 5)) for i in range(5)] * 2

    assert of("cosine_with_restarts", 10, num_cycles=2) == pytest.approx(expected)


def test_polynomial_falls_as_a_power_of_what_is_left():
    """To `lr_end`, which would be reached after the last step."""
    expected = [0.1 + 0.9 * (1 - i / 10) ** 2 for i in range(10)]

    assert of("polynomial", 10, power=2.0, lr_end=0.1) == pytest.approx(expected)


def test_inverse_sqrt_falls_with_the_root_of_the_steps():
    """From the end of the warm-up on, whose length is the curve's scale."""
    expected = [0, 0.25, 0.5, 0.75, *[math.sqrt(4 / i) for i in range(4, 10)]]

    assert of("inverse_sqrt", 10, warmup=4) == pytest.approx(expected)


def test_constant_stays_after_warm_up():
    """Warm-up of 1 and more counts steps."""
    assert of("constant", 6, warmup=2) == pytest.approx([0, 0.5, 1, 1, 1, 1])


@pytest.mark.parametrize("anneal", ["cos", "linear"])
@pytest.mark.parametrize(
    ("warmup", "steps"),
    [(0.3, 50), (0.06, 50), (0.5, 50), (0.3, 11), (0.5, 11), (0.3, 37), (0.06, 37)],
)
def test_one_cycle_has_the_rates_of_torchs_own(anneal: str, warmup: float, steps: int):
    """As PyMarlin's GLUE example takes it; momentum is left alone."""
    optimizer = optimizer_of(1.0, 0.5)
    torchs = OneCycleLR(
        optimizer, max_lr=[1.0, 0.5], total_steps=steps, pct_start=warmup, cycle_momentum=False,
        anneal_strategy=anneal,
    )  # fmt: skip
    expected = _run(optimizer, torchs, steps)

    found = rates("one_cycle", steps, 1.0, 0.5, warmup=warmup, anneal=anneal)

    assert [f for step in found for f in step] == pytest.approx([f for e in expected for f in e])


@pytest.mark.parametrize("name", [name for name in NAMES if name != "one_cycle"])
def test_every_schedule_but_one_cycle_starts_at_the_optimizers_rate(name: str):
    """Without warm-up the first step is made with the rate that the recipe gives."""
    assert of(name, 4)[0] == pytest.approx(1.0)


@pytest.mark.parametrize("name", NAMES)
def test_every_schedule_keeps_the_groups_in_proportion(name: str):
    """A group with a tenth of the rate has a tenth of it at every step."""
    found = rates(name, 12, 1.0, 0.1, warmup=0.25)

    assert all(low == pytest.approx(high / 10) for high, low in found)
    assert max(high for high, _ in found) == pytest.approx(1.0)


@pytest.mark.parametrize("name", NAMES)
def test_every_schedule_goes_on_where_its_state_was_saved(name: str):
    """Its state is plain values, loadable with `weights_only=True`; the rates that follow are the same."""
    make: Callable[..., Any] = registries["scheduler"].get(name)
    whole = of(name, 10, warmup=0.3)
    optimizer = optimizer_of(1.0)
    first = make(optimizer, 10, warmup=0.3)
    _run(optimizer, first, 4)
    states = (optimizer.state_dict(), first.state_dict())

    again = optimizer_of(1.0)
    second = make(again, 10, warmup=0.3)
    again.load_state_dict(states[0])
    second.load_state_dict(states[1])

    assert [step[0] for step in _run(again, second, 6)] == whole[4:]


@pytest.mark.parametrize("batches", ["whole", "partial"])
def test_experiment_15_the_schedule_ends_with_the_last_real_step(
    tiny: Path, run: Path, batches: str
):
    """The warm-up is a share of the steps that are made, and the last one is one before the line's 0."""
    batch_size = 8 if batches == "whole" else 12  # 64 rows: 8 steps, or 6 with a smaller last one
    train(
        tiny, run, batch_size=batch_size, epochs=2, trainer={"accelerator": "cpu", "log_every_n_steps": 1},
        scheduler=Component(use="linear", params={"warmup": 0.25}),
    )  # fmt: skip
    steps = 16 if batches == "whole" else 12

    logged = {int(row["step"]): float(row["learning_rate"]) for row in log_of(run)
              if row["learning_rate"]}  # fmt: skip

    rise = steps // 4
    expected = [min(i / rise, (steps - i) / (steps - rise)) * 2e-3 for i in range(steps)]
    assert [logged[step] for step in sorted(logged)] == pytest.approx(expected)


def test_a_negative_warm_up_is_refused():
    """A schedule made without the recipe's checks refuses it too."""
    with pytest.raises(DataError, match="-3 is not at least 0") as caught:
        of("cosine", 4, warmup=-3)

    assert caught.value.key == "train.scheduler.warmup"


@pytest.mark.parametrize(("warmup", "steps"), [(0.0, 0), (0.06, 7), (1, 1), (25, 25)])
def test_warm_up_is_a_fraction_below_one_and_steps_from_there(warmup: float, steps: int):
    """A fraction is rounded up."""
    assert warmup_steps(warmup, 101) == steps
