"""Collapse: a model that says the same of every row, which is worth knowing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytorch_lightning as pl
import torch
from torch import Tensor
from torchmetrics import Metric

from mlrecipe import events
from mlrecipe.interfaces import Head, StepOutput

COLLAPSED = "the model does not tell the classes apart"
"""How a warning ends that predictions are of one class only."""

_NAMED = 3
"""Most labels that a warning names."""


class Predicted(Metric):
    """How often each class is predicted, and how often it is there."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        zeros = torch.zeros(classes, dtype=torch.int64)
        self.add_state("predicted", zeros.clone(), dist_reduce_fx="sum")
        self.add_state("there", zeros.clone(), dist_reduce_fx="sum")
        self.predicted: Tensor
        self.there: Tensor

    def update(self, scores: Tensor, targets: Tensor) -> None:
        """Count a batch; what is no choice of one class is not counted."""
        classes = len(self.there)
        if scores.ndim != 2 or scores.shape[1] != classes or targets.is_floating_point():
            return
        if targets.ndim != 1:
            return
        self.predicted += torch.bincount(scores.argmax(dim=1), minlength=classes)
        inside = targets[(targets >= 0) & (targets < classes)]
        self.there += torch.bincount(inside, minlength=classes)

    def compute(self) -> Tensor:
        """The only class that is predicted though others are there, -1 where all is well; and the rows."""
        hit = self.predicted > 0
        collapsed = (hit.sum() == 1) & ((self.there > 0).sum() > 1)
        found = torch.where(collapsed, hit.int().argmax(), -1)
        return torch.stack([found, self.predicted.sum()])

    def found(self, labels: Sequence[str], rows_of: str) -> str:
        """What to say of the rows counted, over all processes; nothing where all is well."""
        number, rows = self.compute().tolist()
        if number < 0:
            return ""
        return f"every one of the {rows:,} {rows_of} rows is predicted as {labels[number]!r}"


class PredictedTags(Predicted):
    """How often each tag is predicted for a word, and how often it is there."""

    def update(self, scores: Tensor, targets: Tensor) -> None:
        """Count the words of a batch, whose scores begin with the tag that is decided on."""
        tags = len(self.there)
        if scores.ndim != 3 or targets.shape != scores.shape[:2]:
            return
        is_word = (targets >= 0) & (targets < tags)
        ids = scores[:, :, 0].long()[is_word].clamp(0, tags - 1)
        self.predicted += torch.bincount(ids, minlength=tags)
        self.there += torch.bincount(targets[is_word], minlength=tags)

    def found(self, labels: Sequence[str], rows_of: str) -> str:
        """What to say of the words counted, over all processes; nothing where all is well."""
        number, words = self.compute().tolist()
        if number < 0:
            return ""
        return f"every one of the {words:,} {rows_of} words is tagged {labels[number]!r}"


