"""Rows to look at: those that went worst, and some of each sort of error, with their words."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from datasets import Dataset

from mlrecipe.columns import find_words, lists_of
from mlrecipe.errors import DataError
from mlrecipe.reporting.part import Numbers
from mlrecipe.tagging.errors import Case, errors
from mlrecipe.tagging.schemes import OUTSIDE
from mlrecipe.tagging.spans import Span, spans

Words = Callable[[int], Sequence[str] | None]
"""The words of a row, by its number; None where they are not known."""

WORST = 10
"""Rows that are shown as the worst."""

EXAMPLES = 5
"""Spans of each sort of error that are shown."""

_LONGEST = 200
"""Words of a row that are shown."""

_BEFORE = 10
"""Words before the first that is wrong, where a row is longer than that."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row with labels."""

    number: int
    label: Sequence[str | None]
    """The tag of each word; None where it has none."""

    prediction: Sequence[str]
    confidence: Numbers
    """Probability of the tag that was decided on, (words,)."""

    @property
    def is_labelled(self) -> list[bool]:
        """Of each word."""
        return [tag is not None for tag in self.label]

    @property
    def is_right(self) -> list[bool]:
        """Of each word; where there is no tag nothing is wrong."""
        return [
            tag is None or tag == other
            for tag, other in zip(self.label, self.prediction, strict=True)
        ]

    def spans(self, scheme: str) -> tuple[list[Span], list[Span]]:
        """Those that are there and those predicted; words without a tag are outside of both."""
        pairs = list(zip(self.label, self.prediction, strict=True))
        label = [OUTSIDE if tag is None else tag for tag, _ in pairs]
        prediction = [OUTSIDE if tag is None else other for tag, other in pairs]
        return spans(label, scheme), spans(prediction, scheme)


class Worst:
    """The rows of which most words are wrong; among equals the least certain, then the first."""

    def __init__(self, words: Words | None) -> None:
        self._words = words
        self._rows: list[tuple[int, float, int, Row]] = []
        self._seen = 0

    def add(self, row: Row) -> None:
        """Look at a row."""
        wrong = len(row.label) - sum(row.is_right)
        if not wrong:
            return
        self._seen += 1
        item = (wrong, -float(row.confidence.mean()), -self._seen, row)
        if len(self._rows) < WORST:
            heapq.heappush(self._rows, item)
        else:
            heapq.heappushpop(self._rows, item)

    def facts(self) -> list[dict[str, Any]]:
        """The worst first, with words where they are known; of a long row the part where it goes wrong."""
        ranked = sorted(self._rows, key=lambda item: item[:3], reverse=True)
        return [self._facts(row, wrong) for wrong, _, _, row in ranked]

    def _facts(self, row: Row, wrong: int) -> dict[str, Any]:
        count, start = len(row.label), 0
        if count > _LONGEST:
            first = row.is_right.index(False)
            start = max(min(first - _BEFORE, count - _LONGEST), 0)
        end = min(start + _LONGEST, count)
        return {
            "row": row.number, "of_words": count, "wrong": wrong, "from": start,
            "probability": float(row.confidence.mean()),
            **_words(self._words, row.number, start, end),
            "labels": list(row.label[start:end]), "predictions": list(row.prediction[start:end]),
        }  # fmt: skip


class Errors:
    """What was made of the spans of all rows."""

    def __init__(self, words: Words | None) -> None:
        self._words = words
        self._rows: list[int] = []
        self._there: list[Sequence[Span]] = []
        self._given: list[Sequence[Span]] = []

    def add(self, number: int, there: Sequence[Span], given: Sequence[Span]) -> None:
        """The spans of a row."""
        self._rows.append(number)
        self._there.append(there)
        self._given.append(given)

    def facts(self) -> dict[str, Any]:
        """Of each sort how many, and examples of all that are wrong, with words where they are known."""
        found = errors(self._there, self._given, examples=EXAMPLES)
        return {
            kind: {"count": count}
            if kind == "right"
            else {"count": count, "examples": list(map(self._example, found.examples[kind]))}
            for kind, count in found.counts.items()
        }

    def _example(self, case: Case) -> dict[str, Any]:
        both = [span for span in (case.gold, case.predicted) if span is not None]
        start, end = min(span.start for span in both), max(span.end for span in both)
        number = self._rows[case.row]
        return {
            "row": number, "from": start, **_words(self._words, number, start, end),
            "label": _span(case.gold), "prediction": _span(case.predicted),
        }  # fmt: skip


def words_of(rows: Dataset) -> Words | None:
    """What gives the words of a split's rows; None where it has no column that is plain to be them."""
    try:
        name = find_words(lists_of(rows.features))
    except DataError:
        return None
    column = rows.select_columns(name)
    return lambda number: column[number][name]


def _words(words: Words | None, number: int, start: int, end: int) -> dict[str, list[str]]:
    """Some words of a row on end, under `words`; nothing where they are not known."""
    found = words(number) if words else None
    return {"words": list(found[start:end])} if found is not None and len(found) >= end else {}


def _span(span: Span | None) -> dict[str, Any] | None:
    return None if span is None else {"type": span.label, "start": span.start, "end": span.end}
