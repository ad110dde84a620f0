"""Parameter groups and schedules."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from mlrecipe.errors import DataError
from mlrecipe.recipe.schema import Component
from mlrecipe.registry import registries
from mlrecipe.training.optimization import Optimization, groups_for
from mlrecipe.training.schedules import warmup_steps
from tests.training.tiny import components


class Small(nn.Module):
    """Two-dimensional weights, biases, a normalization, and something frozen."""

    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(5, 4)
        self.layer = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self.frozen = nn.Linear(4, 4)
        self.frozen.requires_grad_(False)


def optimization(optimizer: Component) -> Optimization:
    scheduler = Component(use="constant")
    return Optimization(optimizer=optimizer, scheduler=scheduler, components=components())


def rates(name: str, steps: int, **params: Any) -> list[float]:
    """The learning rate of each step."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = registries["scheduler"].get(name)(optimizer, steps, **params)
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


def test_biases_and_normalization_do_not_decay():
    """What has one dimension keeps its size; what is frozen is not there at all."""
    module = Small()
    made = optimization(Component(use="AdamW", params={"lr": 0.1, "weight_decay": 0.3}))

    decaying, others = made.make_optimizer(module).param_groups

    assert decaying["weight_decay"] == 0.3
    assert others["weight_decay"] == 0.0
    assert [p is q for p, q in zip(decaying["params"], [module.words.weight, module.layer.weight],
                                   strict=True)] == [True, True]  # fmt: skip
    norm = [module.layer.bias, module.norm.weight, module.norm.bias]
    assert [p is q for p, q in zip(others["params"], norm, strict=True)] == [True] * 3


def test_an_optimizer_without_decay_has_one_group():
    """LBFGS takes a single group and no weight decay."""
    assert len(groups_for(torch.optim.LBFGS, Small())) == 1


@pytest.mark.parametrize("name", registries["optimizer"].names())
def test_every_optimizer_of_the_catalog_is_torchs_own(name: str):
    """The name is the class's, and it takes our groups."""
    kind = registries["optimizer"].get(name)

    made = optimization(Component(use=name, params={"lr": 0.1})).make_optimizer(nn.Linear(2, 2))

    assert type(made) is kind is getattr(torch.optim, name)


def test_parameters_that_an_optimizer_does_not_take_are_an_error():
    """The message has the optimizer's name."""
    made = optimization(Component(use="AdamW", params={"lr": -1.0}))

    with pytest.raises(DataError, match="AdamW refuses its parameters") as caught:
        made.make_optimizer(Small())

    assert caught.value.key == "train.optimizer"


def test_linear_rises_and_falls_to_zero():
    """Two of ten steps of warm-up, then a line that would reach 0 after the last step."""
    expected = [0, 0.5, *[(10 - i) / 8 for i in range(2, 10)]]

    assert rates("linear", 10, warmup=0.2) == pytest.approx(expected)


def test_cosine_falls_on_half_a_cosine():
    """Without warm-up it starts at the top."""
    expected = [0.5 * (1 + math.cos(math.pi * i / 10)) for i in range(10)]

    assert rates("cosine", 10) == pytest.approx(expected)


def test_constant_stays_after_warm_up():
    """Warm-up of 1 and more counts steps."""
    assert rates("constant", 6, warmup=2) == pytest.approx([0, 0.5, 1, 1, 1, 1])


@pytest.mark.parametrize("name", registries["scheduler"].names())
def test_every_schedule_starts_at_the_optimizers_rate(name: str):
    """Without warm-up the first step is made with the rate that the recipe gives."""
    assert rates(name, 4)[0] == pytest.approx(1.0)


def test_a_negative_warm_up_is_refused():
    """A schedule made without the recipe's checks refuses it too."""
    with pytest.raises(DataError, match="-3 is not at least 0") as caught:
        rates("cosine", 4, warmup=-3)

    assert caught.value.key == "train.scheduler.warmup"


@pytest.mark.parametrize(("warmup", "steps"), [(0.0, 0), (0.06, 7), (1, 1), (25, 25)])
def test_warm_up_is_a_fraction_below_one_and_steps_from_there(warmup: float, steps: int):
    """A fraction is rounded up."""
    assert warmup_steps(warmup, 101) == steps
