"""Several labels for each text, each of a column of its own, by one network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from torch import Tensor
from torchmetrics import Metric

from mlrecipe import task
from mlrecipe.builtin.tasks import losses
from mlrecipe.builtin.tasks._text import TARGETS, TextTask, list_of, rows_of
from mlrecipe.builtin.tasks.labels import encode_labels, find_labels, has_labels
from mlrecipe.builtin.tasks.outputs import MeanOfOutputs, OfOutput, parts_of, slices
from mlrecipe.builtin.tasks.text_classification import require_classes, require_distinct
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Column, Head
from mlrecipe.registry import registries


@task("multi-output-classification")
@dataclass(frozen=True, slots=True, kw_only=True)
class MultiOutputClassification(TextTask):
    """One label of each of several columns, such as the intent and the topic of a text, by one network.

    Takes the columns that `tokenize` writes. The head is one linear layer, a part of it for each column; each
    part has a softmax and a cross-entropy of its own.
    """

    outputs: list[Column]
    """Columns with a label of each row, in the order of the model's outputs."""

    labels: dict[str, list[str]] | None = None
    """Column → every label of it, in order; a column that is not named has those of the train split."""

    weights: dict[str, float] | None = None
    """Column → how much its loss counts while learning; 1 for a column that is not named. The loss is the
    weighted mean, and without weights in validation and test."""

    metrics: list[str] = field(default_factory=lambda: ["accuracy"])
    """What to report of each output, as `<column>/<metric>`, and the mean over the outputs, as `<metric>`."""

    def head(self, splits: Mapping[str, Dataset]) -> Head:
        """The labels of the recipe, else of the first split, which must have two at least of each column."""
        split, rows = next(iter(splits.items()))
        _require_columns(self.outputs)
        found = {}
        for column in self.outputs:
            with _rekeyed():
                given = (self.labels or {}).get(column)
                labels = tuple(given or find_labels(rows, column, split=split))
                require_distinct(labels)
                ids = encode_labels(rows, column, labels, split=split)
                require_classes(ids, labels, split=split)
            found[column] = labels
        names = [f"{column}={label}" for column, labels in found.items() for label in labels]
        return Head(
            problem_type="multi_output_classification", labels=tuple(names), outputs=found,
            targets=tuple(found),
        )  # fmt: skip

    def settle(
        self, rows: Dataset, *, split: str
    ) -> tuple[MultiOutputClassification, Mapping[str, Any]]:
        """The task with the labels of the data written out."""
        head = self.head({split: rows})
        taken = {
            f"label_map_{column}": {label: number for number, label in enumerate(labels)}
            for column, labels in head.outputs.items()
            if column not in (self.labels or {})
        }
        return self.of(head), taken

    def of(self, head: Head) -> MultiOutputClassification:
        """The task with the head's labels."""
        return replace(self, labels={name: list(found) for name, found in head.outputs.items()})

    def encode(self, rows: Dataset, head: Head, *, split: str) -> Dataset:
        """Token columns as they are, and the column `labels` with a list of an id for each output."""
        inputs = self.inputs(rows, split=split)
        with _rekeyed():
            ids = [
                encode_labels(rows, column, labels, split=split)
                for column, labels in head.outputs.items()
            ]
        return inputs.add_column(TARGETS, list_of(np.stack(ids, axis=1)))

    def is_labelled(self, rows: Dataset, head: Head) -> bool:
        """Whether any row has a label of any output."""
        return has_labels(rows, list(head.outputs))

    def meters(self, head: Head) -> Mapping[str, Metric]:
        """The metrics of the recipe: the mean over the outputs, and those of each."""
        made: dict[str, Metric] = {}
        for name in self.metrics:
            make = registries["metric"].get(name)
            made[name] = MeanOfOutputs([OfOutput(make(own), *at) for _, own, at in parts_of(head)])
            for column, own, at in parts_of(head):
                made[f"{column}/{name}"] = OfOutput(make(own), *at)
        return made

    def _targets(self, column: pa.ChunkedArray) -> Tensor:
        return rows_of(column)

    def _loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The mean of the outputs' losses, by their weights."""
        weights = [(self.weights or {}).get(column, 1.0) for column in self.outputs]
        each = torch.stack(self._losses(logits, targets))
        return (each * each.new_tensor(weights)).sum() / sum(weights)

    def _plain_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The plain mean of the outputs' losses."""
        return torch.stack(self._losses(logits, targets)).mean()

    def _scores(self, logits: Tensor) -> Tensor:
        """The probabilities of each output, side by side."""
        return torch.cat([logits[:, part].softmax(dim=-1) for part in self._parts()], dim=1)

    def _losses(self, logits: Tensor, targets: Tensor) -> list[Tensor]:
        return [
            losses.classification_loss(logits[:, part], targets[:, number])
            for number, part in enumerate(self._parts())
        ]

    def _parts(self) -> list[slice]:
        """Each output's places among the logits; `settle` and `of` write the labels out."""
        if self.labels is None or any(column not in self.labels for column in self.outputs):
            message = "the labels of the outputs are not known here"
            raise DataError(message, key="labels", hint="give them in the recipe")
        return slices([len(self.labels[column]) for column in self.outputs])


def _require_columns(columns: list[str]) -> None:
    twice = [name for number, name in enumerate(columns) if name in columns[:number]]
    if twice or not columns:
        message = f"column {twice[0]!r} is there twice" if twice else "there is no column"
        raise DataError(message, key="outputs")


@contextmanager
def _rekeyed() -> Iterator[None]:
    """Blame the parameters of this task for what is wrong with a column of labels."""
    try:
        yield
    except DataError as error:
        key = "outputs" if error.key == "label" else error.key
        raise DataError(error.message, key=key, hint=error.hint) from error
