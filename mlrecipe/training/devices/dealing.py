"""Dealing: the batches of an evaluation, shared among processes so that each row counts once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlrecipe.training.batching.samplers import Base

Indices = NDArray[np.int64]


class Dealt(Base):
    """Whole batches, each to one process in turn: the very batches that one process alone would take.

    All processes make equally many steps, for a network that is wrapped or in pieces needs all of them in
    each. Who has no batch left in the last step takes one row again, which does not count.
    """

    def __init__(
        self, batches: Base, *, rank: int = 0, world_size: int = 1, start: int = 0
    ) -> None:
        """Deal out `batches`, of which there is at least one; `start` steps are left out at the beginning."""
        self._batches = list(batches)
        self._rank = rank
        self._world_size = world_size
        self._start = start

    def __len__(self) -> int:
        return len(range(0, len(self._batches), self._world_size)) - self._start

    def __iter__(self) -> Iterator[Indices]:
        for step in range(len(self)):
            number = self.number(step)
            yield self._batches[0][:1] if number is None else self._batches[number]

    @property
    def all_rows(self) -> Indices:
        """The rows of all processes."""
        return np.concatenate(self._batches)

    def number(self, step: int) -> int | None:
        """Which of all batches this process takes in its step; None for a row that does not count."""
        number = (self._start + step) * self._world_size + self._rank
        return number if number < len(self._batches) else None

    def rows(self, step: int) -> Indices:
        """Numbers of the rows that count in this process's step."""
        number = self.number(step)
        return np.empty(0, np.int64) if number is None else self._batches[number]


def counts(loader: Any, step: int, *, number: int = 0) -> bool:
    """Whether a step of an evaluation counts; in loaders that are not dealt all do.

    Of several loaders that with this number is meant.
    """
    loader = loader[number] if isinstance(loader, list) else loader
    sampler = getattr(loader, "sampler", None)
    return not isinstance(sampler, Dealt) or sampler.number(step) is not None
