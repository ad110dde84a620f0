"""What a request wants, and which of its words say what of it, by one network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from torch import Tensor, nn
from torch.nn import functional
from torchmetrics import Metric

from mlrecipe import task
from mlrecipe.builtin.tasks import _reading, frames, marking, padding, tags
from mlrecipe.builtin.tasks._tagging import (
    IGNORED,
    WordTask,
    chain_loss,
    crf_of,
    decide,
    legal_of,
    scores_of,
)
from mlrecipe.builtin.tasks._text import TARGETS
from mlrecipe.builtin.tasks.labels import encode_labels, find_labels, has_labels
from mlrecipe.builtin.tasks.text_classification import require_classes, require_distinct
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Column, Head, StepOutput
from mlrecipe.registry import registries
from mlrecipe.tagging.schemes import Legal

_WHOLE = "intent_and_slots"


@task("intent-and-slots")
@dataclass(frozen=True, slots=True, kw_only=True)
class IntentAndSlots(WordTask):
    """A label for each row and a tag for each of its words, by one encoder (Chen, Zhuo and Wang 2019).

    Takes the columns that `tokenize-words` writes. One linear layer puts out both. A row's loss is the
    cross-entropy of its intent and the mean cross-entropy of its slots over its words (with a CRF the negative
    logarithm of the probability of its slots, over its words); that of a batch the mean over its rows.
    """

    intent: Column = "intent"
    """Column with the label of each row."""

    slots: Column = "tags"
    """Column with a list of tags for each row, one for each word."""

    labels: dict[str, list[str]] | None = None
    """Column → every label or tag of it, in order; a column that is not named has those of the train split."""

    scheme: Literal["IOB1", "IOB2", "BIOES", "BILOU", "plain"] | None = None
    """How tags mark slots; by default as the train split's tags do."""

    weights: dict[str, float] | None = None
    """Column → how much its loss counts while learning; 1 for a column that is not named. The loss is the
    weighted mean of both, and the plain mean in validation and test."""

    pooling: Literal["first", "mean"] = "first"
    """Where a word's tag is read: at its first piece, or as the mean over all of them."""

    crf: bool = False
    """Whether the network learns how tags follow each other, by a linear-chain CRF; the most probable sequence
    that the scheme allows is then predicted."""

    constrained: bool = False
    """Whether the most probable sequence that the scheme allows is predicted, without learning how tags follow
    each other."""

    splitting: Literal["whitespace", "punctuation"] | None = None
    """How texts become words when the model is used on them; by default as the train split's words look."""

    metrics: list[str] = field(default_factory=lambda: ["accuracy", "span-f1", "exact-match"])
    """What to report beside the loss: of the intent and of the slots, whichever a metric goes with, as
    `<column>/<metric>`; `exact-match` is the share of rows of which all is right."""

    def head(self, splits: Mapping[str, Dataset]) -> Head:
        """The labels of the recipe, else of the first split, which must have two at least of each column."""
        split, rows = next(iter(splits.items()))
        self.inputs(rows, split=split)
        if self.intent == self.slots:
            raise DataError(f"column {self.slots!r} is both", key="slots")
        intents, found = self._intents(rows, split=split), self._tags(rows, split=split)
        scheme = self.scheme or marking.scheme_of(rows, self.slots, found, split=split, key="slots")
        marking.require_scheme(found, scheme)
        if self.slots not in (self.labels or {}) and not tags.are_named(rows, self.slots):
            found = tags.completed(found, scheme)
        outputs = {self.intent: intents, self.slots: found}
        names = [f"{column}={label}" for column, labels in outputs.items() for label in labels]
        return Head(
            problem_type=_WHOLE, labels=tuple(names), outputs=outputs, targets=tuple(outputs),
            scheme=scheme, splitting=self.splitting or tags.splitting_of(rows),
            decoding="crf" if self.crf else "viterbi" if self.constrained else "argmax",
        )  # fmt: skip

    def settle(self, rows: Dataset, *, split: str) -> tuple[IntentAndSlots, Mapping[str, Any]]:
        """The task with the labels, the scheme and the splitting of the data written out."""
        head = self.head({split: rows})
        taken: dict[str, Any] = {
            f"label_map_{column}": {label: number for number, label in enumerate(labels)}
            for column, labels in head.outputs.items()
            if column not in (self.labels or {})
        }
        if self.scheme is None:
            taken["scheme"] = head.scheme
        else:
            marking.warn_of_scheme(
                rows, self.slots, head.outputs[self.slots], self.scheme, split=split
            )
        if self.splitting is None:
            taken["splitting"] = head.splitting
        return self.of(head), taken

    def of(self, head: Head) -> IntentAndSlots:
        """The task with the head's columns and labels, and with how it decides on tags."""
        intent, slots = head.outputs
        return replace(
            self, intent=intent, slots=slots, **self._decided(head),
            labels={name: list(found) for name, found in head.outputs.items()},
        )  # fmt: skip

    def encode(self, rows: Dataset, head: Head, *, split: str) -> Dataset:
        """The columns of `tokenize-words`, and `labels`: the intent's id and one for each word."""
        inputs = self.inputs(rows, split=split)
        (intent, intents), (slots, found) = head.outputs.items()
        with _rekeyed():
            ids = encode_labels(rows, intent, intents, split=split)
        labels = f"labels.{slots}"
        words = tags.encode_tags(rows, slots, found, split=split, key="slots", labels_key=labels)
        return inputs.add_column(TARGETS, _after(ids, words))

    def is_labelled(self, rows: Dataset, head: Head) -> bool:
        """Whether any row has an intent or any word a tag."""
        intent, slots = head.outputs
        return has_labels(rows, [intent]) or tags.has_tags(rows, slots)

    def step(self, module: nn.Module, batch: Mapping[str, Tensor]) -> StepOutput:
        """The batch's loss and scores; while learning each word has its own most probable tag."""
        reading = _reading.read(module, batch)
        targets, both = batch[TARGETS], self._parts(reading)
        losses = torch.stack(self._losses(module, reading, both, targets))
        weights = losses.new_tensor(self._weights() if module.training else [1.0, 1.0])
        loss = (losses * weights).sum() / weights.sum()
        scores = self._scores(module, reading, both, decodes=not module.training)
        return StepOutput(loss=loss, scores=scores, targets=targets)

    def scores(self, module: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """The predictions for one batch."""
        reading = _reading.read(module, batch)
        return self._scores(module, reading, self._parts(reading), decodes=True)

    def meters(self, head: Head) -> Mapping[str, Metric]:
        """The metrics of the recipe: of all, else of each output that they go with."""
        made: dict[str, Metric] = {}
        for name in self.metrics:
            make, types = registries["metric"].get(name), registries["metric"].entry(name).types
            if _WHOLE in types:
                made[name] = make(head)
                continue
            fits = [
                each for each in frames.parts_of(head) if not types or each[0].problem_type in types
            ]
            if not fits:
                make(next(frames.parts_of(head))[0])  # says why not
            for own, pick in fits:
                made[f"{own.targets[0]}/{name}"] = frames.OfPart(make(own), pick)
        return made

    def _targets(self, column: pa.ChunkedArray, *, words: int) -> Tensor:
        """Ids of the intent and of the slots, (rows, 1 + words)."""
        return padding.pad(column, value=IGNORED, width=1 + words)

    def _intents(self, rows: Dataset, *, split: str) -> tuple[str, ...]:
        given = (self.labels or {}).get(self.intent)
        with _rekeyed():
            labels = tuple(given or find_labels(rows, self.intent, split=split))
            require_distinct(labels)
            require_classes(
                encode_labels(rows, self.intent, labels, split=split), labels, split=split
            )
        return labels

    def _tags(self, rows: Dataset, *, split: str) -> tuple[str, ...]:
        given = (self.labels or {}).get(self.slots)
        labels = tuple(given or tags.find_tags(rows, self.slots, split=split, key="slots"))
        require_distinct(labels)
        ids = tags.encode_tags(
            rows, self.slots, labels, split=split, key="slots", labels_key=f"labels.{self.slots}"
        )
        tags.require_several(ids, labels, split=split, key="slots")
        return labels

    def _parts(self, reading: _reading.Reading) -> tuple[Tensor, Tensor]:
        """Logits of the intents, (rows, intents), and of the slots of each word, (rows, words, slots)."""
        count = len(self._known()[self.intent])
        return reading.of_rows()[:, :count], reading.of_words(self.pooling)[:, :, count:]

    def _losses(
        self, module: nn.Module, reading: _reading.Reading, both: tuple[Tensor, Tensor],
        targets: Tensor,
    ) -> list[Tensor]:  # fmt: skip
        intents, slots = both
        if not len(targets):
            return [intents.sum() * 0.0, slots.sum() * 0.0]
        words, counts = targets[:, 1:], reading.mask.sum(dim=1).clamp(min=1)
        if self.crf:
            crf = crf_of(module)
            assert crf is not None, "`check` has looked"
            each = chain_loss(crf, slots, words, reading.mask)
        else:
            each = functional.cross_entropy(
                slots.transpose(1, 2), words, reduction="none", ignore_index=IGNORED
            ).sum(dim=1)
        return [functional.cross_entropy(intents, targets[:, 0]), (each / counts).mean()]

    def _scores(
        self, module: nn.Module, reading: _reading.Reading, both: tuple[Tensor, Tensor], *,
        decodes: bool,
    ) -> Tensor:  # fmt: skip
        """Of the intent and of each word, as `StepOutput.scores` has them."""
        intents, slots = (logits.detach() for logits in both)
        crf = crf_of(module) if self.crf and decodes else None
        ids, found = decide(slots, reading.mask, crf, self._legal() if decodes else None)
        of_words = scores_of(ids, found.detach())
        of_rows = scores_of(intents.argmax(dim=1, keepdim=True), intents.softmax(dim=1)[:, None])
        width = max(of_words.shape[2], of_rows.shape[2])
        return torch.cat([_wide(of_rows, width), _wide(of_words, width)], dim=1)

    def _legal(self) -> Legal | None:
        if not (self.crf or self.constrained):
            return None
        return legal_of(tuple(self._known()[self.slots]), self.scheme or "")

    def _known(self) -> Mapping[str, list[str]]:
        """Every column's labels; `settle` and `of` write them out."""
        known = self.labels or {}
        if self.intent not in known or self.slots not in known:
            message = "the intents and the tags are not known here"
            raise DataError(message, key="labels", hint="give them in the recipe")
        return known

    def _weights(self) -> list[float]:
        return [(self.weights or {}).get(column, 1.0) for column in (self.intent, self.slots)]


def _after(first: np.ndarray[Any, Any], lists: pa.ListArray) -> pa.ListArray:
    """Lists with one more value before each."""
    values, starts = lists.flatten().to_numpy(), lists.offsets.to_numpy()
    joined = np.insert(values, starts[:-1], first)
    ends = starts + np.arange(len(starts), dtype=starts.dtype)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(joined))


def _wide(scores: Tensor, width: int) -> Tensor:
    return functional.pad(scores, (0, width - scores.shape[-1]))


@contextmanager
def _rekeyed() -> Iterator[None]:
    """Blame the parameters of this task for what is wrong with the column of intents."""
    try:
        yield
    except DataError as error:
        key = "intent" if error.key == "label" else error.key
        raise DataError(error.message, key=key, hint=error.hint) from error
