"""The encoded splits as Lightning takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytorch_lightning as pl
from datasets import Dataset
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Sampler

from mlrecipe.errors import DataError
from mlrecipe.interfaces import Task, Weighing
from mlrecipe.recipe import splits
from mlrecipe.recipe.schema import TestSpec, TrainSpec
from mlrecipe.training.batching import widths
from mlrecipe.training.batching.arithmetic import arithmetic
from mlrecipe.training.batching.drawing import Drawing, everything
from mlrecipe.training.batching.epochs import BySize, ByTokens, Order
from mlrecipe.training.batching.fill import Fill
from mlrecipe.training.batching.rows import Batch, Rows
from mlrecipe.training.batching.samplers import FileBatches, SortedBatches, TrainBatches
from mlrecipe.training.devices.dealing import Dealt

Indices = NDArray[np.int64]


class TrainData(pl.LightningDataModule):
    """Encoded rows to learn from and, unless there are none, to validate on."""

    def __init__(
        self,
        *,
        task: Task,
        spec: TrainSpec,
        seed: int,
        train: Dataset,
        valid: Sequence[Dataset] = (),
        drawing: Drawing | None = None,
        world_size: int = 1,
    ) -> None:
        """Plan the batches of every epoch.

        Args:
            task: whose rows they are.
            spec: how the recipe wants them batched.
            seed: of their order.
            train: encoded rows.
            valid: encoded rows of each split to validate on.
            drawing: which of the train rows an epoch sees; by default each once.
            world_size: processes that share the batches.

        Raises:
            DataError: the rows or sizes do not fit what the recipe asks for.
        """
        super().__init__()
        self.fill = Fill()
        self._task = task
        self._spec = spec
        self._train = train
        self._valid = valid
        self._world_size = world_size
        self._lengths = task.lengths(train)
        drawing = drawing or everything(len(train))
        if spec.batching == "tokens":
            order: Order = self._by_tokens(drawing, seed)
            self.accumulation, self._width = 1, None
        else:
            batching = arithmetic(spec.batch_size, spec.device_batch_size, world_size)
            by_size = BySize(
                self._lengths, batching, seed=seed, drawing=drawing,
                bucket=spec.batching == "bucket",
            )  # fmt: skip
            order = by_size
            self.accumulation = batching.accumulation
            self._width = self._train_width(batching.micro, by_size.odd_sizes)
        self.batches = TrainBatches(
            order, still=bool(spec.trainer.get("overfit_batches")),
            items=task.loss_items(train) if isinstance(task, Weighing) else None,
        )  # fmt: skip

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches in the order that the recipe's `batching` asks for."""
        self.batches.rank = self._rank
        rows = Rows(
            self._train, self._task.collate, lengths=self._lengths, width=self._width,
            fill=self.fill,
        )  # fmt: skip
        return _loader(rows, self.batches)

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        """Every row of each split once, rows of like length together; of several splits a loader each."""
        loaders = [self._val_loader(rows) for rows in self._valid]
        return loaders[0] if len(loaders) == 1 else loaders

    def sample(self) -> Batch:
        """The first batch of the first epoch, which is not counted."""
        rows = Rows(self._train, self._task.collate, lengths=self._lengths, width=self._width)
        return rows[next(iter(self.batches))]

    def weight_of(self, batch_idx: int) -> float:
        """By what the mean loss of the epoch's batch is multiplied, that its step be the mean over its rows.

        1 but in a step whose batches are fewer, smaller or of several sizes. Of a task whose loss is a mean
        over words or the like: over these.
        """
        made, accumulation = len(self.batches), self.accumulation
        if self.trainer is not None:
            made = int(min(made, self.trainer.num_training_batches))
            accumulation = self.trainer.accumulate_grad_batches  # a callback may change it
        return self.batches.weight_of(batch_idx, accumulation=accumulation, batches=made)

    @property
    def _rank(self) -> int:
        """Number of this process, which is known once there are others."""
        return 0 if self.trainer is None else self.trainer.global_rank

    def _val_loader(self, valid: Dataset) -> DataLoader[Any]:
        lengths = self._task.lengths(valid)
        rows = Rows(valid, self._task.collate, lengths=lengths)
        batches = SortedBatches(lengths, batch_size=self._spec.eval_batch_size)
        return _loader(rows, self._dealt(batches))

    def _by_tokens(self, drawing: Drawing, seed: int) -> ByTokens:
        spec = self._spec
        if spec.tokens_per_batch is None:
            raise DataError("batches by tokens need a number of them", key="train.tokens_per_batch")
        return ByTokens(
            self._lengths, spec.tokens_per_batch, seed=seed, drawing=drawing, epochs=spec.epochs,
            max_steps=spec.max_steps, world_size=self._world_size,
        )  # fmt: skip

    def _train_width(self, micro: int, odd: int) -> Callable[[Indices], int] | None:
        longest = int(self._lengths.max(initial=0))
        if self._spec.batching == "fixed":
            width = longest if self._spec.pad_to is None else self._spec.pad_to
            if width < longest:
                row = int(self._lengths.argmax())
                message = f"row {row} of split {self._spec.train_split!r} has {longest} tokens"
                hint = f"set it to at least {longest}, or cut texts in the tokenize node"
                raise DataError(message, key="train.pad_to", hint=hint)
            return lambda lengths: width
        return _few(self._lengths, micro, odd=odd) if self._spec.compile else None

    def _dealt(self, batches: Sampler[Indices]) -> Sampler[Indices]:
        if self._world_size == 1:
            return batches
        return Dealt(batches, rank=self._rank, world_size=self._world_size)


def test_loader(
    task: Task,
    spec: TestSpec,
    rows: Dataset,
    *,
    rank: int = 0,  # noqa: PT028 (no test)
    world_size: int = 1,  # noqa: PT028
    start: int = 0,  # noqa: PT028
) -> DataLoader[Any]:
    """Every encoded row once over all processes, in the order of the file, but those of `start` steps."""
    whole = FileBatches(len(rows), batch_size=spec.batch_size)
    batches = Dealt(whole, rank=rank, world_size=world_size, start=start)
    return _loader(Rows(rows, task.collate, lengths=task.lengths(rows)), batches)


test_loader.__test__ = False  # type: ignore[attr-defined]  # not a test for pytest


def splits_of(data: Mapping[str, Dataset], spec: TrainSpec) -> dict[str, Dataset]:
    """The splits to learn from and to validate on, in this order, by their names."""
    return {name: data[name] for name in (spec.train_split, *splits.names(spec.valid_split))}


def _few(lengths: Indices, size: int, *, odd: int) -> Callable[[Indices], int]:
    """Widths for batches of `size` rows, and the widest for all of the `odd` other sizes.

    A compiled network is compiled again for each shape.
    """
    few = widths.few(lengths, most=max(widths.MOST - odd, 1))
    widest = few.values[-1]
    return lambda rows: few.above(int(rows.max())) if len(rows) == size else widest


def _loader(rows: Rows, batches: Sampler[Any]) -> DataLoader[Any]:
    # The sampler gives whole batches and `Rows` takes them: the loader has nothing to group. It has no
    # workers: a batch is made in a fraction of a millisecond, less than sending it to another process.
    return DataLoader(rows, sampler=batches, batch_size=None)
