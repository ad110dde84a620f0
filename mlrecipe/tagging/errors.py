"""What is wrong with predicted spans: borders, labels, spans that are missed and those that are not there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from mlrecipe.tagging.spans import Span

Kind = Literal["right", "boundary", "type", "both", "missed", "spurious"]

KINDS: tuple[Kind, ...] = ("right", "boundary", "type", "both", "missed", "spurious")
"""`right`; `boundary`: the label is right, the borders are not; `type`: the borders are, the label is not;
`both`: they overlap and that is all; `missed`: nothing predicted there; `spurious`: nothing there."""


class Case(NamedTuple):
    """A span with what was predicted for it, or a predicted one with what is there."""

    row: int
    """From 0."""

    gold: Span | None
    """None for what is spurious."""

    predicted: Span | None
    """None for what is missed."""


@dataclass(slots=True)
class Errors:
    """All spans by what was made of them; each span counts once.

    So `right + boundary + type + both + missed` are those that are there, and with `spurious` in the place of
    `missed` those predicted.
    """

    counts: dict[Kind, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    """Kind → how many."""

    examples: dict[Kind, list[Case]] = field(
        default_factory=lambda: {kind: [] for kind in KINDS if kind != "right"}
    )
    """Kind of error → its first cases, by row and place."""


def errors(
    gold: Iterable[Sequence[Span]], predicted: Iterable[Sequence[Span]], *, examples: int = 5
) -> Errors:
    """What was made of the spans of all rows.

    Spans that are not right are paired within a row, each with one at most: first those of the same borders,
    then those of the same label that overlap most, then others that overlap most.

    Args:
        gold: each row's spans, which do not overlap.
        predicted: each row's predicted spans, as many rows.
        examples: of each kind of error at most so many cases are kept.

    Raises:
        ValueError: there are not as many rows of both.
    """
    found = Errors()
    for row, (there, given) in enumerate(zip(gold, predicted, strict=True)):
        for kind, case in _of_row(row, there, given):
            found.counts[kind] += 1
            if kind != "right" and len(found.examples[kind]) < examples:
                found.examples[kind].append(case)
    return found


def _of_row(row: int, gold: Sequence[Span], predicted: Sequence[Span]) -> list[tuple[Kind, Case]]:
    """The cases of a row, by place."""
    right = set(gold) & set(predicted)
    found: list[tuple[Kind, Case]] = [("right", Case(row, span, span)) for span in right]
    left = dict.fromkeys(span for span in gold if span not in right)
    given = dict.fromkeys(span for span in predicted if span not in right)
    for kind, one, other in sorted(_pairs(list(left), list(given)), key=_order):
        if one in left and other in given:
            del left[one], given[other]
            found.append((kind, Case(row, one, other)))
    found += [("missed", Case(row, span, None)) for span in left]
    found += [("spurious", Case(row, None, span)) for span in given]
    return sorted(found, key=lambda pair: _start(pair[1]))


def _start(case: Case) -> int:
    return min(span.start for span in (case.gold, case.predicted) if span is not None)


def _pairs(gold: Sequence[Span], predicted: Sequence[Span]) -> list[tuple[Kind, Span, Span]]:
    """Every two that overlap; both lists are in order."""
    found: list[tuple[Kind, Span, Span]] = []
    here = there = 0
    while here < len(gold) and there < len(predicted):
        one, other = gold[here], predicted[there]
        if one.start < other.end and other.start < one.end:
            found.append((_kind(one, other), one, other))
        if one.end <= other.end:
            here += 1
        else:
            there += 1
    return found


def _kind(gold: Span, predicted: Span) -> Kind:
    if gold[1:] == predicted[1:]:
        return "type"
    return "boundary" if gold.label == predicted.label else "both"


def _order(pair: tuple[Kind, Span, Span]) -> tuple[int, int, int, int]:
    kind, one, other = pair
    overlap = min(one.end, other.end) - max(one.start, other.start)
    return ("type", "boundary", "both").index(kind), -overlap, one.start, other.start
