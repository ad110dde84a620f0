"""An epoch's batches: the drawn rows in the order in which they are learnt, as seed and epoch decide."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from mlrecipe.errors import DataError
from mlrecipe.training.batching.arithmetic import Batching
from mlrecipe.training.batching.drawing import Drawing

Indices = NDArray[np.int64]

POOL = 100
"""Batches whose rows are sorted by length together: more fill better and mix worse."""

_SMALL = 10
"""An epoch of twice as many steps has two pools at least, so that epochs differ in what comes together."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """The batches of one epoch on every device."""

    rows: Indices
    """Row numbers, batch after batch, and in each round of batches device after device."""

    sizes: Indices
    """Rows of each batch, shape (batches of a device, devices)."""

    items: Indices | None = None
    """What each batch's loss is a mean over, of the shape of `sizes`; by default its rows."""

    def of(self, items: Indices) -> Epoch:
        """The epoch of rows whose loss is a mean over so many items of each, shape (rows,)."""
        upto = np.concatenate([[0], np.cumsum(items[self.rows])])
        ends = np.cumsum(self.sizes.reshape(-1))
        found = upto[ends] - upto[ends - self.sizes.reshape(-1)]
        return replace(self, items=found.reshape(self.sizes.shape))

    def batches(self, rank: int) -> Iterator[Indices]:
        """Row numbers of each batch of one device."""
        ends = np.cumsum(self.sizes.reshape(-1)).reshape(self.sizes.shape)[:, rank]
        for size, end in zip(self.sizes[:, rank].tolist(), ends.tolist(), strict=True):
            yield self.rows[end - size : end]

    def weight(self, batch: int, rank: int, *, accumulation: int, batches: int) -> float:
        """By what a batch's mean loss is multiplied, so that its step follows the mean over the step's items.

        The step's gradient is otherwise the mean over devices and over `accumulation` batches; an
        epoch of only the first `batches` ends in a step of fewer.
        """
        first = batch - batch % accumulation
        items = self.sizes if self.items is None else self.items
        step = items[first : min(first + accumulation, batches)]
        share = int(items[batch, rank]) * step.shape[1] * accumulation
        return float(share / int(step.sum())) if step.any() else 1.0


class Order(Protocol):
    """The epochs of a training."""

    def __len__(self) -> int:
        """Batches of each device in every epoch."""

    def epoch(self, number: int) -> Epoch:
        """The batches of an epoch, counted from 0; a function of seed and number."""


