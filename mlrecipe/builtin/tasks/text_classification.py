"""One label for each text, or for each pair of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from datasets import Dataset
from numpy.typing import NDArray
from torch import Tensor

from mlrecipe import task
from mlrecipe.builtin.tasks import losses, padding
from mlrecipe.builtin.tasks._text import TARGETS, TextTask, find_column
from mlrecipe.builtin.tasks.labels import encode_labels, find_labels, has_labels
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Column, Head

_WANTED = ("text", "class")


@task("text-classification")
@dataclass(frozen=True, slots=True, kw_only=True)
class TextClassification(TextTask):
    """Single-label classification of tokenized texts or pairs of texts.

    Takes the columns that `tokenize` writes: `input_ids`, and where they are there
    `attention_mask` and `token_type_ids`.
    """

    labels: list[str] | None = None
    """Every label, in the order of the model's outputs; by default those of the data: the names of
    a class label, else the distinct values of the train split, sorted. Whole numbers in the data
    are indices into this list."""

    label: Column | None = None
    """Column with the label of each row; by default `label`, or else the one that looks like it."""

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
        column = find_column(self.label, rows, split=split, wanted=_WANTED)
        found = self.labels if self.labels is not None else find_labels(rows, column, split=split)
        require_distinct(found)
        require_classes(encode_labels(rows, column, found, split=split), found, split=split)
        return Head(
            problem_type="single_label_classification", labels=tuple(found), targets=(column,)
        )

    def settle(self, rows: Dataset, *, split: str) -> tuple[TextClassification, Mapping[str, Any]]:
        """The task with what it finds in the data written out: its label column, labels and class weights."""
        head = self.head({split: rows})
        (column,), labels = head.targets, list(head.labels)
        taken: dict[str, Any] = {}
        if self.label is None and column != "label":
            taken["label_column"] = column
        if self.labels is None:
            taken["label_map"] = {label: number for number, label in enumerate(labels)}
        weights = self.class_weights
        if weights is not None:
            ids = encode_labels(rows, column, labels, split=split)
            weights = list(losses.class_weights(weights, labels, ids, split=split))
            taken["class_weights"] = dict(zip(labels, weights, strict=True))
        return replace(self, label=column, labels=labels, class_weights=weights), taken

    def of(self, head: Head) -> TextClassification:
        """The task with the head's labels and label column."""
        column = self._column(head)
        return replace(self, label=column, labels=list(head.labels))

    def encode(self, rows: Dataset, head: Head, *, split: str) -> Dataset:
        """Token columns as they are, and the column `labels` with ids."""
        inputs = self.inputs(rows, split=split)
        column = self._column(head) or find_column(None, rows, split=split, wanted=_WANTED)
        ids = encode_labels(rows, column, head.labels, split=split)
        return inputs.add_column(TARGETS, pa.array(ids))

    def is_labelled(self, rows: Dataset, head: Head) -> bool:
        """Whether any row has a label."""
        return has_labels(rows, [self._column(head) or "label"])

    def classes(self, rows: Dataset) -> NDArray[np.int64]:
        """The label id of each row."""
        return padding.to_numpy(rows.data.column(TARGETS))

    def _column(self, head: Head) -> str | None:
        """The column with the label, where it is known without looking at rows."""
        return self.label or next(iter(head.targets), None)

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """What is learned from; class weights are those that `settle` found."""
        weights = self.class_weights if isinstance(self.class_weights, list) else None
        return losses.classification_loss(
            logits, targets, label_smoothing=self.label_smoothing, weights=weights,
            focal_gamma=self.focal_gamma,
        )  # fmt: skip

    def _plain_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Plain cross-entropy."""
        return losses.classification_loss(logits, targets)

    def _scores(self, logits: Tensor) -> Tensor:
        """Probabilities."""
        return logits.softmax(dim=-1)


def require_distinct(labels: Sequence[str]) -> None:
    """Raise when a label is there twice."""
    twice = sorted({label for label in labels if list(labels).count(label) > 1})
    if twice:
        raise DataError(f"label {twice[0]!r} is there twice", key="labels")


def require_classes(ids: NDArray[np.int64], labels: Sequence[str], *, split: str) -> None:
    """Raise unless there are rows of two labels at least."""
    present = np.unique(ids)
    if len(present) < 2:
        names = [labels[i] for i in present]
        what = f"only the label {names[0]!r}" if names else "no label"
        raise DataError(
            f"split {split!r} has {what} in its {len(ids):,} rows",
            key="label",
            hint="there is nothing to tell apart; look at the split with `mlrecipe inspect`",
        )
