"""CoNLL files: a word a line with its columns, and a blank line between sentences; CoNLL-U among them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from mlrecipe.builtin.ops import _tagged_conllu
from mlrecipe.builtin.ops._files import Source, open_text
from mlrecipe.builtin.ops._tagged_conllu import Line
from mlrecipe.builtin.ops._tagged_rows import Kinds, Rows, counted
from mlrecipe.tagging import layouts
from mlrecipe.tagging.layouts import DOCUMENT, DOCUMENT_START, FIELDS, TAGS

_NEW_DOCUMENT = re.compile(r"#\s*newdoc\b")
_BLANK = " \t"
_HINT = "see columns, separator and comments"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the files are written, and what is wanted of them."""

    format: str = "auto"
    """`"conll"`, `"conllu"` or `"auto"`."""

    columns: layouts.Columns = None
    separator: str | None = None
    """What stands between the cells of a line, once; None: any number of spaces and tabs."""

    comments: str | None = None
    """How lines between sentences begin that are left out."""

    documents: str = "skip"
    """`"column"` for the number of each sentence's document."""

    words: str = "syntactic"
    """`"syntactic"` or `"surface"`: which words of CoNLL-U."""

    encoding: str = "utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file and what its columns mean."""

    source: Source
    layout: Layout
    is_conllu: bool
    places: Mapping[str, int]
    """Column → its place in a line, from 0."""

    width: int
    """Cells of a line."""

    expected: str
    """Where that number comes from, as an error says it."""


def read(source: Source, layout: Layout) -> tuple[Kinds, Rows]:
    """The columns of a file, and their values of each of its sentences.

    Raises:
        DataError: the file has no sentence; a line has more or fewer columns than the others, or no tag.
    """
    file = _file(source, layout, is_conllu=_is_conllu(source, layout))
    names = layouts.in_order(list(file.places))
    kinds = dict.fromkeys(names, "words")
    if layout.documents == "column":
        kinds[DOCUMENT] = "int64"
    return kinds, _rows(file, [file.places[name] for name in names])


def _rows(file: _File, places: Sequence[int]) -> Rows:
    """The values of each sentence: the cells at these places, and the number of its document."""
    has_documents = file.layout.documents == "column"
    for document, sentence in _sentences(file):
        if file.is_conllu:
            lines = _tagged_conllu.words(file.source, sentence, file.layout.words)
        else:
            lines = [cells for _, cells in sentence]
        columns = [[cells[place] for cells in lines] for place in places]
        yield [*columns, *([document] if has_documents else [])]


def _sentences(file: _File) -> Iterator[tuple[int, list[Line]]]:
    """Each sentence with the number of its document, from 1."""
    comments = _comments(file.layout, file.is_conllu)
    document = 0
    sentence: list[Line] = []
    for number, line in chain(_lines(file.source, file.layout), [(0, "")]):
        is_start = line.startswith(DOCUMENT_START)
        if is_start or not line.strip(_BLANK):
            if sentence:
                document = max(document, 1)
                yield document, sentence
            sentence = []
            document += is_start
        elif not sentence and comments is not None and line.startswith(comments):
            document += file.is_conllu and _NEW_DOCUMENT.match(line) is not None
        else:
            sentence.append((number, _cells(file, number, line)))


def _cells(file: _File, number: int, line: str) -> list[str]:
    """The cells of a word's line, as many as there are of all lines."""
    cells = _split(line, file.layout, file.is_conllu)
    if len(cells) != file.width:
        raise file.source.error(
            f"the line has {counted(len(cells), 'column')} where {file.expected}",
            line=number,
            hint="CoNLL-U has a tab between columns" if file.is_conllu else _HINT,
        )
    place = file.places.get(TAGS)
    if place is not None and not cells[place].strip():
        raise file.source.error("the word has no tag", line=number, hint=_HINT)
    return cells


def _file(source: Source, layout: Layout, *, is_conllu: bool) -> _File:
    layouts.check(layout.columns, is_conllu=is_conllu)
    number, line = _first(source, layout, _comments(layout, is_conllu))
    width, columns = len(_split(line, layout, is_conllu)), layout.columns
    if not is_conllu:
        layouts.check_width(columns, line, width)
    expected = f"line {number} has {width}"
    if is_conllu:
        width, expected = len(FIELDS), f"{len(FIELDS)} are expected"
    elif columns is not None and not isinstance(columns, Mapping):
        width, expected = len(columns), f"{len(columns)} are expected ({', '.join(columns)})"
    return _File(
        source=source, layout=layout, is_conllu=is_conllu, width=width, expected=expected,
        places=layouts.places(columns, width, is_conllu=is_conllu),
    )  # fmt: skip


def _is_conllu(source: Source, layout: Layout) -> bool:
    """Whether it is CoNLL-U: by what is said, else by its first line that can be none of its comments."""
    if layout.format != "auto":
        return layout.format == "conllu"
    _, line = _first(source, layout, "#", is_needed=False)
    return layouts.is_conllu(line)


def _first(
    source: Source, layout: Layout, comments: str | None, *, is_needed: bool = True
) -> tuple[int, str]:
    """The first line that is a word's, and its number."""
    for number, line in _lines(source, layout):
        if layouts.is_word(line, comments):
            return number, line
    if is_needed:
        raise source.error("it has no sentence")
    return 0, ""


def _comments(layout: Layout, is_conllu: bool) -> str | None:
    return "#" if is_conllu else layout.comments


def _lines(source: Source, layout: Layout) -> Iterator[tuple[int, str]]:
    """Number, from 1, and text of each line."""
    with open_text(source, encoding=layout.encoding, newline="\n") as text:
        for number, line in enumerate(text, start=1):
            yield number, line.rstrip("\r\n")


def _split(line: str, layout: Layout, is_conllu: bool) -> list[str]:
    if is_conllu:
        return line.split("\t")
    return layouts.cells(line, layout.separator)
