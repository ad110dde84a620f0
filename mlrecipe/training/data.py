"""The encoded splits as Lightning takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
from datasets import Dataset
from torch.utils.data import DataLoader, Sampler

from mlrecipe.interfaces import Task
from mlrecipe.recipe.schema import TestSpec, TrainSpec
from mlrecipe.training.batches import FileBatches, Fill, Rows, Share, SortedBatches, TrainBatches


class TrainData(pl.LightningDataModule):
    """Encoded rows to learn from and, unless there are none, to validate on."""

    def __init__(
        self, *, task: Task, spec: TrainSpec, seed: int, train: Dataset, valid: Dataset | None
    ) -> None:
        super().__init__()
        self.fill = Fill()
        self._task = task
        self._spec = spec
        self._seed = seed
        self._train = train
        self._valid = valid

    def train_dataloader(self) -> DataLoader[Any]:
        """Batches in the order that the recipe's `batching` asks for."""
        lengths = self._task.lengths(self._train)
        batches = TrainBatches(
            lengths,
            batch_size=self._spec.batch_size,
            seed=self._seed,
            bucket=self._spec.batching == "bucket",
            share=self._share(),
        )
        rows = Rows(self._train, self._task.collate, lengths=lengths, fill=self.fill)
        return _loader(rows, batches)

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        """Every row once, rows of like length together."""
        if self._valid is None:
            return []
        lengths = self._task.lengths(self._valid)
        batches = SortedBatches(lengths, batch_size=self._spec.eval_batch_size, share=self._share())
        return _loader(Rows(self._valid, self._task.collate, lengths=lengths), batches)

    def _share(self) -> Share:
        if self.trainer is None:
            return Share()
        return Share(rank=self.trainer.global_rank, world_size=self.trainer.world_size)


def test_loader(task: Task, spec: TestSpec, rows: Dataset) -> DataLoader[Any]:
    """Every encoded row once, in the order of the file."""
    batches = FileBatches(len(rows), batch_size=spec.batch_size)
    return _loader(Rows(rows, task.collate, lengths=task.lengths(rows)), batches)


test_loader.__test__ = False  # type: ignore[attr-defined]  # not a test for pytest


def splits_of(data: Mapping[str, Dataset], spec: TrainSpec) -> dict[str, Dataset]:
    """The splits to learn from and to validate on, in this order, by their names."""
    names = [spec.train_split, spec.valid_split] if spec.valid_split else [spec.train_split]
    return {name: data[name] for name in names}


def _loader(rows: Rows, batches: Sampler[Any]) -> DataLoader[Any]:
    # The sampler gives whole batches and `Rows` takes them: the loader has nothing to group.
    return DataLoader(rows, sampler=batches, batch_size=None)
