"""What metrics of numbers say beside their value."""

from __future__ import annotations

import pytest
import torch

from mlrecipe import events
from mlrecipe.interfaces import Head
from mlrecipe.registry import registries

HEAD = Head(problem_type="regression", labels=("score",))


@pytest.mark.parametrize("name", ["pearson-corrcoef", "spearman-corrcoef"])
def test_glue_15_a_correlation_says_once_why_it_is_0(name: str):
    """Not at each of many validations; a good one says nothing."""
    heard: list[events.Event] = []
    meter = registries["metric"].get(name)(HEAD)
    values = []

    with events.listening(heard.append):
        for scores in ([1.0, 2.0, 3.0], [2.5, 2.5, 2.5], [2.5, 2.5, 2.5]):
            meter.update(torch.tensor(scores), torch.tensor([0.0, 1.0, 5.0]))
            values.append(float(meter.compute()))
            meter.reset()

    assert values[0] > 0.9
    assert values[1:] == [0.0, 0.0]
    assert heard == [events.Note(f"all 3 predictions are 2.5: {name} is given as 0", "warning")]


def test_constant_targets_are_told_of_as_such():
    """They are a matter of the data, not of the model."""
    heard: list[events.Event] = []
    meter = registries["metric"].get("pearson-corrcoef")(HEAD)
    meter.update(torch.tensor([1.0, 2.0]), torch.tensor([3.0, 3.0]))

    with events.listening(heard.append):
        meter.compute()

    assert heard == [
        events.Note("all 2 targets are 3: pearson-corrcoef is given as 0", "warning")
    ]  # fmt: skip
