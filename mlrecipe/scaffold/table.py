"""Looking at a person's own table: what its columns are, what can be learned from it, and why."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlrecipe.errors import DataError
from mlrecipe.scaffold import names
from mlrecipe.scaffold.choice import Choice, choose
from mlrecipe.scaffold.columns import Column, survey
from mlrecipe.scaffold.layout import DELIMITER_NAMES, Layout, layout_of, rows
from mlrecipe.scaffold.source import check_file

_LENGTHS = (16, 32, 64, 128, 256, 512)
_TOKENS_PER_WORD = 1.5
_RARE = 10
_FEWEST_ROWS = 20
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")
_LOPSIDED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What was found out about a file."""

    path: Path
    """The file, as it was given."""

    layout: Layout
    """How the file is to be read."""

    rows: int
    """Rows in the whole file, the header not counted."""

    columns: Sequence[str]
    """Every column, in the file's order."""

    task: str
    """Registered name of the task that fits: `"text-classification"`, or `"text-regression"`."""

    text: str
    """Column with the text to classify."""

    text_pair: str | None
    """Column with the second text of each row, when they come in pairs."""

    label: str
    """Column with what is to be learned."""

    labels: Mapping[str, int]
    """Every label and how many rows have it, sorted by label; empty where it is a number to predict."""

    label_type: str | None
    """Type to read the label column as, where the type that its cells suggest would lose them."""

    empty: Mapping[str, int]
    """Label or text column → rows in which it is empty; only columns with such rows."""

    median_words: int
    """Words of a row's text at the median, both texts of a pair together."""

    longest_words: int
    """Words of the longest row's text; an upper bound for pairs."""

    max_length: int
    """Proposed number of tokens to keep of each row."""

    reasons: Mapping[str, str]
    """The evidence for each choice: `file`, `text`, `label`, `task`, `max_length`."""

    alternatives: Sequence[str]
    """Choices that were close, one sentence each."""

    several: Sequence[str]
    """Tasks that would learn more than `label` from this table, one sentence each."""

    left_out: Mapping[str, str]
    """Why each other column is not used, such as `has another value in every row`."""

    warnings: Sequence[str]
    """What about the data may spoil the result: rare labels, imbalance, rows without a label."""

    @property
    def imbalance(self) -> float:
        """Rows of the most frequent label for each row of the rarest."""
        return max(self.labels.values()) / min(self.labels.values()) if self.labels else 1.0


def look(path: Path) -> Table:
    """What is in a table and what can be learned from it; reads the whole file once, row by row.

    Raises:
        DataError: there is no such file, it is no table, has too few rows, or no column is like a
            text or like a label; the message names the place and the hint what to do.
    """
    check_file(path)
    layout = layout_of(path)
    count, columns = survey(rows(path, layout), layout)
    if count < _FEWEST_ROWS:
        raise DataError(
            f"{path.name!r} has {count} row{'s' * (count != 1)}, too few to learn from some and test on others",
            hint=f"have at least {_FEWEST_ROWS}, or some hundreds for a result that means a thing",
        )
    if len(columns) < 2:
        raise DataError(
            f"{path.name!r} has one column only, {next(iter(columns), '')!r}",
            hint="a classifier needs a text and its label in each row",
        )
    if not layout.header:
        layout, columns = _named(layout, columns, choose(columns, count))
    return _described(path, layout, count, columns)


def _named(
    layout: Layout, columns: Mapping[str, Column], choice: Choice
) -> tuple[Layout, dict[str, Column]]:
    """The same with names that say what the columns are, for a file that names none."""
    known = {choice.text: "text", choice.label: "label"}
    renamed = {known.get(name, name): column for name, column in columns.items()}
    for name, column in renamed.items():
        column.name = name
    return replace(layout, columns=tuple(renamed)), renamed


