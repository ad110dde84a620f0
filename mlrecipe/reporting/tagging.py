"""The report of words with tags: each tag, each type of span, what goes wrong, and where."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlrecipe.reporting.bins import Calibration
from mlrecipe.reporting.classification import OneLabel, by_label
from mlrecipe.reporting.examples import Errors, Row, Words, Worst
from mlrecipe.reporting.part import Ids, Numbers, Part, means, rates
from mlrecipe.tagging.spans import Span, spans


class Tags:
    """Counts tags word by word, and spans by their type."""

    def __init__(
        self, labels: Sequence[str], *, scheme: str = "", words: Words | None = None
    ) -> None:
        self._labels = list(labels)
        self._scheme = scheme or "plain"
        self._rows = self._labelled = self._matched = 0
        self._given: Counter[str] = Counter()
        self._cells: Counter[tuple[str, str]] = Counter()
        self._types = _Types()
        self._calibration = Calibration()
        self._errors = Errors(words)
        self._worst = Worst(words)

    def add(self, part: Part) -> None:
        """Count a part, row by row."""
        start = 0
        is_right = np.zeros(len(part.scores), np.bool_)
        is_judged = np.zeros(len(part.scores), np.bool_)
        for number, label, prediction in zip(
            part.rows.tolist(), part.label.to_pylist(), part.prediction.to_pylist(), strict=True
        ):
            places = slice(start, start + len(prediction))
            start = places.stop
            self._rows += 1
            self._given.update(prediction)
            if label is None:
                self._types.add_given(spans(prediction, self._scheme))
                continue
            row = Row(number, label, prediction, part.scores[places])
            is_right[places], is_judged[places] = row.is_right, row.is_labelled
            self._judge(row)
        self._calibration.add(part.scores[is_judged], is_right[is_judged])

    def facts(self) -> dict[str, Any]:
        """Rates of each tag and each type of span, the confusion matrix, the errors and the worst rows."""
        said = {
            "kind": "token_classification", "scheme": self._scheme, "rows": self._rows,
            "labelled": self._labelled, "words": self._given.total(),
            "predicted": {label: self._given[label] for label in self._labels},
            "predicted_spans": self._types.given(),
        }  # fmt: skip
        if not self._labelled:
            return said
        return said | {
            "exact_match": self._matched / self._labelled,
            **self._of_words(),
            "spans": self._types.facts(),
            "confusion": self._confusion(),
            "errors": self._errors.facts(),
            "calibration": self._calibration.facts(),
            "worst": self._worst.facts(),
        }

    def _judge(self, row: Row) -> None:
        """Count a row with labels; words without one are not counted."""
        there, given = row.spans(self._scheme)
        self._labelled += 1
        self._matched += all(row.is_right)
        pairs = zip(row.label, row.prediction, strict=True)
        self._cells.update((tag, other) for tag, other in pairs if tag is not None)
        self._types.add_given(given)
        self._types.add(there, given)
        self._errors.add(row.number, there, given)
        self._worst.add(row)

    def _of_words(self) -> dict[str, Any]:
        """Rates of each tag over the words, and over all."""
        place = {label: number for number, label in enumerate(self._labels)}
        tp, given, there = (np.zeros(len(place), np.int64) for _ in range(3))
        for (label, prediction), words in self._cells.items():
            there[place[label]] += words
            given[place[prediction]] += words
            tp[place[label]] += words * (label == prediction)
        found = rates(tp, given, there)
        share = float(tp.sum() / max(there.sum(), 1))
        return {
            "accuracy": share,
            "classes": by_label(self._labels, found, there, given, unit="words"),
            "micro": dict.fromkeys(found, share),
            **_means(found, there, given),
        }

    def _confusion(self) -> dict[str, dict[str, int]]:
        """Tag → prediction → words, where there are any, in the order of the tags."""
        found: dict[str, dict[str, int]] = {}
        for label in self._labels:
            of_label = {p: self._cells[label, p] for p in self._labels if (label, p) in self._cells}
            if of_label:
                found[label] = of_label
        return found


class Frames:
    """Counts intents, the tags of the rows' words, and rows of which all is right."""

    def __init__(
        self,
        outputs: Mapping[str, Sequence[str]],
        *,
        scheme: str = "",
        words: Words | None = None,
    ) -> None:
        (self._intent, intents), (self._slots, tags) = outputs.items()
        self._intents = OneLabel(intents)
        self._tags = Tags(tags, scheme=scheme, words=words)
        self._labelled = self._matched = 0

    def add(self, part: Part) -> None:
        """Count a part, whose scores have the intent's before those of the words."""
        (intent, tags), (intents, slots) = self._apart(part.label), self._apart(part.prediction)
        lengths = pc.list_value_length(slots).to_numpy(zero_copy_only=False).astype(np.int64)
        firsts = np.cumsum(lengths + 1) - lengths - 1
        scores = part.scores[firsts].reshape(-1, 1)
        self._intents.add(Part(label=intent, prediction=intents, scores=scores))
        words = np.delete(part.scores, firsts)
        self._tags.add(Part(label=tags, prediction=slots, scores=words, rows=part.rows))
        for label, prediction in zip(
            part.label.to_pylist(), part.prediction.to_pylist(), strict=True
        ):
            self._labelled += label is not None
            self._matched += label == prediction

    def facts(self) -> dict[str, Any]:
        """The report of each output, and the share of rows of which intent and all tags are right."""
        outputs = {self._intent: self._intents.facts(), self._slots: self._tags.facts()}
        said = {
            "kind": "intent_and_slots", "rows": outputs[self._intent]["rows"],
            "labelled": self._labelled, "outputs": outputs,
        }  # fmt: skip
        if not self._labelled:
            return said
        return said | {"exact_match": self._matched / self._labelled}

    def _apart(self, column: pa.StructArray) -> tuple[pa.Array, pa.Array]:
        """The intents and the tags of rows; null where a row has none."""
        found = dict(zip((field.name for field in column.type), column.flatten(), strict=True))
        return found[self._intent], found[self._slots]