class BySize:
    """Steps of a fixed number of rows."""

    def __init__(
        self,
        lengths: Indices,
        batching: Batching,
        *,
        seed: int,
        drawing: Drawing,
        bucket: bool = True,
        pool: int = POOL,
    ) -> None:
        """Prepare the epochs of rows with the given lengths, shape (rows,).

        A step holds the same rows however many devices and batches share it, but for the last two.

        Args:
            lengths: tokens of each row.
            batching: how steps come apart.
            seed: of the order.
            drawing: which rows an epoch sees.
            bucket: whether rows of like length are put together.
            pool: steps whose rows are sorted together.
        """
        if drawing.rows < batching.world_size:
            message = f"{drawing.rows} rows cannot be shared by {batching.world_size} devices"
            raise DataError(message, key="train.train_split")
        world_size = batching.world_size
        self._lengths = lengths
        self._batching = batching
        self._seed = seed
        self._drawing = drawing
        self._pool = pool if bucket else 0
        self._steps = batching.steps(drawing.rows)
        rounds = [batching.rounds(step) for step in self._steps]
        self._sizes = _shares([size for step in rounds for size in step], world_size)

    def __len__(self) -> int:
        return len(self._sizes)

    @property
    def odd_sizes(self) -> int:
        """How many other numbers of rows batches have beside the usual one."""
        return len(set(self._sizes.reshape(-1).tolist()) - {self._batching.micro})

    def epoch(self, number: int) -> Epoch:
        """Full steps in random order, then what is left."""
        random = np.random.default_rng((self._seed, number))
        rows = self._drawing.draw(random)
        if self._pool:
            rows = self._bucketed(rows, random)
        return Epoch(_dealt(rows, self._sizes), self._sizes)

    def _bucketed(self, rows: Indices, random: Generator) -> Indices:
        """Rows of like length together, in pools of steps; the rest is of any length."""
        size = self._batching.batch_size
        full = sum(step == size for step in self._steps)
        pools = max(1, min(2, full // _SMALL), -(-full // self._pool))
        starts = [steps * size for steps in _even(full, pools)]
        parts = [self._sorted(rows[a:b]) for a, b in pairwise([*starts[:-1], len(rows)])]
        place = random.integers((starts[-1] - starts[-2]) // size + 1) * size
        last, rest = _without(parts[-1], place, len(rows) - full * size)
        steps = np.concatenate([*parts[:-1], last]).reshape(full, size)
        return np.concatenate([steps[random.permutation(full)].reshape(-1), rest])

    def _sorted(self, rows: Indices) -> Indices:
        """By length; equal lengths keep their random order."""
        return rows[np.argsort(self._lengths[rows], kind="stable")]


class ByTokens:
    """Batches of as many rows as a number of places allows: rows times the longest's tokens."""

    def __init__(
        self,
        lengths: Indices,
        budget: int,
        *,
        seed: int,
        drawing: Drawing,
        epochs: int,
        max_steps: int | None = None,
        world_size: int = 1,
        pool: int = POOL,
    ) -> None:
        """Find how many batches each epoch has: as many as the one that needs most.

        Args:
            lengths: tokens of each row, shape (rows,).
            budget: places of a batch.
            seed: of the order.
            drawing: which rows an epoch sees.
            epochs: how many there will be.
            max_steps: steps after which no more are needed.
            world_size: devices, each of which takes a batch in each step.
            pool: batches whose rows are sorted together.

        Raises:
            DataError: a row is longer than the budget, or there are fewer rows than devices.
        """
        if lengths.max(initial=0) > budget:
            row = int(lengths.argmax())
            message = f"row {row} alone has {lengths[row]:,} tokens"
            hint = f"set it to at least {lengths[row]:,}, or cut texts in the tokenize node"
            raise DataError(message, key="train.tokens_per_batch", hint=hint)
        self._world_size = world_size
        self._lengths = np.maximum(lengths, 1)
        self._budget = budget
        self._seed = seed
        self._drawing = drawing
        mean = float(self._lengths.mean()) if len(lengths) else 1.0
        self._pools = max(1, round(drawing.rows * mean / (pool * world_size * budget)))
        self._rounds = self._most(epochs, max_steps)
        if self._rounds * world_size > drawing.rows:
            message = f"{drawing.rows} rows cannot be shared evenly by {world_size} devices"
            raise DataError(message, key="train.train_split")

    def __len__(self) -> int:
        return self._rounds

    def epoch(self, number: int) -> Epoch:
        """Batches in random order; those of several devices in a step are about as wide."""
        random = np.random.default_rng((self._seed, number))
        batches = self._widest_split(self._cut(random), self._rounds * self._world_size)
        batches.sort(key=lambda batch: int(self._lengths[batch[0]]))
        order = random.permutation(self._rounds)[:, None] * self._world_size
        chosen = [batches[i] for i in (order + np.arange(self._world_size)).reshape(-1)]
        sizes = np.array([len(batch) for batch in chosen], dtype=np.int64)
        return Epoch(np.concatenate(chosen), sizes.reshape(self._rounds, self._world_size))

    def _most(self, epochs: int, max_steps: int | None) -> int:
        most, steps = 0, 0
        for number in range(epochs):
            cut = len(self._cut(np.random.default_rng((self._seed, number))))
            rounds = -(-cut // self._world_size)
            most, steps = max(most, rounds), steps + rounds
            if max_steps is not None and steps >= max_steps:
                break
        return most

    def _cut(self, random: Generator) -> list[Indices]:
        """An epoch's batches, each with its longest row first, before they are made as many as in others."""
        batches = []
        for pool in np.array_split(self._drawing.draw(random), self._pools):
            rows = pool[np.argsort(-self._lengths[pool], kind="stable")]
            fits = (self._budget // self._lengths[rows]).tolist()
            start = 0
            while start < len(rows):
                batches.append(rows[start : start + fits[start]])
                start += fits[start]
        return batches

    def _widest_split(self, batches: list[Indices], count: int) -> list[Indices]:
        """The batches with the widest that have two rows halved until they are so many."""
        heap = [(-int(self._lengths[b[0]]), i) for i, b in enumerate(batches) if len(b) > 1]
        heapq.heapify(heap)
        while len(batches) < count:
            _, number = heapq.heappop(heap)
            batch = batches[number]
            batches[number], second = batch[: len(batch) // 2], batch[len(batch) // 2 :]
            batches.append(second)
            for half, i in ((batches[number], number), (second, len(batches) - 1)):
                if len(half) > 1:
                    heapq.heappush(heap, (-int(self._lengths[half[0]]), i))
        return batches


def _shares(rounds: Sequence[int], world_size: int) -> Indices:
    """Rows of each device in each round, as even as can be, shape (rounds, devices)."""
    return (np.array(rounds, dtype=np.int64)[:, None] + np.arange(world_size)[::-1]) // world_size


def _dealt(rows: Indices, sizes: Indices) -> Indices:
    """Each round's rows dealt out to the devices in turn, so that all have rows of like length."""
    world_size = sizes.shape[1]
    if world_size == 1:
        return rows
    totals = sizes.sum(axis=1)
    number = np.arange(len(rows)) - np.repeat(np.cumsum(totals) - totals, totals)
    turns = np.repeat(np.arange(len(sizes)), totals)
    return rows[np.lexsort((number // world_size, number % world_size, turns))]


def _even(count: int, parts: int) -> list[int]:
    """Where so many things start in each of about equal parts, and where the last part ends."""
    return [count * part // parts for part in range(parts + 1)]


def _without(rows: Indices, start: int, count: int) -> tuple[Indices, Indices]:
    """The rows but for `count` from `start`, and those."""
    return np.delete(rows, slice(start, start + count)), rows[start : start + count]