def _described(path: Path, layout: Layout, count: int, columns: Mapping[str, Column]) -> Table:
    choice = choose(columns, count)
    texts = [columns[name] for name in (choice.text, choice.text_pair) if name is not None]
    label = columns[choice.label]
    names = [] if choice.is_number else sorted(label.values, key=_label_order(label))
    labels = {name: label.values[name] for name in names}
    max_length, length_reason = _proposed_length(texts)
    return Table(
        path=path,
        layout=layout,
        rows=count,
        columns=tuple(columns),
        task="text-regression" if choice.is_number else "text-classification",
        text=choice.text,
        text_pair=choice.text_pair,
        label=choice.label,
        labels=labels,
        label_type=None if choice.is_number else _label_type(label),
        empty={column.name: column.missing for column in (label, *texts) if column.missing},
        median_words=sum(column.words_below(0.5) for column in texts),
        longest_words=sum(max(column.words) for column in texts),
        max_length=max_length,
        reasons={
            "file": _file_reason(layout),
            **choice.reasons,
            "task": f"each row has one of {len(labels)} labels"
            if labels
            else "each row has a number",
            "max_length": length_reason,
        },
        alternatives=choice.alternatives,
        several=choice.several,
        left_out=choice.left_out,
        warnings=(*_encoding_warning(layout), *_warnings(labels, label, texts)),
    )


def _label_order(column: Column) -> Callable[[str], Any]:
    """Numbers by size, anything else by its letters."""
    if column.looks("number") and all(names.is_number(value) for value in column.values):
        return lambda value: (float(value.replace(",", ".")), value)
    return str


def _label_type(column: Column) -> str | None:
    """`"string"` for numbers that would not stay labels: `1.0`, or some that are missing."""
    is_numeric = column.looks("number") or column.types & {int, float}
    is_plain = all(_WHOLE.fullmatch(value) for value in column.values)
    return "string" if is_numeric and (column.missing or not is_plain) else None


def _proposed_length(texts: Sequence[Column]) -> tuple[int, str]:
    """Tokens to keep so that nearly all rows stay whole, and the sentence that says so."""
    words = sum(column.words_below(0.98) for column in texts)
    longest = sum(max(column.words) for column in texts)
    wanted = _TOKENS_PER_WORD * words + len(texts) + 1
    tokens = next((length for length in _LENGTHS if length >= wanted), _LENGTHS[-1])
    median = sum(column.words_below(0.5) for column in texts)
    return tokens, (
        f"98% of the texts have at most {words:,} words (median {median:,}, longest {longest:,}),"
        f" and a word is about {_TOKENS_PER_WORD} tokens"
    )


def _file_reason(layout: Layout) -> str:
    if not layout.delimiter:
        return f"{layout.kind} by its content, with named values in every row"
    mark = DELIMITER_NAMES[layout.delimiter]
    quotes = "quotes around cells" if layout.quoted else "quotes are part of the text"
    header = "the first row names the columns"
    if not layout.header:
        header = "no header: the first row is like the others"
    return f"a {mark} gives every row {len(layout.columns)} cells; {quotes}; {header}"


def _encoding_warning(layout: Layout) -> list[str]:
    return [f"{layout.note}: if that looks wrong, set another `encoding`"] if layout.note else []


def _warnings(labels: Mapping[str, int], label: Column, texts: Sequence[Column]) -> list[str]:
    found = []
    if label.missing:
        found.append(f"rows without a label: {label.missing:,}")
    found += [
        f"rows without a text in column {c.name!r}: {c.missing:,}" for c in texts if c.missing
    ]
    if not labels:
        return found
    rare = [name for name, count in labels.items() if count < _RARE]
    if rare:
        shown = ", ".join(f"{name!r} ({labels[name]})" for name in rare[:5])
        are = "label has" if len(rare) == 1 else "labels have"
        found.append(f"{len(rare)} {are} fewer than {_RARE} rows: {shown}")
    most, least = max(labels, key=labels.__getitem__), min(labels, key=labels.__getitem__)
    if labels[most] >= _LOPSIDED * labels[least]:
        times = labels[most] / labels[least]
        found.append(
            f"label {most!r} has {times:.1f} times the rows of {least!r}, so accuracy says little"
        )
    return found + _alike(labels)


def _alike(labels: Mapping[str, int]) -> list[str]:
    """Labels that are the same but for case and spaces: most likely one label, written twice."""
    seen: dict[str, str] = {}
    found = []
    for label in labels:
        plain = " ".join(label.lower().split())
        if plain in seen:
            found.append(f"labels {seen[plain]!r} and {label!r} differ in case or spaces only")
        seen[plain] = label
    return found
