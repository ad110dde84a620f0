"""Which column is the text and which the label, each with its evidence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log2

from mlrecipe import columns as usual
from mlrecipe.errors import DataError
from mlrecipe.scaffold import several
from mlrecipe.scaffold.columns import PROBED, Column

_MOST_LABELS = 50
_MOST_CLASS_NUMBERS = 30
_LONG_LABEL = 5
_CLOSE = 0.25
_CLEAR_NAME = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The columns that a recipe is to use."""

    text: str
    text_pair: str | None
    """Second text of each row, when texts come in pairs."""

    label: str
    reasons: Mapping[str, str]
    """Why, for `text` and `label`: one sentence each."""

    alternatives: Sequence[str]
    """Choices that were close, one sentence each."""

    left_out: Mapping[str, str]
    """Why not, for every column that is neither."""

    several: Sequence[str]
    """Tasks that would learn more than the label from this table, one sentence each."""

    is_number: bool = False
    """Whether the label is a number to predict, and no class."""


def choose(columns: Mapping[str, Column], rows: int) -> Choice:
    """The text, pair and label columns of a table for classification.

    Raises:
        DataError: no column is like a text or like a label, or the target is a number that would be read as
            a text.
    """
    named = [column for column in columns.values() if column.name]
    not_texts = {column.name: _why_no_text(column, rows) for column in named}
    texts = _ranked_texts([column for column in named if not not_texts[column.name]])
    if not texts:
        raise _none_fits("a text", "a text has several words, and others in most rows", not_texts)
    pair = _pair(texts)
    chosen = pair or texts[:1]
    not_labels = {c.name: _why_no_label(c, rows) for c in named if c not in chosen}
    labels = _ranked_labels([c for c in named if not not_labels.get(c.name, "chosen")], named)
    number = _number(labels, named, chosen)
    if number is None and not labels:
        hints = several.sentences([column for column in named if column not in chosen])
        hint = "; ".join(hints) or "a label has a few values, each in many rows"
        raise _none_fits("a label", hint, not_labels)
    label = number or labels[0]
    return Choice(
        text=chosen[0].name,
        text_pair=chosen[1].name if len(chosen) > 1 else None,
        label=label.name,
        reasons={"text": _text_reason(chosen), "label": _label_reason(label, rows)},
        alternatives=[
            *_other_texts(texts, chosen, label),
            *_other_labels(c for c in labels if c is not label),
        ],
        left_out={
            column.name: not_labels[column.name] or "is a less likely label"
            for column in named
            if column not in (*chosen, label)
        },
        several=several.sentences([c for c in named if c not in chosen], label, labels),
        is_number=number is not None,
    )


def _why_no_text(column: Column, rows: int) -> str:
    """Why a column is no text; empty when it may be one."""
    unfit = _why_unfit(column, rows)
    if unfit:
        return unfit
    for what, words in _SORTS.items():
        if column.looks(what):
            return f"holds {words}"
    if column.distinct <= 20 and column.variety < 0.5:
        return f"has only {_distinct(column)}"
    if column.words_below(0.9) < 2 and not column.is_text_by_name:
        return "holds single words"
    return ""


_SORTS = {"number": "numbers", "date": "dates", "address": "addresses or paths", "key": "keys"}


def _why_no_label(column: Column, rows: int) -> str:
    """Why a column is no label; empty when it may be one."""
    unfit = _why_unfit(column, rows)
    if unfit:
        return unfit
    if column.distinct == 1:
        return f"has the same value {next(iter(column.values))!r} wherever it has one"
    if column.variety == 1 and column.filled > 2:
        return "has another value in every row"
    if column.looks("date") or column.looks("address"):
        return f"holds {_SORTS['date'] if column.looks('date') else _SORTS['address']}"
    if _is_continuous(column):
        return f"holds numbers with {_distinct(column)}"
    rank = column.rank
    most = column.filled // 2 if rank >= _CLEAR_NAME else min(_MOST_LABELS, column.filled // 3)
    if column.has_many or column.distinct > max(2, most):
        return f"has {_distinct(column)}, too many for a label"
    if column.words_below(0.5) > _LONG_LABEL and not rank:
        return "holds texts"
    return ""


def _why_unfit(column: Column, rows: int) -> str:
    if column.nested:
        return "holds lists or tables"
    if not column.filled:
        return "is empty"
    if column.filled < rows / 2:
        return f"is empty in {column.missing:,} of {rows:,} rows"
    return ""


