"""To how many places batches are padded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset

from mlrecipe.training.batching.widths import MOST, few
from mlrecipe.training.data import TrainData
from tests.training.test_batches import lengths_of
from tests.training.test_data import HEAD, TASK, shapes_of
from tests.training.tiny import make_spec


def data_of(train: int, *, valid: int = 7, **changes: Any) -> TrainData:
    """Rows of up to 128 tokens."""
    rows = [
        Dataset.from_dict({
            "input_ids": [[1] * length for length in lengths_of(count)],
            "label": [i % 2 for i in range(count)],
        })
        for count in (train, valid)
    ]  # fmt: skip
    encoded = [TASK.encode(part, HEAD, split="train") for part in rows]
    return TrainData(
        task=TASK, spec=make_spec(**changes), seed=1, train=encoded[0], valid=encoded[1:]
    )  # fmt: skip


def places(lengths: np.ndarray, values: list[int]) -> int:
    return int(np.array(values)[np.searchsorted(values, lengths)].sum())


@pytest.mark.parametrize("most", [1, 2, 8])
def test_few_widths_take_every_row(most: int):
    """At most so many, the widest that of the longest row."""
    lengths = lengths_of(500)
    widths = few(lengths, most=most)

    assert len(widths.values) <= most
    assert widths.values[-1] == lengths.max()
    assert all(widths.above(int(length)) >= length for length in lengths)


def test_widths_are_where_the_rows_are():
    """No choice of three multiples of 8 leaves less padding."""
    lengths = np.array([5] * 90 + [17] * 40 + [23] * 20 + [41] * 5 + [64] * 2)
    made = places(lengths, few(lengths, most=3).values)
    every = [places(lengths, [a, b, 64]) for a in range(8, 64, 8) for b in range(a + 8, 64, 8)]

    assert made == min(every)


@pytest.mark.parametrize("longest", [1, 3, 8, 9, 513, 8192])
def test_any_length_has_a_width(longest: int):
    """From a single token to very long texts."""
    assert few(np.arange(1, longest + 1), most=8).values[-1] == longest


@pytest.mark.parametrize(
    "changes", [{}, {"device_batch_size": 4}, {"batching": "shuffle"}, {"batching": "fixed"}]
)
def test_training_27_a_compiled_network_sees_few_shapes(changes: dict[str, Any]):
    """Over several epochs no more than there are widths, the rest of each epoch included."""
    data = data_of(203, compile=True, **changes)

    shapes = set().union(*(shapes_of(data, epoch) for epoch in range(8)))

    assert len(shapes) <= MOST


def test_training_27_torch_compiles_no_more_often():
    """Counted by a backend that runs the graphs as they are, with torch's own limit out of the way."""
    compiled = []

    def backend(graph: Any, inputs: Any) -> Any:
        compiled.append([tuple(i.shape) for i in inputs if isinstance(i, torch.Tensor)])
        return graph.forward

    data = data_of(203, compile=True)
    network = torch.nn.Embedding(100, 4)
    run = torch.compile(lambda ids: network(ids).sum(), backend=backend, dynamic=False)

    with torch._dynamo.config.patch(recompile_limit=64):
        for epoch in range(2):
            data.batches.set_epoch(epoch)
            for batch in data.train_dataloader():
                run(batch["input_ids"])

    assert 2 <= len(compiled) <= MOST


def test_without_compilation_no_place_is_wasted():
    """Each batch is as wide as its longest row."""
    data = data_of(203)

    assert all(batch["attention_mask"].sum(dim=1).max() == batch["input_ids"].shape[1]
               for batch in data.train_dataloader())  # fmt: skip
