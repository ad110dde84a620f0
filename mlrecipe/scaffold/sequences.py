"""Looking at a person's own file of words with tags: how it is written, and what is in it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from mlrecipe.columns import find_tags, find_words, is_tags, is_words
from mlrecipe.errors import DataError
from mlrecipe.scaffold.layout import Layout, Row, layout_of, rows
from mlrecipe.scaffold.sentences import (
    CONLLU,
    PROBED,
    even,
    inline,
    lines_of,
    sentences,
    where_odd,
    width_of,
)
from mlrecipe.scaffold.source import SUFFIXES, WORD_SUFFIXES, encoding_of, suffix_of
from mlrecipe.tagging.layouts import TAGS, WORDS
from mlrecipe.tagging.schemes import scheme_of, split

_FEWEST = 20
_FEW_TAGS = 100
_NEARLY = 0.9
_INLINE = re.compile(r"<([^\s<>/]+)>\s[^<>]*\s</\1>")

Tagging = tuple[Sequence[str], Sequence[str]]
"""A row's words and their tags."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequences:
    """What was found out about a file."""

    path: Path
    """The file, as it was given."""

    op: Literal["load-conll", "load-tagged", "load-tokens"]
    """The op that reads it."""

    words: str
    """The column with the words, as the op or the file calls it."""

    tags: str
    """That with the tags."""

    columns: Mapping[str, int] | None
    """Of a file with a word a line the numbers of both, where they are not the first and the last."""

    layout: Layout | None
    """Of a table how it is to be read."""

    encoding: str
    rows: int
    count: int
    """Words in all rows."""

    longest: int
    """Words of the longest row."""

    tag_counts: Mapping[str, int]
    """Tag → words."""

    runs: int
    """Runs of one tag, `O` left out."""

    scheme: str
    """How the tags mark spans."""

    reason: str
    """By what the file was told to be so, in words."""

    @property
    def labels(self) -> list[str]:
        """What the tags are of, without their prefixes; `O` left out."""
        found = (tag if self.scheme == "plain" else split(tag)[1] for tag in self.tag_counts)
        return sorted({label for label in found if label and label != "O"})


def look(path: Path) -> Sequences | None:
    """What is in a file of words with tags; None: it is no such file, but may be a table.

    Raises:
        DataError: the name says that it has a word a line, and it does not; it cannot be read; its rows are too
            few, or have not as many tags as words.
    """
    ending = suffix_of(path)
    if not path.is_file() or not (ending in WORD_SUFFIXES or ending in SUFFIXES):
        return None
    if SUFFIXES.get(ending, "tsv") != "tsv":
        return _of_table(path)
    found = _of_lines(path, is_sure=ending in WORD_SUFFIXES)
    if found is None and ending in WORD_SUFFIXES:
        raise DataError(
            f"{path.name!r} does not have a word with its tag in every line{where_odd(path)}",
            hint="write a word and its tag in each line, a space or tab between; an empty line ends a row",
        )
    return found or (_of_table(path) if ending in SUFFIXES else None)


def _of_lines(path: Path, *, is_sure: bool) -> Sequences | None:
    """What is in a file with a word, or with a row of marked words, in each line; None: it is none such.

    `is_sure`: its name says that it is, so that even a single word is one.
    """
    encoding, _ = encoding_of(path)
    lines = list(islice(lines_of(path, encoding), PROBED))
    filled = [line for line in lines if line.strip()]
    if filled and sum(_INLINE.search(line) is not None for line in filled) >= _NEARLY * len(filled):
        taggings = (inline(line) for line in lines_of(path, encoding) if line.strip())
        reason = "a row a line, words between `<tag>` and `</tag>`"
        return _described(path, "load-tagged", taggings, reason, encoding=encoding)
    is_conllu = any(CONLLU.match(line) for line in lines)
    places = (1, 3) if is_conllu else _places(lines, is_sure=is_sure)
    if places is None:
        return None
    read = lines_of(path, encoding) if is_conllu else even(path, encoding, width_of(lines))
    taggings = (
        ([cells[places[0]] for cells in row], [cells[places[1]] for cells in row])
        for row in sentences(read, is_conllu=is_conllu)
    )
    reason = "CoNLL-U, of which the tags are the universal parts of speech"
    if not is_conllu:
        reason = "a word a line, with its tag, and an empty line after each row"
    columns = {WORDS: -1, TAGS: 1} if places == (-1, 0) else None
    return _described(path, "load-conll", taggings, reason, columns=columns, encoding=encoding)