def _is_continuous(column: Column) -> bool:
    """Whether it holds measurements: numbers that are no names of classes."""
    if not column.looks("number"):
        return False
    if not column.looks("whole"):
        return column.distinct > 10
    if column.has_many:
        return True
    clear = column.rank >= _CLEAR_NAME
    return column.distinct > _MOST_CLASS_NUMBERS and not (clear and _counts_up(column.values))


def _counts_up(values: Iterable[str]) -> bool:
    """Whether whole numbers are 0, 1, 2 … or 1, 2, 3 … without a gap."""
    whole = sorted(int(float(value.replace(",", "."))) for value in values)
    return whole[0] in (0, 1) and whole[-1] - whole[0] == len(whole) - 1


def _ranked_texts(columns: Iterable[Column]) -> list[Column]:
    """The longest and most varied first; columns named like labels only where nothing else is."""
    ranked = sorted(columns, key=_text_score, reverse=True)
    unlike_labels = [c for c in ranked if c.rank < _CLEAR_NAME]
    return unlike_labels or ranked


def _text_score(column: Column) -> float:
    weight = 3 if column.is_text_by_name else 1
    return (1 + column.words_below(0.5)) * max(0.05, column.variety) * weight


def _pair(texts: Sequence[Column]) -> list[Column]:
    """Two texts that are to be read together, by their names; empty when there are none."""
    if not texts[0].is_named:
        return []
    by_name = {usual.normalised(column.name): column for column in texts}
    for first, second in usual.PAIR_NAMES:
        if first in by_name and second in by_name:
            return [by_name[first], by_name[second]]
    for other in texts[1:]:
        for one, two in ((texts[0], other), (other, texts[0])):
            if usual.are_paired(one.name, two.name):
                return [one, two]
    return []


def _ranked_labels(columns: Iterable[Column], named: Sequence[Column]) -> list[Column]:
    """The best first: by its name, then by its values, then by where it stands."""
    ends = {named[0].name, named[-1].name}
    return sorted(columns, key=lambda c: _label_score(c) + 3 * (c.name in ends), reverse=True)


def _label_score(column: Column) -> float:
    classes = not column.looks("whole") or _counts_up(column.values)
    likely = 12 if classes and not column.looks("key") else 4
    return column.rank + likely - 3 * log2(max(2, column.distinct))


def _number(
    labels: Sequence[Column], named: Sequence[Column], texts: Sequence[Column]
) -> Column | None:
    """The likeliest target, where that is a number to predict, which is regression.

    Raises:
        DataError: its decimals stand after a comma.
    """
    rank = labels[0].rank if labels else 0
    for column in named:
        if column in texts or not _is_continuous(column) or column.filled < column.missing:
            continue
        plain = usual.normalised(column.name)
        wanted = plain in usual.VALUE_NAMES and rank < _CLEAR_NAME
        if wanted or (not labels and not column.looks("whole")):
            if column.has_commas:
                raise DataError(
                    f"column {column.name!r} holds numbers with a comma before the decimals",
                    hint="write them with a point: 3.5",
                )
            return column
    return None


def _none_fits(what: str, hint: str, reasons: Mapping[str, str]) -> DataError:
    listed = "; ".join(f"{name!r} {why}" for name, why in reasons.items())
    return DataError(
        f"no column is like {what}: {listed or 'there is no column left'}",
        hint=hint,
    )


def _text_reason(chosen: Sequence[Column]) -> str:
    if len(chosen) > 1:
        first, second = (repr(column.name) for column in chosen)
        return f"columns {first} and {second} hold texts, and their names make them a pair"
    column = chosen[0]
    return (
        f"column {column.name!r} has the longest, most varied texts:"
        f" {column.words_below(0.5)} words at the median, {column.variety:.0%} of"
        f" {'the first ' if column.filled > PROBED else ''}{min(column.filled, PROBED):,} distinct"
    )


def _label_reason(column: Column, rows: int) -> str:
    name = ", and its name says so" if column.rank else ""
    return f"column {column.name!r} has {_distinct(column)} in {rows:,} rows{name}"


def _other_texts(texts: Sequence[Column], chosen: Sequence[Column], label: Column) -> Iterable[str]:
    close = _CLOSE * _text_score(chosen[0])
    for column in texts:
        if column not in chosen and column is not label and _text_score(column) >= close:
            words = column.words_below(0.5)
            yield f"column {column.name!r} could be the text: {words} words at the median"


def _other_labels(labels: Iterable[Column]) -> Iterable[str]:
    for column in labels:
        yield f"column {column.name!r} could be the label: {_distinct(column)}"


def _distinct(column: Column) -> str:
    more = "more than " if column.has_many and column.filled > PROBED else ""
    return f"{more}{column.distinct:,} distinct value" + ("s" if column.distinct != 1 else "")
