"""Scores and targets of words with tags, as tasks give them, and metrics over them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mlrecipe.interfaces import Head
from mlrecipe.registry import registries

Rows = Sequence[Sequence[str]]


def head_of(tags: Sequence[str], scheme: str = "IOB2") -> Head:
    """The head of a task whose words have these tags."""
    return Head(problem_type="token_classification", labels=tuple(tags), scheme=scheme)


def batch_of(
    gold: Rows, predicted: Rows, tags: Sequence[str], *, width: int = 0
) -> tuple[Tensor, Tensor]:
    """Scores, (rows, words, 1 + tags), and ids, (rows, words), padded to the longest row or to `width`."""
    longest = max([width, *map(len, gold)])
    place = {tag: number for number, tag in enumerate(tags)}
    targets, decided = (
        torch.tensor(
            [[*(place[tag] for tag in row), *[none] * (longest - len(row))] for row in rows]
        )
        for rows, none in ((gold, -100), (predicted, -1))
    )
    targets, decided = (ids.reshape(len(gold), longest).long() for ids in (targets, decided))
    sure = torch.nn.functional.one_hot(decided + 1, 1 + len(tags))[..., 1:]
    return torch.cat([decided[..., None], sure], dim=-1).float(), targets


def value(
    name: str, head: Head, gold: Rows, predicted: Rows, *, size: int = 2, width: int = 0
) -> float:
    """The metric over batches of `size` rows."""
    meter = registries["metric"].get(name)(head)
    for start in range(0, max(len(gold), 1), size):
        rows = slice(start, start + size)
        meter.update(*batch_of(gold[rows], predicted[rows], head.labels, width=width))
    found = meter.compute()
    assert found.dtype == torch.float64
    return float(found)