def _places(lines: Sequence[str], *, is_sure: bool) -> tuple[int, int] | None:
    """Where in a line the word and its tag are; None: the lines are not such that they have both."""
    rows_ = list(sentences(lines, is_conllu=False))
    cells = [cells for row in rows_ for cells in row]
    width = width_of(lines)
    alike = [each for each in cells if len(each) == width]
    if width < 2 or len(alike) < _NEARLY * len(cells):
        return None
    if not is_sure and (len(rows_) < 2 or len(cells) < 1.5 * len(rows_)):
        return None
    firsts, lasts = ({each[place] for each in alike} for place in (0, -1))
    if not is_sure and len(alike) < len(cells) and not (_are_tags(firsts) or _are_tags(lasts)):
        return None
    if _are_tags(firsts) and not _are_tags(lasts):
        return -1, 0
    return (0, -1) if len(lasts) <= max(_FEW_TAGS, len(firsts) // 2) else None


def _are_tags(values: set[str]) -> bool:
    """Whether all values are tags with prefixes, or `O`."""
    return "O" in values and all(split(value)[0] for value in values)


def _of_table(path: Path) -> Sequences | None:
    """What is in a table with lists of words and of tags, or with texts of both; None: it is none such."""
    try:
        layout = layout_of(path)
        probe = list(islice(rows(path, layout), PROBED))
    except DataError:
        return None  # whoever looks at it as a table says what is wrong
    lists = {name: "text" for name in (probe[0] if probe else {}) if _has_texts(probe, name)}
    names = _named(probe, lists) if lists else _paired(probe)
    if names is None or not layout.header:
        return None
    taggings = (_row(path, number, row, names) for number, row in enumerate(rows(path, layout), 1))
    what = "lists" if lists else "texts"
    reason = f"columns {names[0]!r} and {names[1]!r} hold {what} of as many words as tags"
    return _described(
        path, "load-tokens", taggings, reason, names=names, layout=layout, encoding=layout.encoding
    )


def _has_texts(probe: Sequence[Row], name: str) -> bool:
    values = [row.get(name) for row in probe]
    return all(isinstance(v, list) and all(isinstance(w, str) for w in v) for v in values)


def _has_text(row: Row) -> bool:
    return any(isinstance(value, str) and " " in value.strip() for value in row.values())


def _named(probe: Sequence[Row], lists: Mapping[str, str]) -> tuple[str, str] | None:
    """The columns of words and of tags by their names, nearly all rows with as many of both."""
    try:
        words = find_words(lists)
        tags = find_tags(lists, words=words)
    except DataError:
        return None
    if is_words(words) and is_tags(tags) and not any(map(_has_text, probe)):
        return words, tags  # rows that lack tags are a mistake then
    alike = sum(len(row[words]) == len(row[tags]) for row in probe)
    return (words, tags) if alike >= _NEARLY * len(probe) else None


def _paired(probe: Sequence[Row]) -> tuple[str, str] | None:
    """A column of texts, and one with a tag for each of their words, which has a prefix, or `O`."""
    texts = {
        name: [row[name].split() for row in probe]
        for name in (probe[0] if probe else {})
        if all(isinstance(row.get(name), str) for row in probe)
    }
    for name in [n for n, found in texts.items() if _are_tags({w for row in found for w in row})]:
        lengths = [len(row) for row in texts[name]]
        for other, found in texts.items() if sum(lengths) >= 1.5 * len(lengths) else ():
            alike = sum(len(row) == n for row, n in zip(found, lengths, strict=True))
            if other != name and alike >= _NEARLY * len(probe):
                return other, name
    return None


def _row(path: Path, number: int, row: Row, names: tuple[str, str]) -> Tagging:
    words, tags = (_parts(row.get(name)) for name in names)
    if len(words) != len(tags):
        counts = " and ".join(
            f"{len(found):,} {what}{'s' * (len(found) != 1)}"
            for found, what in ((words, "word"), (tags, "tag"))
        )
        message = f"row {number:,} of {path.name!r} has {counts}"
        raise DataError(message, hint="each word needs its tag")
    return words, tags


def _parts(value: Any) -> list[str]:
    return value.split() if isinstance(value, str) else list(map(str, value or ()))


def _described(
    path: Path, op: Literal["load-conll", "load-tagged", "load-tokens"],
    taggings: Iterator[Tagging], reason: str, *, names: tuple[str, str] = (WORDS, TAGS),
    columns: Mapping[str, int] | None = None, layout: Layout | None = None, encoding: str = "utf-8",
) -> Sequences:  # fmt: skip
    """All that is to be known of the rows, of which there must be enough."""
    lengths: Counter[int] = Counter()
    counts: Counter[str] = Counter()
    kinds: Counter[tuple[str, ...]] = Counter()
    runs = 0
    for words, tags in taggings:
        lengths[len(words)] += 1
        counts.update(tags)
        kinds[tuple(tags)] += 1
        runs += sum(tag not in (old, "O") for old, tag in zip(("O", *tags), tags, strict=False))
    if lengths.total() < _FEWEST:
        counted = f"{lengths.total()} row{'s' * (lengths.total() != 1)}"
        raise DataError(
            f"{path.name!r} has {counted}, too few to learn from some and test on others",
            hint=f"have at least {_FEWEST}, or some hundreds for a result that means a thing",
        )
    return Sequences(
        path=path, op=op, words=names[0], tags=names[1], columns=columns, layout=layout,
        encoding=encoding, rows=lengths.total(), count=sum(n * rows_ for n, rows_ in lengths.items()),
        longest=max(lengths), tag_counts=dict(sorted(counts.items())), runs=runs,
        scheme=_scheme(path, kinds), reason=reason,
    )  # fmt: skip


def _scheme(path: Path, taggings: Iterable[Sequence[str]]) -> str:
    try:
        return scheme_of(taggings)
    except DataError as error:
        message = f"{path.name!r} has tags that do not go together: {error.message}"
        hint = "either all tags but O have a prefix, such as B-PER and I-PER, or none has one"
        raise DataError(message, hint=hint) from error
