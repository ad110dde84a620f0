"""A learning rate and a batch size, found by trying."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.cli.find import nowhere
from mlrecipe.training import memory
from mlrecipe.training.finding import bench, finders
from tests.training.tiny import LABELS, components, make_spec, make_splits


@pytest.fixture
def make(tiny):
    """Sets a training up."""

    def make_one(**changes):
        rows = changes.pop("rows", 40)
        return bench.bench(
            task=TextClassification(labels=LABELS), model=Transformer(config=str(tiny)),
            spec=make_spec(**changes), seed=1, data=make_splits(train=rows, valid=4),
            components=components(),
        )  # fmt: skip

    return make_one


def test_the_suggested_rate_is_where_the_loss_falls_steepest():
    """Of a curve that is flat, falls, and rises."""
    rates = np.geomspace(1e-6, 1.0, 61)
    places = np.arange(61)
    losses = 1.0 - 0.5 / (1 + np.exp(-(places - 30) / 2)) + np.exp((places - 58) / 2)

    found = finders.steepest(rates, losses)

    assert found == pytest.approx(rates[30], rel=0.3)


@pytest.mark.parametrize("losses", [np.full(40, 0.7), np.linspace(0.7, 2.0, 40), np.ones(3)])
def test_where_no_loss_falls_nothing_is_suggested(losses):
    """Nor where there are too few steps to tell."""
    assert finders.steepest(np.geomspace(1e-6, 1, len(losses)), losses) is None


def test_where_no_loss_falls_a_narrower_range_is_named():
    """Once, and never fewer steps than were taken."""
    assert "--low 1e-05 --high 0.1 --steps 400; " in nowhere(1e-6, 1.0, 200)
    assert "--steps 500; " in nowhere(1e-7, 1.0, 500)
    assert nowhere(1e-5, 0.1, 400) == "look at the data, or try more --steps"


def test_the_rate_rises_from_step_to_step_and_stops_when_the_loss_does(make):
    """Exponentially; groups of parameters keep their shares; batches come epoch after epoch."""
    with make(rows=24, lr_by_name={"classifier.*": 2e-2}) as made:
        seen = []
        step = made.optimizer.step
        made.optimizer.step = lambda: (
            seen.append([group["lr"] for group in made.optimizer.param_groups]), step()
        )  # fmt: skip
        found = finders.find_rate(made, low=1e-5, high=1e3, steps=40)

    assert len(found.rates) < 40
    assert np.allclose(np.diff(np.log(found.rates)), np.log(1e8) / 39)
    ratios = {round(max(lrs) / min(lrs), 6) for lrs in seen}
    assert ratios == {10.0}
    assert np.allclose([min(lrs) for lrs in seen], found.rates[: len(seen)])


def test_training_36_the_batch_size_probe_uses_the_longest_rows(make, monkeypatch):
    """Each size is really tried: forward, backward and step with state, every row as long as the longest."""
    shapes = []
    with make(batch_size=8) as made:
        own = type(made.task).step

        def step(self, module, batch):
            shapes.append(tuple(batch["input_ids"].shape))
            return own(self, module, batch)

        monkeypatch.setattr(TextClassification, "step", step)
        found = finders.find_size(made, most=12, seconds=60)
        longest = int(made.task.lengths(made.rows).max())
        states = len(made.optimizer.state)

    assert [t.size for t in found.tried] == [1, 2, 4, 8]
    assert set(shapes) == {(size, longest) for size in (1, 2, 4, 8)}
    assert found.width == longest
    assert states > 0
    assert found.best == 8
    assert all(t.memory <= found.budget for t in found.tried)


def test_training_36_no_size_beyond_memory_is_suggested(make, monkeypatch):
    """What memory would not hold is not even tried; the margin is kept."""
    used = iter([100, 200, 400, 800, 1600])
    monkeypatch.setattr(memory, "memory", lambda device: 0)
    monkeypatch.setattr(memory, "memory_left", lambda: 1000)
    monkeypatch.setattr(memory, "_peak", lambda: next(used))

    with make(batch_size=8) as made:
        found = finders.find_size(made, most=64, seconds=60)

    assert found.budget == int(1000 * (1 - memory.MARGIN))
    assert [(t.size, t.memory) for t in found.tried] == [(1, 100), (2, 200), (4, 400), (8, 800)]
    assert found.ended == "16 rows would need more than there is"


def test_training_36_no_size_beyond_a_gpu_is_suggested(make, monkeypatch):
    """When memory is out, the largest that fit is the answer."""
    with make(batch_size=8) as made:
        own = type(made.task).step

        def step(self, module, batch):
            if len(batch["labels"]) > 4:
                raise torch.OutOfMemoryError("no more")
            return own(self, module, batch)

        monkeypatch.setattr(TextClassification, "step", step)
        found = finders.find_size(made, most=64, seconds=60)

    assert found.best == 4
    assert found.ended == "8 rows do not fit"


def test_fewer_rows_than_the_batch_are_taken_more_than_once(make):
    """And a width that the recipe sets is kept."""
    with make(batching="fixed", pad_to=40, rows=6) as made:
        lengths = made.task.lengths(made.rows)
        batch = finders._longest(made, lengths, 10)

    assert batch["input_ids"].shape == (10, 40)


def test_the_memory_that_is_left_is_known():
    """Some bytes, and no more than the machine has."""
    assert 0 < memory.memory_left() <= memory._available()


def test_sizes_are_powers_of_two_and_parts_of_a_step():
    """So that one divides the step evenly."""
    assert finders.sizes(12, 10) == [1, 2, 3, 4, 6, 8]
    assert finders.sizes(32, 64) == [1, 2, 4, 8, 16, 32, 64]


def test_accumulated_batches_make_one_step(make):
    """As training would."""
    with make(batch_size=8, device_batch_size=4) as made:
        parts = next(made.steps())

    assert [len(batch["labels"]) for batch, _ in parts] == [4, 4]
    assert sum(share for _, share in parts) == pytest.approx(1.0)


@pytest.mark.heavy
@pytest.mark.timeout(120)
def test_a_rate_for_the_demo_is_found_as_it_stands(tmp_path, monkeypatch, capsys):
    """A small network from random weights learns nothing at low rates: enough steps are at those that do."""
    from mlrecipe.cli.app import run as command
    from mlrecipe.scaffold.project import create

    create(tmp_path)
    monkeypatch.chdir(tmp_path)

    assert command(["find", "lr", "demo.toml", "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert 3e-4 < found["suggestion"] < 1e-2
