"""Rows of cells from delimited text, found as `load-files` finds them."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO


def cells(text: TextIO, delimiter: str, *, quoted: bool) -> Iterator[tuple[int, list[str]]]:
    """The line on which each row ends, from 1, and its cells; empty lines are no rows.

    `text` is to be open with the line ends of `line_ends(quoted)`.

    Raises:
        csv.Error: a quoted cell is not closed, or goes on after its closing quote.
    """
    if not quoted:
        for number, line in enumerate(text, start=1):
            content = line.removesuffix("\n").removesuffix("\r")
            if content:
                yield number, content.split(delimiter)
        return
    with _any_cell_size():
        reader = csv.reader(text, delimiter=delimiter, strict=True)
        yield from ((reader.line_num, row) for row in reader if row)


def line_ends(quoted: bool) -> str:
    """How to open a file: without quotes only a line feed ends a row."""
    return "" if quoted else "\n"


def head(text: str, delimiter: str, *, quoted: bool, count: int) -> list[list[str]]:
    """The first rows, up to where the quotes make no sense."""
    found: list[list[str]] = []
    try:
        for _, row in cells(_opened(text, quoted), delimiter, quoted=quoted):
            found.append(row)
            if len(found) == count:
                break
    except csv.Error:
        pass
    return found


def share(text: str, delimiter: str, *, quoted: bool) -> float:
    """The share of the lines that are in rows as wide as the first; 0 when that has one cell."""
    good = last = width = 0
    try:
        for line, row in cells(_opened(text, quoted), delimiter, quoted=quoted):
            width = width or len(row)
            if len(row) == width:
                good += line - last
            last = line
    except csv.Error:
        pass
    lines = sum(1 for _ in _opened(text, quoted))
    return good / lines if width > 1 else 0.0


def _opened(text: str, quoted: bool) -> TextIO:
    return io.StringIO(text, newline=line_ends(quoted))


@contextmanager
def _any_cell_size() -> Iterator[None]:
    """Lift the csv module's limit of 128 kB a cell, which is one for the whole process."""
    old = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(old)
