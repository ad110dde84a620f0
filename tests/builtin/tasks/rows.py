"""Rows for the tests of tasks, and one batch of them through a network."""

from __future__ import annotations

from typing import Any

import torch
from datasets import Dataset, Features, List, Value
from torch import Tensor, nn

from mlrecipe.interfaces import Head, StepOutput

IDS = Value("int32")


def rows_of(kinds: dict[str, Any] | None = None, **columns: list[Any]) -> Dataset:
    """Tokenized rows with these columns; `kinds` gives the types of some."""
    count = len(next(iter(columns.values())))
    data = {"input_ids": [[2, 5 + i % 9, 3] for i in range(count)], **columns}
    features = Dataset.from_dict(data).features | {"input_ids": List(IDS)} | (kinds or {})
    return Dataset.from_dict(data, features=Features(features))


class Fixed(nn.Module):
    """A network that gives the logits that it was made with."""

    def __init__(self, logits: list[list[float]]) -> None:
        super().__init__()
        self.given = nn.Parameter(torch.tensor(logits))

    def forward(self, input_ids: Tensor) -> Any:
        from types import SimpleNamespace

        return SimpleNamespace(logits=self.given[: len(input_ids)])


def step(
    task: Any, rows: Dataset, head: Head, logits: list[list[float]], *, learning: bool = False
) -> StepOutput:
    """What the task makes of all rows when the network gives these logits."""
    encoded = task.encode(rows, head, split="train")
    batch = task.collate(encoded.data.table)
    output: StepOutput = task.step(Fixed(logits).train(learning), batch)
    return output


def kept(task: Any, rows: Dataset) -> dict[str, Any]:
    """What the task takes from the data."""
    return dict(task.settle(rows, split="train")[1])
