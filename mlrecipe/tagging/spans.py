"""Spans: what tags mark, and the tags that mark them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mlrecipe.errors import DataError
from mlrecipe.tagging import schemes
from mlrecipe.tagging.schemes import OUTSIDE, role


class Span(NamedTuple):
    """Some words in a row with one label."""

    label: str
    start: int
    """The first word."""

    end: int
    """The word after the last one."""


def spans(tags: Sequence[str], scheme: str) -> list[Span]:
    """The spans that a row's tags mark, in their order.

    Strictly, as seqeval's strict mode: what is not legal in the scheme marks no span. `plain`: a run of one tag
    other than `O` is a span.

    Raises:
        DataError: there is no such scheme.
    """
    schemes.check(scheme)
    if scheme == "plain":
        return _runs(tags)
    roles = [role(tag, scheme) for tag in tags]
    if scheme == "IOB1":
        return _of_iob1(roles)
    return _of_iob2(roles) if scheme == "IOB2" else _of_bioes(roles)


def read(tags: Sequence[str], scheme: str) -> list[Span]:
    """The spans that a reader would see, as conlleval reads: what is not legal begins a span or ends one.

    Raises:
        DataError: there is no such scheme.
    """
    schemes.check(scheme)
    if scheme == "plain":
        return _runs(tags)
    found: list[Span] = []
    is_open = False
    for place, (kind, label) in enumerate(role(tag, scheme) for tag in tags):
        if is_open and kind in ("I", "E") and found[-1].label == label:
            found[-1] = found[-1]._replace(end=place + 1)
        elif kind in ("B", "I", "E", "S"):
            found.append(Span(label, place, place + 1))
        is_open = kind in ("B", "I")
    return found


def tags(spans: Iterable[Span], length: int, scheme: str) -> list[str]:
    """The tags of a row of `length` words that has these spans; `O` for words in none.

    Raises:
        DataError: there is no such scheme, spans overlap or lie outside the row, or they cannot be told apart
            as `plain` tags: two of one label follow each other, or one has no label, or that of `O`.
    """
    schemes.check(scheme)
    made = [OUTSIDE] * length
    before = Span("", 0, 0)
    for span in sorted(spans, key=lambda span: span.start):
        if not before.end <= span.start < span.end <= length:
            where = f"words {span.start + 1} to {span.end} of {length}"
            raise DataError(f"span {span.label!r} overlaps another one or is not there: {where}")
        touches = before.label == span.label and before.end == span.start and before.end > 0
        made[span.start : span.end] = _marks(span, scheme, touches=touches)
        before = span
    return made


def _marks(span: Span, scheme: str, *, touches: bool) -> list[str]:
    """The tags of a span's words; `touches`: one of the same label ends where it begins."""
    size = span.end - span.start
    if scheme == "plain":
        _require_plain(span, touches=touches)
        return [span.label] * size
    if scheme in ("IOB1", "IOB2"):
        first = "B" if scheme == "IOB2" or touches else "I"
        prefixes = first + "I" * (size - 1)
    else:
        single, last = ("S", "E") if scheme == "BIOES" else ("U", "L")
        prefixes = single if size == 1 else "B" + "I" * (size - 2) + last
    return [f"{prefix}-{span.label}" if span.label else prefix for prefix in prefixes]


def _require_plain(span: Span, *, touches: bool) -> None:
    hint = "take a scheme with prefixes: IOB2, BIOES …"
    if touches:
        place = f"word {span.start + 1}"
        message = (
            f"two spans {span.label!r} follow each other at {place}: as plain tags they are one"
        )
        raise DataError(message, key="scheme", hint=hint)
    if span.label in ("", OUTSIDE):
        raise DataError(f"plain tags cannot have the label {span.label!r}", key="scheme", hint=hint)


def _runs(tags: Sequence[str]) -> list[Span]:
    found: list[Span] = []
    before = OUTSIDE
    for place, tag in enumerate(tags):
        if tag != OUTSIDE:
            if tag == before:
                found[-1] = found[-1]._replace(end=place + 1)
            else:
                found.append(Span(tag, place, place + 1))
        before = tag
    return found


def _of_iob1(roles: Sequence[tuple[str, str]]) -> list[Span]:
    """`I` begins a span, `B` only after another one of its label; a lone `B` before one of another is none."""
    found: list[Span] = []
    old = (OUTSIDE, "")
    is_open = False
    for place, (kind, label) in enumerate(roles):
        if is_open and kind == "I" and label == old[1]:
            found[-1] = found[-1]._replace(end=place + 1)
        else:
            if is_open and kind == old[0] == "B" and label != old[1]:
                found.pop()
            is_open = kind == "I" or (kind == "B" and old[0] in ("B", "I") and label == old[1])
            if is_open:
                found.append(Span(label, place, place + 1))
        old = (kind, label)
    return found


def _of_iob2(roles: Sequence[tuple[str, str]]) -> list[Span]:
    found: list[Span] = []
    is_open = False
    for place, (kind, label) in enumerate(roles):
        if is_open and kind == "I" and label == found[-1].label:
            found[-1] = found[-1]._replace(end=place + 1)
            continue
        is_open = kind == "B"
        if is_open:
            found.append(Span(label, place, place + 1))
    return found


def _of_bioes(roles: Sequence[tuple[str, str]]) -> list[Span]:
    found: list[Span] = []
    begun: tuple[int, str] | None = None
    for place, (kind, label) in enumerate(roles):
        if begun is not None and kind in ("I", "E") and label == begun[1]:
            if kind == "E":
                found.append(Span(label, begun[0], place + 1))
                begun = None
            continue
        begun = (place, label) if kind == "B" else None
        if kind == "S":
            found.append(Span(label, place, place + 1))
    return found
