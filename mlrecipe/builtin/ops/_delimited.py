"""CSV and TSV: rows of cells as Arrow tables in which every cell is still the text of the file."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TextIO

from mlrecipe import events
from mlrecipe.builtin.ops._files import Source, open_text
from mlrecipe.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 10_000
"""Rows that are held as Python objects at a time."""

Row = tuple[int, list[str]]
"""The line on which a row ends, from 1, and its cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How cells are written in a file."""

    delimiter: str | None = None
    """One character; None: comma, or tab for TSV."""

    header: bool = True
    """Whether the first row names the columns."""

    columns: tuple[str, ...] | None = None
    """Names of all columns, for files without a header."""

    quoting: bool | None = None
    """Whether cells may be wrapped in double quotes; None: yes, but not in TSV."""

    encoding: str = "utf-8"

    ragged: str = "error"
    """What becomes of rows that are too wide or too narrow: `"error"`, `"drop"` or `"fit"`."""

    def check(self) -> None:
        """Raise a DataError for values that cannot be."""
        if self.delimiter is not None and len(self.delimiter) != 1:
            raise DataError(f"{self.delimiter!r} is not one character", key="delimiter")
        twice = [name for name, count in Counter(self.columns or ()).items() if count > 1]
        if twice:
            raise DataError(f"the column {twice[0]!r} is named twice", key="columns")


def read(source: Source, layout: Layout, limit: int | None) -> Iterator[pa.Table]:
    """The rows in tables of `CHUNK`, every column of strings; at most `limit` rows are read.

    A table without rows comes last when there are none, so that the columns are known.

    Raises:
        DataError: a row is not as wide as the first, or a quoted cell is not closed; with its line.
    """
    found = rows(source, layout)
    names = next(found)
    yield from _tables(source, names, islice(found, limit))


def rows(source: Source, layout: Layout) -> Iterator[list[str]]:
    """The columns' names, then the cells of each row.

    Raises:
        DataError: as `read`.
    """
    delimiter = layout.delimiter or ("\t" if source.format == "tsv" else ",")
    quoting = source.format == "csv" if layout.quoting is None else layout.quoting
    # Without quotes only \n ends a row; with them Python's csv module looks for line ends itself.
    with open_text(source, encoding=layout.encoding, newline="" if quoting else "\n") as text:
        cells = _quoted(source, text, delimiter) if quoting else _plain(text, delimiter)
        names, found = _named(source, layout, cells)
        yield names
        yield from found


def _quoted(source: Source, text: TextIO, delimiter: str) -> Iterator[Row]:
    # Strict: else a quote that is never closed swallows the rest of the file without a word.
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    start = 1
    try:
        with _any_cell_size():
            for row in reader:
                # The module gives [] for an empty line, and never for anything else.
                yield reader.line_num, row or [""]
                start = reader.line_num + 1
    except csv.Error as error:
        raise source.error(
            f"the quotes of the row that starts here make no sense ({error})",
            line=start,
            hint="set quoting = false if quotes are part of the text",
        ) from None


@contextmanager
def _any_cell_size() -> Iterator[None]:
    """Lift the csv module's limit of 128 kB a cell, which is one for the whole process."""
    old = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(old)


def _plain(text: TextIO, delimiter: str) -> Iterator[Row]:
    for number, line in enumerate(text, start=1):
        content = line.removesuffix("\n").removesuffix("\r")
        yield number, content.split(delimiter)


def _named(
    source: Source, layout: Layout, rows: Iterator[Row]
) -> tuple[list[str], Iterator[list[str]]]:
    """The columns' names, and the rows below them."""
    number, first = next(rows, (0, []))
    if not number:
        raise source.error("the file is empty")
    if not layout.header:
        names = list(layout.columns or _made_up(len(first)))
        if len(names) != len(first):
            raise DataError(
                f"{len(names)} columns are named, the first row of {source.name} has {len(first)}",
                key="columns",
            )
        return names, _checked(source, layout, names, _from(number, first, rows))
    names = [cell.strip() or made for cell, made in zip(first, _made_up(len(first)), strict=True)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise source.error(f"two columns are named {twice[0]!r}", line=number)
    return names, _checked(source, layout, names, rows)


def _made_up(count: int) -> list[str]:
    return [f"column_{number}" for number in range(1, count + 1)]


def _from(number: int, first: list[str], rows: Iterator[Row]) -> Iterator[Row]:
    yield number, first
    yield from rows


def _checked(
    source: Source, layout: Layout, names: Sequence[str], rows: Iterator[Row]
) -> Iterator[list[str]]:
    """The rows, each as wide as the table; in tables of several columns an empty line is no row."""
    width = len(names)
    odd: list[int] = []
    for number, row in rows:
        if len(row) == width:
            yield row
        elif row != [""]:
            if layout.ragged == "error":
                raise _ragged(source, names, number, row)
            odd.append(number)
            if layout.ragged == "fit":
                yield [*row, *[""] * (width - len(row))][:width]
    if odd:
        events.emit(events.Note(_odd_rows(source, layout, odd, width), level="warning"))


def _odd_rows(source: Source, layout: Layout, odd: Sequence[int], width: int) -> str:
    done = "left out" if layout.ragged == "drop" else "cut or filled up"
    lines = ", ".join(str(number) for number in odd[:10]) + (", …" if len(odd) > 10 else "")
    return f"{source.name}: {len(odd):,} rows without {width} cells were {done} (lines {lines})"


def _ragged(source: Source, names: Sequence[str], number: int, row: list[str]) -> DataError:
    cells = "1 cell" if len(row) == 1 else f"{len(row)} cells"
    shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    return source.error(
        f"the row has {cells} where {len(names)} are expected ({shown})",
        line=number,
        hint="see delimiter, quoting, header and ragged",
    )


def _tables(source: Source, names: list[str], rows: Iterator[list[str]]) -> Iterator[pa.Table]:
    import pyarrow as pa

    schema = pa.schema([(name, pa.string()) for name in names])
    count = 0
    while chunk := list(islice(rows, CHUNK)):
        columns = [pa.array(column, pa.string()) for column in zip(*chunk, strict=True)]
        count += len(chunk)
        yield pa.Table.from_arrays(columns, schema=schema)
    if not count:
        yield schema.empty_table()
