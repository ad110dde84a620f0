"""Rows: the data module that gives a user's own module what the recipe prepares."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytorch_lightning as pl
from datasets import Dataset
from torch.utils.data import DataLoader

from mlrecipe import datamodule
from mlrecipe.errors import DataError, did_you_mean


@datamodule("rows", splits=True)
class RowsModule(pl.LightningDataModule):
    """Batches of the rows of the node `train.data`, as tensors, by torch's own DataLoader.

    A module that has a method `collate(rows)` makes the batch of a list of rows itself: texts and
    rows of several lengths need that.
    """

    splits: Mapping[str, Dataset]

    def __init__(
        self,
        *,
        batch_size: int = 32,
        eval_batch_size: int = 64,
        columns: list[str] | None = None,
        train_split: str = "train",
        valid_split: str = "valid",
        test_split: str = "test",
        workers: int = 0,
    ) -> None:
        """Say which rows, and how many at once.

        Args:
            batch_size: rows of a batch to learn from, which are shuffled.
            eval_batch_size: rows of a batch to validate or test on.
            columns: what a row has; by default every column.
            train_split: split to learn from.
            valid_split: split to validate on; an empty text trains without validation.
            test_split: split to test on.
            workers: processes that make batches ahead.
        """
        super().__init__()
        for name, size in (("batch_size", batch_size), ("eval_batch_size", eval_batch_size)):
            if size < 1:
                raise DataError(f"{size!r} is not at least 1", key=name)
        self._sizes = (batch_size, eval_batch_size)
        self._columns = columns
        self._names = {"train": train_split, "valid": valid_split, "test": test_split}
        self._workers = workers

    def train_dataloader(self) -> DataLoader[Any]:
        """Every row once an epoch, in another order each."""
        return self._loader("train", self._sizes[0], shuffle=True)

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        """Every row in order."""
        return self._loader("valid", self._sizes[1]) if self._names["valid"] else []

    def test_dataloader(self) -> DataLoader[Any]:
        """Every row in order."""
        return self._loader("test", self._sizes[1])

    def _loader(self, stage: str, size: int, *, shuffle: bool = False) -> DataLoader[Any]:
        name, key = self._names[stage], f"data.{stage}_split"
        if name not in self.splits:
            message = f"the data have no split {name!r}; {did_you_mean(name, self.splits)}"
            raise DataError(message, key=key)
        rows = self.splits[name]
        missing = [column for column in self._columns or () if column not in rows.column_names]
        if missing:
            message = f"split {name!r} has no column {missing[0]!r}"
            hint = did_you_mean(missing[0], rows.column_names)
            raise DataError(message, key="data.columns", hint=hint)
        rows = rows.select_columns(self._columns) if self._columns else rows
        own: Callable[[list[Any]], Any] | None = None
        if self.trainer is not None:
            own = getattr(self.trainer.lightning_module, "collate", None)
        loader: DataLoader[Any] = DataLoader(
            rows.with_format("torch"), batch_size=size, shuffle=shuffle, collate_fn=own,
            num_workers=self._workers, persistent_workers=self._workers > 0,
        )  # fmt: skip
        return loader
