"""One label for each text, or for each pair of texts."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics import Metric

from mlrecipe import task
from mlrecipe.builtin.tasks import limits, losses, padding
from mlrecipe.builtin.tasks.labels import encode_labels, find_labels, require_column
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Column, Head, StepOutput
from mlrecipe.registry import registries

_INPUTS = ("input_ids", "attention_mask", "token_type_ids")
_TARGETS = "labels"


@task("text-classification")
@dataclass(frozen=True, slots=True, kw_only=True)
class TextClassification:
    """Single-label classification of tokenized texts or pairs of texts.

    Takes the columns that `tokenize` writes: `input_ids`, and where they are there
    `attention_mask` and `token_type_ids`.
    """

    labels: list[str] | None = None
    """Every label, in the order of the model's outputs; by default those of the data: the names of
    a class label, else the distinct values of the train split, sorted. Whole numbers in the data
    are indices into this list."""

    label: Column = "label"
    """Column with the label of each row."""

    metrics: list[str] = field(default_factory=lambda: ["accuracy"])
    """What to report beside the loss."""

    label_smoothing: float = 0.0
    """Share of each target that is spread evenly over all labels while learning."""

    class_weights: Literal["balanced"] | list[float] | dict[str, float] | None = None
    """How much the rows of each label count while learning: a list in the order of the labels, a table by
    label, or `balanced`: rows / (labels * rows of the label). Losses that are reported for validation and
    test are plain cross-entropy, without weights, smoothing or focus."""

    focal_gamma: float = 0.0
    """Above 0: the focal loss (Lin et al. 2017) while learning; each row's loss times (1 - p) ** gamma, with
    p the probability of its label."""

    def head(self, splits: Mapping[str, Dataset]) -> Head:
        """The labels of the recipe, else of the first split, which must have two at least."""
        split, rows = next(iter(splits.items()))
        found = (
            self.labels if self.labels is not None else find_labels(rows, self.label, split=split)
        )
        _require_distinct(found)
        head = Head(problem_type="single_label_classification", labels=tuple(found))
        _require_classes(encode_labels(rows, self.label, found, split=split), head, split=split)
        return head

    def settle(self, rows: Dataset, *, split: str) -> tuple[TextClassification, Mapping[str, Any]]:
        """The task with its class weights as a list, and those weights by label."""
        if self.class_weights is None:
            return self, {}
        labels = self.head({split: rows}).labels
        ids = encode_labels(rows, self.label, labels, split=split)
        found = losses.class_weights(self.class_weights, labels, ids, split=split)
        by_label = dict(zip(labels, found, strict=True))
        return replace(self, class_weights=list(found)), {"class_weights": by_label}

    def encode(self, rows: Dataset, head: Head, *, split: str) -> Dataset:
        """Token columns as they are, and the column `labels` with ids."""
        require_column(rows, "input_ids", key="data", split=split)
        ids = encode_labels(rows, self.label, head.labels, split=split)
        inputs = rows.select_columns([name for name in _INPUTS if name in rows.column_names])
        return inputs.add_column(_TARGETS, pa.array(ids))

    def check(self, module: nn.Module, rows: Dataset, *, split: str) -> None:
        """Raise for token ids outside of the vocabulary and for texts with too many tokens."""
        limits.check_vocabulary(module, rows.data.column("input_ids"), split=split)
        limits.check_length(module, self.lengths(rows), split=split)

    def lengths(self, rows: Dataset) -> NDArray[np.int64]:
        """Tokens of each row."""
        return padding.lengths(rows.data.column("input_ids"))

    def classes(self, rows: Dataset) -> NDArray[np.int64]:
        """The label id of each row."""
        return padding.to_numpy(rows.data.column(_TARGETS))

    def collate(self, rows: pa.Table, *, width: int | None = None) -> dict[str, Tensor]:
        """The token columns, padded with 0, their mask, and the label ids."""
        names = [name for name in _INPUTS if name in rows.column_names]
        batch = {name: padding.pad(rows[name], width=width) for name in names}
        if "attention_mask" not in batch:
            batch["attention_mask"] = padding.mask(rows["input_ids"], width=width)
        return batch | {_TARGETS: torch.from_numpy(padding.to_numpy(rows[_TARGETS]))}

    def step(self, module: nn.Module, batch: Mapping[str, Tensor]) -> StepOutput:
        """The batch's loss and the softmax of the logits; in evaluation mode plain cross-entropy."""
        network = cast(Any, limits.network_of(module))
        inputs = {
            name: batch[name] for name in _accepted(cast(Any, type(network))) if name in batch
        }
        inputs["input_ids"] = _with_padding_of(module, batch)
        logits = module(**inputs).logits.float()
        targets = batch[_TARGETS]
        loss = self._loss(logits, targets) if module.training else _plain(logits, targets)
        return StepOutput(loss=loss, scores=logits.detach().softmax(dim=-1), targets=targets)

    def meters(self, head: Head) -> Mapping[str, Metric]:
        """The metrics of the recipe."""
        return {name: registries["metric"].get(name)(head) for name in self.metrics}

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """What is learned from; class weights are those that `settle` found."""
        weights = self.class_weights if isinstance(self.class_weights, list) else None
        return losses.classification_loss(
            logits, targets, label_smoothing=self.label_smoothing, weights=weights,
            focal_gamma=self.focal_gamma,
        )  # fmt: skip


_plain = losses.classification_loss


@functools.cache
def _accepted(module: type[nn.Module]) -> tuple[str, ...]:
    """The inputs that the network takes: DistilBERT, for one, has no token types."""
    names = inspect.signature(module.forward).parameters
    return tuple(name for name in _INPUTS if name in names)


def _with_padding_of(module: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """`input_ids`, padded with the model's own id: RoBERTa counts positions by it."""
    pad = getattr(getattr(module, "config", None), "pad_token_id", None)
    if not pad:
        return batch["input_ids"]
    return torch.where(batch["attention_mask"] == 0, pad, batch["input_ids"])


def _require_distinct(labels: Sequence[str]) -> None:
    twice = sorted({label for label in labels if list(labels).count(label) > 1})
    if twice:
        raise DataError(f"label {twice[0]!r} is there twice", key="labels")


def _require_classes(ids: NDArray[np.int64], head: Head, *, split: str) -> None:
    present = np.unique(ids)
    if len(present) < 2:
        names = [head.labels[i] for i in present]
        what = f"only the label {names[0]!r}" if names else "no label"
        raise DataError(
            f"split {split!r} has {what} in its {len(ids):,} rows",
            key="label",
            hint="there is nothing to tell apart; look at the split with `mlrecipe inspect`",
        )
