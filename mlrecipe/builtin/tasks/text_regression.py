"""One number for each text, or for each pair of texts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mlrecipe import events, task
from mlrecipe.builtin.tasks._text import TARGETS, TextTask, find_column
from mlrecipe.builtin.tasks.labels import (
    class_names,
    first_row,
    has_labels,
    of_rows,
    require_column,
    values_of,
)
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Column, Head

_WANTED = ("number", "class")


@task("text-regression")
@dataclass(frozen=True, slots=True, kw_only=True)
class TextRegression(TextTask):
    """A number for each tokenized text or pair of texts, learned by the mean squared error.

    Takes the columns that `tokenize` writes. Numbers are learned as they stand, in float32: bring those that
    are far from 0, or far apart, nearer to it first.
    """

    label: Column | None = None
    """Column with the number of each row; by default `label`, or else the one that looks like it."""

    metrics: list[str] = field(default_factory=lambda: ["pearson-corrcoef", "spearman-corrcoef"])
    """What to report beside the loss, which is the mean squared error."""

    def head(self, splits: Mapping[str, Dataset]) -> Head:
        """One output, named as the column."""
        split, rows = next(iter(splits.items()))
        column = find_column(self.label, rows, split=split, wanted=_WANTED)
        numbers = _numbers(rows, column, split=split)
        if len(numbers) and (numbers == numbers[0]).all():
            text = (
                f"every row of split {split!r} has the number {numbers[0]:g} in column {column!r}"
            )
            events.emit(events.Note(f"{text}: there is nothing to tell apart", "warning"))
        return Head(problem_type="regression", labels=(column,), targets=(column,))

    def settle(self, rows: Dataset, *, split: str) -> tuple[TextRegression, Mapping[str, Any]]:
        """The task with its label column written out."""
        column = find_column(self.label, rows, split=split, wanted=_WANTED)
        is_said = self.label is not None or column == "label"
        return replace(self, label=column), {} if is_said else {"label_column": column}

    def of(self, head: Head) -> TextRegression:
        """The task with the head's column."""
        return replace(self, label=self.label or _column(head))

    def encode(self, rows: Dataset, head: Head, *, split: str) -> Dataset:
        """Token columns as they are, and the column `labels` with the numbers."""
        inputs = self.inputs(rows, split=split)
        numbers = _numbers(rows, self.label or _column(head), split=split)
        return inputs.add_column(TARGETS, pa.array(numbers))

    def is_labelled(self, rows: Dataset, head: Head) -> bool:
        """Whether any row has a number."""
        return has_labels(rows, [self.label or _column(head)])

    def _targets(self, column: pa.ChunkedArray) -> Tensor:
        return torch.from_numpy(np.asarray(column.to_numpy(), dtype=np.float32).copy())

    def _plain_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean squared error.

        Both shapes are (rows,): a (rows, 1) beside a (rows,) would be compared each with each.
        """
        return functional.mse_loss(self._scores(logits), targets)

    def _scores(self, logits: Tensor) -> Tensor:
        """The numbers, (rows,), also of one row."""
        if logits.shape[-1] != 1:
            message = f"the model puts out {logits.shape[-1]} numbers for each text"
            raise DataError(message, key="use", hint="a regression needs a head with one output")
        return logits.squeeze(-1)


def _column(head: Head) -> str:
    return next(iter(head.targets or head.labels))


def _numbers(rows: Dataset, column: str, *, split: str) -> NDArray[np.float32]:
    """The numbers of a column, (rows,); raises where one is missing or no number."""
    require_column(rows, column, key="label", split=split)
    values = values_of(rows, column)
    kind = values.type
    if class_names(rows, column) is not None:
        message = f"column {column!r} of split {split!r} holds class labels"
        raise DataError(message, key="label", hint="classes are for `text-classification`")
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        message = f"column {column!r} of split {split!r} holds {kind}"
        hint = "a regression learns numbers; texts and classes are for `text-classification`"
        raise DataError(message, key="label", hint=hint)
    numbers: NDArray[np.float32] = values.to_numpy().astype(np.float32)
    bad = np.flatnonzero(~np.isfinite(numbers))
    if len(bad):
        row = int(bad[0])
        what = "is infinite" if np.isinf(numbers[row]) else "has no number"
        raise DataError(
            f"{of_rows(len(bad), len(numbers), split)} no finite number in column {column!r}, "
            f"{first_row(row)}, which {what}",
            key="label",
            hint="leave them out with the op `filter`",
        )
    return numbers
