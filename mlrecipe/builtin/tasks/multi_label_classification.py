"""Any number of labels for each text, or for each pair of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from datasets import Dataset
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from mlrecipe import task
from mlrecipe.builtin.tasks import losses
from mlrecipe.builtin.tasks._text import TARGETS, TextTask, find_column, list_of, rows_of
from mlrecipe.builtin.tasks.labels import has_labels
from mlrecipe.builtin.tasks.several import (
    encode_columns,
    encode_several,
    find_several,
    is_any_there,
)
from mlrecipe.builtin.tasks.text_classification import require_distinct
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Column, Head


@task("multi-label-classification")
@dataclass(frozen=True, slots=True, kw_only=True)
class MultiLabelClassification(TextTask):
    """Each of several labels for itself: whether a tokenized text, or pair of texts, has it.

    Takes the columns that `tokenize` writes. Learned by the binary cross-entropy, the mean over rows and
    labels.
    """

    labels: list[str] | None = None
    """Every label, in the order of the model's outputs; by default those of the train split, sorted. Whole
    numbers in lists are indices into this list."""

    label: Column | None = None
    """Column with the labels of each row: a list of names, or a text with a `separator`; by default `label`,
    or else the one that looks like it."""

    separator: str | None = None
    """What is between the names in a column of texts, such as `","`. White space around names does not
    count; an empty cell has no label."""

    labels_from: list[Column] | None = None
    """In place of `label` and `labels`: the columns, one for each label and named as it, that hold 1 where
    a row has it and 0 where not."""

    metrics: list[str] = field(default_factory=lambda: ["f1-micro", "f1-macro"])
    """What to report beside the loss."""

    threshold: float = 0.5
    """A text has the labels whose probability is above this; in predictions and in metrics."""

    pos_weight: Literal["balanced"] | list[float] | dict[str, float] | None = None
    """How much a row that has a label counts for it while learning, against 1 for one that has not: a list in
    the order of the labels, a table by label, or `balanced`: rows without it / rows with it."""

    def head(self, splits: Mapping[str, Dataset]) -> Head:
        """The labels of the recipe, else of the first split."""
        split, rows = next(iter(splits.items()))
        if self.labels_from is not None:
            if self.label is not None or self.labels is not None:
                message = "takes the place of `label` and `labels`; leave them out"
                raise DataError(message, key="labels_from")
            columns, labels = tuple(self.labels_from), tuple(self.labels_from)
        else:
            columns = (self._column(rows, split=split),)
            labels = tuple(self.labels or self._found(rows, columns[0], split=split))
        require_distinct(labels)
        if not labels:
            raise DataError(f"no row of split {split!r} has a label", key="label")
        return Head(
            problem_type="multi_label_classification", labels=labels, targets=columns,
            threshold=self.threshold,
        )  # fmt: skip

    def settle(
        self, rows: Dataset, *, split: str
    ) -> tuple[MultiLabelClassification, Mapping[str, Any]]:
        """The task with what it finds in the data written out: its label column, labels and weights."""
        head = self.head({split: rows})
        taken: dict[str, Any] = {}
        settled = self
        if self.labels_from is None:
            if self.label is None and head.targets[0] != "label":
                taken["label_column"] = head.targets[0]
            if self.labels is None:
                taken["label_map"] = {label: number for number, label in enumerate(head.labels)}
            settled = replace(self, label=head.targets[0], labels=list(head.labels))
        if self.pos_weight is not None:
            ids = self._ids(rows, head, split=split)
            weights = _weights(self.pos_weight, head.labels, ids, split=split)
            taken["pos_weight"] = dict(zip(head.labels, weights, strict=True))
            settled = replace(settled, pos_weight=weights)
        return settled, taken

    def of(self, head: Head) -> MultiLabelClassification:
        """The task with the head's labels and label column."""
        if self.labels_from is not None:
            return self
        column = self.label or next(iter(head.targets), None)
        return replace(self, label=column, labels=list(head.labels))

    def encode(self, rows: Dataset, head: Head, *, split: str) -> Dataset:
        """Token columns as they are, and the column `labels` with a list of 0 and 1."""
        inputs = self.inputs(rows, split=split)
        return inputs.add_column(TARGETS, list_of(self._ids(rows, head, split=split)))

    def is_labelled(self, rows: Dataset, head: Head) -> bool:
        """Whether any row has labels, or an empty list of them."""
        if self.labels_from is not None:
            return has_labels(rows, self.labels_from)
        column = self.label or next(iter(head.targets), "label")
        return is_any_there(rows, column, separator=self.separator)

    def _ids(self, rows: Dataset, head: Head, *, split: str) -> NDArray[np.int8]:
        if self.labels_from is not None:
            return encode_columns(rows, self.labels_from, split=split)
        column = self.label or next(iter(head.targets), "") or self._column(rows, split=split)
        return encode_several(rows, column, head.labels, separator=self.separator, split=split)

    def _column(self, rows: Dataset, *, split: str) -> str:
        wanted = ("list",) if self.separator is None else ("text",)
        return find_column(self.label, rows, split=split, wanted=wanted, several=True)

    def _found(self, rows: Dataset, column: str, *, split: str) -> tuple[str, ...]:
        return find_several(rows, column, separator=self.separator, split=split)

    def _targets(self, column: pa.ChunkedArray) -> Tensor:
        return rows_of(column)

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """What is learned from; weights are those that `settle` found."""
        weights = self.pos_weight if isinstance(self.pos_weight, list) else None
        return functional.binary_cross_entropy_with_logits(
            logits, targets.to(logits.dtype),
            pos_weight=None if weights is None else logits.new_tensor(weights),
        )  # fmt: skip

    def _plain_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Plain binary cross-entropy, the mean over rows and labels."""
        return functional.binary_cross_entropy_with_logits(logits, targets.to(logits.dtype))

    def _scores(self, logits: Tensor) -> Tensor:
        """The probability of each label for itself."""
        return logits.sigmoid()


def _weights(
    given: str | Sequence[float] | Mapping[str, float],
    labels: Sequence[str],
    ids: NDArray[np.int8],
    *,
    split: str,
) -> list[float]:
    """A weight for each label's rows that have it."""
    if not isinstance(given, str):
        return list(losses.chosen_weights(given, labels, key="pos_weight"))
    having = ids.sum(axis=0, dtype=np.int64)
    for label, count in zip(labels, having.tolist(), strict=True):
        if count in (0, len(ids)):
            has = "no row" if not count else "every row"
            raise DataError(
                f"{has} of split {split!r} has the label {label!r}: there is nothing to balance",
                key="pos_weight",
                hint="give the weights yourself, as a table by label",
            )
    return [(len(ids) - count) / count for count in having.tolist()]