class _Types:
    """Spans of each type: given, there, and both."""

    def __init__(self) -> None:
        self._tp: Counter[str] = Counter()
        self._all_given: Counter[str] = Counter()
        self._given: Counter[str] = Counter()
        self._there: Counter[str] = Counter()

    def add_given(self, given: Sequence[Span]) -> None:
        """Count the spans that were given a row, whether it has labels or not."""
        self._all_given.update(span.label for span in given)

    def add(self, there: Sequence[Span], given: Sequence[Span]) -> None:
        """Count the spans of a row with labels; only those that are alike in all are right."""
        self._given.update(span.label for span in given)
        self._there.update(span.label for span in there)
        self._tp.update(span.label for span in set(there) & set(given))

    def given(self) -> dict[str, int]:
        """Type → spans given."""
        return dict(sorted(self._all_given.items()))

    def facts(self) -> dict[str, Any]:
        """Rates of each type that is there or given, and over all."""
        types = sorted(self._given.keys() | self._there.keys())
        tp, given, there = (
            np.array([counts[name] for name in types], np.int64)
            for counts in (self._tp, self._given, self._there)
        )
        found = rates(tp, given, there)
        micro = rates(*(np.array([each.sum()]) for each in (tp, given, there)))
        return {
            "types": by_label(types, found, there, given, unit="spans"),
            "micro": {name: float(values[0]) for name, values in micro.items()},
            **_means(found, there, given),
        }


def _means(found: dict[str, Numbers], there: Ids, given: Ids) -> dict[str, dict[str, float]]:
    """The mean over what is there or given, and that by how often it is there."""
    seen = ((given + there) > 0).astype(np.float64)
    return {"macro": means(found, seen), "weighted": means(found, there)}
