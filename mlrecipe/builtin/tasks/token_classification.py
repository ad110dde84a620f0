"""A tag for each word: named entities, parts of speech, chunks, fields of a reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from datasets import Dataset
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics import Metric

from mlrecipe import task
from mlrecipe.builtin.tasks import _reading, losses, marking, tags
from mlrecipe.builtin.tasks._tagging import (
    WordTask,
    chain_loss,
    crf_of,
    decide,
    legal_of,
    pieces_of,
    scores_of,
    words_of,
)
from mlrecipe.builtin.tasks._text import TARGETS
from mlrecipe.builtin.tasks.text_classification import require_distinct
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Column, Head, StepOutput
from mlrecipe.registry import registries
from mlrecipe.tagging.schemes import Legal


@task("token-classification")
@dataclass(frozen=True, slots=True, kw_only=True)
class TokenClassification(WordTask):
    """A tag for each word of a row.

    Takes the columns that `tokenize-words` writes. The loss is the mean cross-entropy over words; with a CRF
    the negative logarithm of the probability of a row's tags, over words. Batches of a step weigh by words.
    """

    tags: Column | None = None
    """Column with a list of tags for each row, one for each word; by default `tags`, or else the one that looks
    like it."""

    labels: list[str] | None = None
    """Every tag, in the order of the model's outputs; by default those of the data: the names of class labels,
    else the distinct tags of the train split and what the scheme has beside them for the same spans, sorted,
    `O` first. Whole numbers in the data are indices into this list."""

    scheme: Literal["IOB1", "IOB2", "BIOES", "BILOU", "plain"] | None = None
    """How tags mark spans; by default as the train split's tags do. `plain`: a span is a run of one tag other
    than `O`."""

    pooling: Literal["first", "mean", "all"] = "first"
    """Where a word's tag is read: at its first piece, or at all of them, as the mean of what the network says
    of each. `all`: that too, but every piece is learnt for itself."""

    crf: bool = False
    """Whether the network learns how tags follow each other, by a linear-chain CRF; the most probable sequence
    that the scheme allows is then predicted."""

    constrained: bool = False
    """Whether the most probable sequence that the scheme allows is predicted, without learning how tags follow
    each other; otherwise each word has its own most probable tag."""

    splitting: Literal["whitespace", "punctuation"] | None = None
    """How texts become words when the model is used on them; by default as the train split's words look."""

    metrics: list[str] = field(default_factory=lambda: ["span-f1", "accuracy"])
    """What to report beside the loss."""

    label_smoothing: float = 0.0
    """Share of each target that is spread evenly over all tags while learning; not with a CRF."""

    class_weights: Literal["balanced"] | list[float] | dict[str, float] | None = None
    """How much the words of each tag count while learning: a list in the order of the labels, a table by tag,
    or `balanced`: words / (tags * words of the tag), 1 for a tag that no word has; not with a CRF. Losses that
    are reported for validation and test are plain."""

    def head(self, splits: Mapping[str, Dataset]) -> Head:
        """The tags of the recipe, else of the first split, which must have two at least."""
        split, rows = next(iter(splits.items()))
        self.inputs(rows, split=split)
        column = tags.find_column(self.tags, rows, split=split)
        found = tuple(self.labels or tags.find_tags(rows, column, split=split))
        require_distinct(found)
        ids = tags.encode_tags(rows, column, found, split=split)
        tags.require_several(ids, found, split=split)
        scheme = self.scheme or marking.scheme_of(rows, column, found, split=split)
        marking.require_scheme(found, scheme)
        if self.labels is None and not tags.are_named(rows, column):
            found = tags.completed(found, scheme)
        return Head(
            problem_type="token_classification", labels=found, targets=(column,), scheme=scheme,
            decoding=self._decoding(), splitting=self.splitting or tags.splitting_of(rows),
        )  # fmt: skip

    def settle(self, rows: Dataset, *, split: str) -> tuple[TokenClassification, Mapping[str, Any]]:
        """The task with what it finds in the data written out: its column, tags, scheme and splitting."""
        head = self.head({split: rows})
        taken: dict[str, Any] = {}
        weights = self._weights(rows, head, split=split)
        if weights is not None:
            taken["class_weights"] = dict(zip(head.labels, weights, strict=True))
        if self.tags is None and head.targets[0] != "tags":
            taken["tags_column"] = head.targets[0]
        if self.labels is None:
            taken["label_map"] = {label: number for number, label in enumerate(head.labels)}
        if self.scheme is None:
            taken["scheme"] = head.scheme
        else:
            marking.warn_of_scheme(rows, head.targets[0], head.labels, self.scheme, split=split)
        if self.splitting is None:
            taken["splitting"] = head.splitting
        return replace(self.of(head), class_weights=weights), taken

    def of(self, head: Head) -> TokenClassification:
        """The task with the head's tags and column, and with how it decides on tags."""
        return replace(
            self, tags=self.tags or next(iter(head.targets), None), labels=list(head.labels),
            **self._decided(head),
        )  # fmt: skip

    def encode(self, rows: Dataset, head: Head, *, split: str) -> Dataset:
        """The columns of `tokenize-words`, and `labels` with a list of an id for each word."""
        inputs = self.inputs(rows, split=split)
        column = self.tags or next(iter(head.targets), None)
        column = tags.find_column(column, rows, split=split)
        return inputs.add_column(TARGETS, tags.encode_tags(rows, column, head.labels, split=split))

    def is_labelled(self, rows: Dataset, head: Head) -> bool:
        """Whether any word has a tag."""
        return tags.has_tags(rows, self.tags or next(iter(head.targets), "tags"))

    def loss_items(self, rows: Dataset) -> NDArray[np.int64]:
        """Words of each encoded row, or pieces of words where each is learnt for itself."""
        return pieces_of(rows) if self.pooling == "all" else words_of(rows)

    def step(self, module: nn.Module, batch: Mapping[str, Tensor]) -> StepOutput:
        """The batch's loss and scores; while learning each word has its own most probable tag."""
        reading = _reading.read(module, batch)
        loss, weight = self._loss(module, reading)
        scores = self._scores(module, reading, decodes=not module.training)
        return StepOutput(loss=loss, scores=scores, targets=batch[TARGETS], weight=weight)

    def scores(self, module: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """The predictions for one batch."""
        return self._scores(module, _reading.read(module, batch), decodes=True)

    def meters(self, head: Head) -> Mapping[str, Metric]:
        """The metrics of the recipe."""
        return {name: registries["metric"].get(name)(head) for name in self.metrics}

    def _loss(self, module: nn.Module, reading: _reading.Reading) -> tuple[Tensor, int]:
        """The loss, and over how many words or pieces it is a mean."""
        targets, mask = reading.batch[TARGETS], reading.mask
        if self.pooling == "all" and not reading.is_by_word:
            logits, words = reading.pieces()
            ids = targets.reshape(-1)[words]
        else:
            emissions = reading.of_words(self.pooling)
            if self.crf:
                count = int(mask.sum())
                return self._chain(module, emissions, targets, mask).sum() / max(count, 1), count
            logits, ids = emissions[mask], targets[mask]
        if not len(ids):
            return reading.logits.sum() * 0.0, 0
        if not module.training:
            return losses.classification_loss(logits, ids), len(ids)
        weights = self.class_weights if isinstance(self.class_weights, list) else None
        loss = losses.classification_loss(
            logits, ids, label_smoothing=self.label_smoothing, weights=weights
        )
        return loss, len(ids)

    def _scores(self, module: nn.Module, reading: _reading.Reading, *, decodes: bool) -> Tensor:
        emissions, mask = reading.of_words(self.pooling).detach(), reading.mask
        crf = crf_of(module) if self.crf and decodes else None
        legal = self._legal() if decodes else None
        ids, probabilities = decide(emissions, mask, crf, legal)
        return scores_of(ids, probabilities.detach())

    def _chain(self, module: nn.Module, emissions: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        crf = crf_of(module)
        assert crf is not None, "`check` has looked"
        return chain_loss(crf, emissions, targets, mask)

    def _legal(self) -> Legal | None:
        """Transitions that may be emitted; `settle` and `of` write out tags and scheme."""
        if not (self.crf or self.constrained):
            return None
        if self.labels is None or self.scheme is None:
            message = "the tags and how they mark spans are not known here"
            raise DataError(message, key="labels", hint="give `labels` and `scheme` in the recipe")
        return legal_of(tuple(self.labels), self.scheme)

    def _weights(self, rows: Dataset, head: Head, *, split: str) -> list[float] | None:
        """The weight of each tag; the counts of `balanced` are those of the words."""
        if self.class_weights is None:
            return None
        if not isinstance(self.class_weights, str):
            return list(losses.chosen_weights(self.class_weights, head.labels))
        ids = tags.encode_tags(rows, head.targets[0], head.labels, split=split).flatten().to_numpy()
        counts = np.bincount(ids, minlength=len(head.labels))
        balanced = len(ids) / ((counts > 0).sum() * counts.clip(min=1))
        return [float(weight) for weight in np.where(counts > 0, balanced, 1.0)]

    def _decoding(self) -> str:
        if self.crf and self.pooling == "all":
            message = "a CRF tags words, and with `all` each piece is learnt for itself"
            raise DataError(message, key="pooling", hint="take `first` or `mean`")
        if self.crf and (self.label_smoothing or self.class_weights):
            key = "label_smoothing" if self.label_smoothing else "class_weights"
            message = "a CRF learns whole sequences: words have no losses of their own"
            raise DataError(message, key=key, hint="leave it out")
        return "crf" if self.crf else "viterbi" if self.constrained else "argmax"
