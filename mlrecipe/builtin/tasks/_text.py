"""What tasks on tokenized texts share: their inputs, batches, and the way through the network."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics import Metric

from mlrecipe import columns
from mlrecipe.builtin.tasks import limits, padding
from mlrecipe.builtin.tasks.labels import require_column
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head, StepOutput
from mlrecipe.registry import registries

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
TARGETS = "labels"
"""The column of encoded rows, and the tensor of a batch, with what is to be learned."""


class TextTask:
    """A task whose inputs are tokens and whose network gives a row of logits for each text."""

    __slots__ = ()

    metrics: list[str]
    """Names of the metrics to report."""

    def inputs(self, rows: Dataset, *, split: str) -> Dataset:
        """Token columns as they are."""
        require_column(rows, "input_ids", key="data", split=split)
        return rows.select_columns([name for name in INPUTS if name in rows.column_names])

    def check(self, module: nn.Module, rows: Dataset, *, split: str) -> None:
        """Raise for token ids outside of the vocabulary and for texts with too many tokens."""
        limits.check_vocabulary(module, rows.data.column("input_ids"), split=split)
        limits.check_length(module, self.lengths(rows), split=split)

    def lengths(self, rows: Dataset) -> NDArray[np.int64]:
        """Tokens of each row."""
        return padding.lengths(rows.data.column("input_ids"))

    def collate(self, rows: pa.Table, *, width: int | None = None) -> dict[str, Tensor]:
        """The token columns, padded with 0, their mask, and the targets where the rows have any."""
        names = [name for name in INPUTS if name in rows.column_names]
        batch = {name: padding.pad(rows[name], width=width) for name in names}
        if "attention_mask" not in batch:
            batch["attention_mask"] = padding.mask(rows["input_ids"], width=width)
        if TARGETS in rows.column_names:
            batch[TARGETS] = self._targets(rows[TARGETS])
        return batch

    def separate(
        self, batch: Mapping[str, Tensor], places: int
    ) -> Sequence[tuple[Mapping[str, Tensor], float]]:
        """The batch in parts of equally many rows, or one less; every loss here is a mean over rows."""
        rows, width = batch["input_ids"].shape
        parts = min(math.ceil(rows / max(places // max(width, 1), 1)), rows)
        if parts < 2:
            return [(batch, 1.0)]
        pieces = {name: tensor.tensor_split(parts) for name, tensor in batch.items()}
        return [
            ({name: piece[i] for name, piece in pieces.items()}, len(pieces["input_ids"][i]) / rows)
            for i in range(parts)
        ]

    def step(self, module: nn.Module, batch: Mapping[str, Tensor]) -> StepOutput:
        """The batch's loss and scores; in evaluation mode the plain loss, without weights and the like."""
        logits = _logits(module, batch)
        targets = batch[TARGETS]
        if not len(targets):
            loss = logits.sum() * 0.0
        else:
            loss = (self._loss if module.training else self._plain_loss)(logits, targets)
        return StepOutput(loss=loss, scores=self._scores(logits.detach()), targets=targets)

    def scores(self, module: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """The predictions for one batch."""
        return self._scores(_logits(module, batch).detach())

    def meters(self, head: Head) -> Mapping[str, Metric]:
        """The metrics of the recipe."""
        return {name: registries["metric"].get(name)(head) for name in self.metrics}

    def _targets(self, column: pa.ChunkedArray) -> Tensor:
        """The targets of a batch from the column of encoded rows; here ids, (rows,)."""
        return torch.from_numpy(padding.to_numpy(column))

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """What is learned from: logits (rows, outputs) to a scalar; there are rows."""
        return self._plain_loss(logits, targets)

    def _plain_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """What is reported for validation and test."""
        raise NotImplementedError

    def _scores(self, logits: Tensor) -> Tensor:
        """Logits (rows, outputs) as `StepOutput.scores` has them."""
        raise NotImplementedError


def find_column(
    given: str | None, rows: Dataset, *, split: str, wanted: Iterable[str], several: bool = False
) -> str:
    """The column with the label: the one that the recipe names, else the one that looks like it.

    Raises:
        DataError: the recipe names none and none, or more than one, looks like it.
    """
    if given is not None:
        return given
    try:
        kinds = columns.kinds_of(rows.features)
        return columns.find_label(kinds, wanted=wanted, several=several)
    except DataError as error:
        message = f"{error.message} (split {split!r})"
        raise DataError(message, key=error.key, hint=error.hint) from error


def list_of(values: NDArray[Any]) -> pa.ListArray:
    """Rows of as many values each, (rows, values), as a column of lists."""
    count, width = values.shape
    offsets = np.arange(count + 1, dtype=np.int32) * np.int32(width)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.reshape(-1)))


def rows_of(column: pa.ChunkedArray) -> Tensor:
    """What `list_of` made, as int64 of shape (rows, values)."""
    return padding.pad(column)


def _logits(module: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """What the network puts out, float32 of shape (rows, outputs)."""
    network = cast(Any, limits.network_of(module))
    inputs = {name: batch[name] for name in _accepted(cast(Any, type(network))) if name in batch}
    inputs["input_ids"] = _with_padding_of(module, batch)
    return cast(Tensor, module(**inputs).logits.float())


@functools.cache
def _accepted(module: type[nn.Module]) -> tuple[str, ...]:
    """The inputs that the network takes: DistilBERT, for one, has no token types."""
    names = inspect.signature(module.forward).parameters
    return tuple(name for name in INPUTS if name in names)


def _with_padding_of(module: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """`input_ids`, padded with the model's own id: RoBERTa counts positions by it."""
    pad = getattr(getattr(module, "config", None), "pad_token_id", None)
    if not pad:
        return batch["input_ids"]
    return torch.where(batch["attention_mask"] == 0, pad, batch["input_ids"])
