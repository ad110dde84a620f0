"""Metrics of words with tags; what is drawn and exchanged are rows, for the words of one hang together."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np

from mlrecipe.reporting.part import Ids, Numbers
from mlrecipe.significance import tallies as t
from mlrecipe.significance.evidence import Measure, Sums, of_hits
from mlrecipe.significance.of_labels import TALLIED, of_tally
from mlrecipe.significance.words import Words

_SPANS: dict[str, t.OfTally] = {
    "span-f1": t.micro(t.f1),
    "span-precision": t.micro(t.precision),
    "span-recall": t.micro(t.recall),
    "span-f1-macro": t.macro(t.f1),
    "span-precision-macro": t.macro(t.precision),
    "span-recall-macro": t.macro(t.recall),
}

_WORDS: dict[str, t.OfTally] = {
    "accuracy": t.micro(t.recall),
    **TALLIED,
    "hamming-distance": t.missed,
}


def names(scheme: str) -> list[str]:
    """The metrics of words with tags, the most important ones first: where tags are plain, of words."""
    spans = ["span-f1", "span-precision", "span-recall", "accuracy", "exact-match"]
    plain = ["accuracy", "f1-macro", "exact-match"]
    first = plain if scheme == "plain" else spans
    return list(dict.fromkeys([*first, *_SPANS, *_WORDS]))


def makers(part: Words) -> dict[str, Callable[[], Measure]]:
    """What makes each metric."""
    words, spans = cache(lambda: _tally(part)), cache(lambda: _spans(part))
    made: dict[str, Callable[[], Measure]] = {
        **{name: partial(of_tally, words, formula) for name, formula in _WORDS.items()},
        **{name: partial(of_tally, spans, formula) for name, formula in _SPANS.items()},
    }
    made["exact-match"] = partial(of_hits, part.is_right)
    return made


def _tally(part: Words) -> Sums:
    """Of each row how many words were given each tag rightly, given it, and have it."""
    is_right = part.there == part.given
    counts = [
        _counts(part, part.row[is_right], part.there[is_right]),
        _counts(part, part.row, part.given),
        _counts(part, part.row, part.there),
    ]
    total = counts[2].sum(axis=1, keepdims=True)
    return Sums(np.concatenate([*counts, total], axis=1), np.arange(part.rows))


def _counts(part: Words, rows: Ids, ids: Ids) -> Numbers:
    """Of each row the words of each tag, (rows, tags)."""
    labels = len(part.labels)
    found = np.bincount(rows * labels + ids, minlength=part.rows * labels)
    return found.reshape(part.rows, labels).astype(np.float64)


def _spans(part: Words) -> Sums:
    total = np.zeros((part.rows, 1))
    kinds = np.concatenate([part.spans, total], axis=1).astype(np.float64)
    return Sums(kinds, np.arange(part.rows))
