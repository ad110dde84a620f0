"""The lines of a file with a word, or with a row of marked words, in each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from mlrecipe.errors import DataError
from mlrecipe.scaffold.source import encoding_of, open_text

PROBED = 2000
"""Lines, or rows, by which a file is told from a table."""

CONLLU = re.compile(r"\d+(\t[^\t]*){9}$")
"""A word's line of CoNLL-U."""

_DOCUMENT = "-DOCSTART-"


def lines_of(path: Path, encoding: str) -> Iterator[str]:
    """The lines without what ends them."""
    with open_text(path, encoding, newline="\n") as text:
        for line in text:
            yield line.rstrip("\r\n")


def even(path: Path, encoding: str, width: int) -> Iterator[str]:
    """The lines, all of which that have any must have so many columns."""
    for number, line in enumerate(lines_of(path, encoding), start=1):
        found = len(line.split())
        if found != width and _is_filled(line):
            columns = f"{found:,} column{'s' * (found != 1)}"
            message = f"line {number:,} of {path.name!r} has {columns}, the others have {width:,}"
            raise DataError(
                message, hint="each line has a word, its tag, and as much as the others"
            )
        yield line


def sentences(lines: Iterable[str], *, is_conllu: bool) -> Iterator[list[list[str]]]:
    """The cells of each word of each row; words that CoNLL-U writes as one, and empty nodes, left out."""
    sentence: list[list[str]] = []
    for line in chain(lines, [""]):
        if not line.strip() or line.startswith(_DOCUMENT):
            if sentence:
                yield sentence
            sentence = []
        elif not is_conllu:
            sentence.append(line.split())
        elif CONLLU.match(line):
            sentence.append(line.split("\t"))


def inline(line: str) -> tuple[list[str], list[str]]:
    """The words of a line and the marks that they stand between."""
    words: list[str] = []
    tags: list[str] = []
    tag = "O"
    for word in line.split():
        if re.fullmatch(r"</[^\s<>]+>", word):
            tag = "O"
        elif re.fullmatch(r"<[^\s<>/]+>", word):
            tag = word[1:-1]
        else:
            words.append(word)
            tags.append(tag)
    return words, tags


def width_of(lines: Iterable[str]) -> int:
    """How many columns most lines have that have any; of as many the most."""
    widths = Counter(len(line.split()) for line in lines if _is_filled(line))
    return max(widths, key=lambda width: (widths[width], width), default=0)


def where_odd(path: Path) -> str:
    """The first line that is not like the others, if there is one."""
    encoding, _ = encoding_of(path)
    width = width_of(islice(lines_of(path, encoding), PROBED))
    try:
        for _ in islice(even(path, encoding, width), PROBED):
            pass
    except DataError as error:
        return f": {error.message}"
    return ": there is one column" if width == 1 else ""


def _is_filled(line: str) -> bool:
    return bool(line.strip()) and not line.startswith(_DOCUMENT)
