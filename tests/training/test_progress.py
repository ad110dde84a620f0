"""What is told of a training while it goes on."""

from __future__ import annotations

import pytest
import torch

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.recipe.schema import Component
from mlrecipe.training.fit import fit
from mlrecipe.training.memory import memory
from tests.training.tiny import LABELS, components, make_spec, make_splits


def test_each_step_is_told_with_loss_rate_speed_and_memory(tiny, run, heard):
    """Looked at every tenth step; steps are counted to their end."""
    splits = make_splits(train=96, valid=4)
    report = fit(
        task=TextClassification(labels=LABELS), model=Transformer(config=str(tiny)), seed=1,
        spec=make_spec(scheduler=Component(use="constant", params={"warmup": 0})), data=splits,
        folder=run, components=components(),
    )  # fmt: skip

    steps = [event for event in heard if isinstance(event, events.Progress)]
    assert [(s.done, s.total) for s in steps] == [(i, 12) for i in range(13)]
    looks = {id(s.values): s.values for s in steps[1:]}
    assert len(looks) == 2
    values = steps[-1].values
    assert set(values) == {"loss", "rate", "tokens/s", "examples/s", "memory"}
    assert values["rate"] == pytest.approx(2e-3)
    assert values["memory"] > 1e8
    tokens = sum(len(ids) for ids in splits["train"]["input_ids"])
    assert values["tokens/s"] / values["examples/s"] == pytest.approx(tokens / 96, rel=0.3)
    assert report.examples_per_second > 0


def test_memory_in_use_is_the_process_own():
    """In bytes: what is allocated counts."""
    before = memory(torch.device("cpu"))

    held = torch.ones(20_000_000)

    assert memory(torch.device("cpu")) - before > held.nbytes // 2