class PredictedSets(Metric):
    """How often each of several labels that a row may have is predicted, and how often it is there."""

    def __init__(self, classes: int, *, threshold: float) -> None:
        super().__init__()
        zeros = torch.zeros(classes, dtype=torch.int64)
        self.add_state("predicted", zeros.clone(), dist_reduce_fx="sum")
        self.add_state("there", zeros.clone(), dist_reduce_fx="sum")
        self.add_state("rows", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.predicted: Tensor
        self.there: Tensor
        self.rows: Tensor
        self._threshold = threshold

    def update(self, scores: Tensor, targets: Tensor) -> None:
        """Count a batch; what is no 0 or 1 for each label is not counted."""
        if scores.shape != targets.shape or scores.shape[1:] != self.there.shape:
            return
        self.predicted += (scores > self._threshold).sum(dim=0)
        self.there += (targets > 0).sum(dim=0)
        self.rows += len(scores)

    def compute(self) -> Tensor:
        """Predictions and true rows of each label, and the rows, shape (3, labels)."""
        return torch.stack([self.predicted, self.there, self.rows.expand_as(self.there)])

    def found(self, labels: Sequence[str], rows_of: str) -> str:
        """What to say of the rows counted, over all processes; nothing where all is well."""
        predicted, there, (rows, *_) = self.compute().tolist()
        if any(there) and not any(predicted):
            return f"none of the {rows:,} {rows_of} rows is predicted to have any label"
        same = [
            repr(label)
            for label, count, true in zip(labels, predicted, there, strict=True)
            if rows and count == rows and true < rows
        ]
        if not same:
            return ""
        named = ", ".join(same[:_NAMED]) + f" and {len(same) - _NAMED} more" * (len(same) > _NAMED)
        return f"every one of the {rows:,} {rows_of} rows is predicted to have {named}"


@dataclass(slots=True, kw_only=True)
class _Counter:
    """What counts one output: its scores side by side, its targets a column of several where it has one."""

    labels: Sequence[str]
    metric: Predicted | PredictedSets
    name: str = ""
    scores: slice = field(default_factory=lambda: slice(None))
    target: int | None = None
    pick: Callable[[StepOutput], tuple[Tensor, Tensor]] | None = None
    """Takes what is counted of scores and targets; in place of the two before."""

    in_a_row: int = 0

    def update(self, output: StepOutput) -> None:
        if self.pick is not None:
            if output.scores.ndim == 3:
                self.metric.update(*self.pick(output))
        elif self.target is None:
            self.metric.update(output.scores, output.targets)
        elif output.targets.ndim == 2:
            self.metric.update(output.scores[:, self.scores], output.targets[:, self.target])

    def conclude(self, rows_of: str) -> str:
        text = self.metric.found(self.labels, rows_of)
        self.metric.reset()
        self.in_a_row = self.in_a_row + 1 if text else 0
        return f"{self.name}: {text}" if text and self.name else text


class Collapse:
    """Says that a model predicts one class only: when it does so twice in a row, and if that is how it ends.

    Of several outputs each is looked at; where a row may have several labels, whether none is predicted
    anywhere, or one everywhere. After its first epoch many a model does that learns well later.
    """

    def __init__(self, head: Head) -> None:
        """Count predictions of these labels; with fewer than two there is nothing to count."""
        self._counters = _counters(head)
        self.metrics: list[Metric] = [counter.metric for counter in self._counters]

    def update(self, output: StepOutput) -> None:
        """Count a batch."""
        for counter in self._counters:
            counter.update(output)

    def conclude(self, trainer: pl.Trainer, rows_of: str) -> None:
        """Say it of the pass over these rows that ends, if it is so; counting starts anew."""
        is_last = trainer.testing or trainer.current_epoch + 1 == trainer.max_epochs
        where = "" if trainer.testing else f" after step {trainer.global_step:,}"
        for counter in self._counters:
            text = counter.conclude(rows_of)
            is_due = text and (counter.in_a_row == 2 or is_last)
            if is_due and trainer.is_global_zero:
                events.emit(events.Note(f"{text}{where}: {COLLAPSED}", "warning"))


def _counters(head: Head) -> list[_Counter]:
    """One for each output that has labels to choose from."""
    if head.problem_type == "multi_label_classification":
        sets = PredictedSets(len(head.labels), threshold=head.threshold)
        return [_Counter(labels=head.labels, metric=sets)] if head.labels else []
    if head.problem_type == "token_classification":
        tags = PredictedTags(len(head.labels))
        return [_Counter(labels=head.labels, metric=tags)] if len(head.labels) > 1 else []
    if head.problem_type == "intent_and_slots":
        return _of_frames(head)
    if not head.outputs:
        known = head.labels
        return [_Counter(labels=known, metric=Predicted(len(known)))] if len(known) > 1 else []
    found, start = [], 0
    for number, (name, labels) in enumerate(head.outputs.items()):
        place = slice(start, start + len(labels))
        start = place.stop
        if len(labels) > 1:
            found.append(
                _Counter(labels=labels, metric=Predicted(len(labels)), name=repr(name),
                         scores=place, target=number)
            )  # fmt: skip
    return found


def _of_frames(head: Head) -> list[_Counter]:
    """One for the intent, which comes before the words, and one for the slots."""
    (intent, intents), (slots, tags) = head.outputs.items()
    wants = slice(1, 1 + len(intents))
    found = [
        _Counter(labels=intents, metric=Predicted(len(intents)), name=repr(intent),
                 pick=lambda output: (output.scores[:, 0, wants], output.targets[:, 0])),
        _Counter(labels=tags, metric=PredictedTags(len(tags)), name=repr(slots),
                 pick=lambda output: (output.scores[:, 1:], output.targets[:, 1:])),
    ]  # fmt: skip
    return [counter for counter in found if len(counter.labels) > 1]
