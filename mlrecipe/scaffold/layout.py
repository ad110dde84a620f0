"""How a table is laid out in its file: delimiter, quotes, header; and its rows, one at a time."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TextIO

from mlrecipe.errors import DataError
from mlrecipe.scaffold import cells
from mlrecipe.scaffold.names import is_known, is_number
from mlrecipe.scaffold.source import encoding_of, named_format, open_text

Kind = Literal["csv", "tsv", "jsonl", "json", "parquet"]
Row = Mapping[str, Any]

_DELIMITERS = (",", "\t", ";", "|")
_SAMPLE = 4 * 1024 * 1024
_SAMPLE_ROWS = 2000
_CATEGORIES = 20
_LONG_NAME = 60

DELIMITER_NAMES = {",": "comma", "\t": "tab", ";": "semicolon", "|": "vertical bar"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How to read a file."""

    kind: Kind
    """What it really holds, whatever its name says."""

    encoding: str = "utf-8"
    """`"utf-8"`, `"utf-16"` or `"cp1252"`; byte-order marks are left out."""

    note: str = ""
    """Why another encoding than UTF-8 was taken."""

    delimiter: str = ""
    """One character; empty where cells are not separated by one."""

    quoted: bool = True
    """Whether cells may be wrapped in double quotes."""

    header: bool = True
    """Whether the first row names the columns."""

    columns: tuple[str, ...] = ()
    """Column names of a delimited table; made up (`column_1` …) where the file names none."""


def layout_of(path: Path) -> Layout:
    """How the table in `path` is to be read; reads its beginning only.

    Raises:
        DataError: the file has no rows, or one column only.
    """
    named = named_format(path)
    if named == "parquet":
        return Layout(kind="parquet")
    encoding, note = encoding_of(path)
    text = _sample(path, encoding)
    kind = _kind(named, text)
    if kind in ("json", "jsonl"):
        return Layout(kind=kind, encoding=encoding, note=note)
    return replace(_delimited(path, kind, text), encoding=encoding, note=note)


def rows(path: Path, layout: Layout) -> Iterator[Row]:
    """Every row of the table as column → cell; cells of JSON keep their types.

    Raises:
        DataError: a row does not have the table's shape; the message names its line.
    """
    if layout.kind == "parquet":
        yield from _parquet_rows(path)
        return
    with open_text(path, layout.encoding, newline=cells.line_ends(layout.quoted)) as text:
        if layout.kind == "jsonl":
            yield from _jsonl_rows(path, text)
        elif layout.kind == "json":
            yield from _json_rows(path, text)
        else:
            yield from _delimited_rows(path, text, layout)


def _sample(path: Path, encoding: str) -> str:
    """The first few MiB; a last line that may have been cut off is left out."""
    with open_text(path, encoding, newline="") as text:
        sample = text.read(_SAMPLE)
    return sample if len(sample) < _SAMPLE else sample[: sample.rfind("\n") + 1]


def _kind(named: str, text: str) -> Kind:
    """JSON is what looks like it, whatever the name says; else delimited, as the name says."""
    start = text.lstrip()[:1]
    if start == "[" and named in ("json", "jsonl"):
        return "json"
    first = text.lstrip().partition("\n")[0]
    if start == "{" and _parses(first):
        return "jsonl"
    if start == "{" and named == "json":
        return "json"
    if named in ("json", "jsonl"):
        raise DataError(f"this is no JSON: it starts with {text.lstrip()[:20]!r}")
    return "csv" if named == "csv" else "tsv"


def _parses(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _delimited(path: Path, kind: Kind, text: str) -> Layout:
    if text.lower().startswith("sep="):
        raise DataError(
            f"the first line of {path.name!r} is {text.splitlines()[0]!r}, a note for Excel",
            hint="delete that line, so that the file begins with the names of its columns",
        )
    delimiter, quoted = _separation(path, kind, text)
    head = cells.head(text, delimiter, quoted=quoted, count=_SAMPLE_ROWS)
    header = _has_header(head)
    names = _made_up(len(head[0]))
    if header:
        names = [cell.strip() or made for cell, made in zip(head[0], names, strict=True)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"two columns of {path.name!r} are named {twice[0]!r}", hint="rename one of them"
        )
    if header and len(head) == 1:
        raise DataError(f"{path.name!r} has a header and no rows")
    return Layout(
        kind=kind, delimiter=delimiter, quoted=quoted, header=header, columns=tuple(names)
    )


def _made_up(count: int) -> list[str]:
    return [f"column_{number}" for number in range(1, count + 1)]


def _separation(path: Path, kind: Kind, text: str) -> tuple[str, bool]:
    """The delimiter and whether there are quotes: what gives most rows the first row's width."""
    default = "," if kind == "csv" else "\t"
    best: tuple[float, str, bool] | None = None
    for delimiter in sorted(_DELIMITERS, key=lambda d: d != default):
        quoted = _is_quoted(text, delimiter)
        share = cells.share(text, delimiter, quoted=quoted)
        if share > 0 and (best is None or share > best[0] + 0.005):
            best = (share, delimiter, quoted)
    if best is None:
        raise DataError(
            f"{path.name!r} has one column only",
            hint="a classifier needs a text and its label in each row, separated by a comma,"
            " a semicolon, a tab or a vertical bar",
        )
    return best[1], best[2]


def _is_quoted(text: str, delimiter: str) -> bool:
    """Whether double quotes wrap cells, rather than being part of the text."""
    if "\n" not in text:  # lines that end in \r alone are lines only to the reader of quotes
        return True
    plain = cells.head(text, delimiter, quoted=False, count=len(text))
    opened = [cell for row in plain for cell in row if cell.startswith('"')]
    if not opened:
        return delimiter != "\t"
    if all(_is_wrapped(cell) for cell in opened) and _wrapping_shows(plain, opened):
        return True
    # A quote that opens a cell and is closed lines later, or around a delimiter, breaks the plain
    # reading; a quote that is only text breaks the quoted one. What keeps the rows alike wins.
    quoted_share = cells.share(text, delimiter, quoted=True)
    return quoted_share > cells.share(text, delimiter, quoted=False)


def _is_wrapped(cell: str) -> bool:
    return len(cell) > 1 and cell.endswith('"') and '"' not in cell[1:-1].replace('""', "")


def _wrapping_shows(plain: Sequence[Sequence[str]], opened: Sequence[str]) -> bool:
    """Doubled quotes inside, or a whole column of wrapped cells."""
    if any('""' in cell[1:-1] for cell in opened):
        return True
    return any(all(cell[:1] == '"' for cell in column) for column in zip(*plain[1:], strict=False))


def _has_header(head: Sequence[Sequence[str]]) -> bool:
    """Whether the first row names the columns, judged by the rows under it."""
    first, rest = [cell.strip() for cell in head[0]], head[1:]
    if sum(is_known(cell) for cell in first) > 1:
        return True
    if any(is_number(cell) or len(cell) > _LONG_NAME for cell in first):
        return False
    for position, name in enumerate(first):
        below = {row[position] for row in rest if len(row) > position}
        if len(below) <= _CATEGORIES and name in below and name:
            return False
    return True


def _delimited_rows(path: Path, text: TextIO, layout: Layout) -> Iterator[Row]:
    width, line = len(layout.columns), 0
    table = cells.cells(text, layout.delimiter, quoted=layout.quoted)
    try:
        for line, row in islice(table, int(layout.header), None):
            if len(row) != width:
                raise _ragged(path, line, row, layout)
            yield dict(zip(layout.columns, row, strict=True))
    except csv.Error as error:
        raise DataError(
            f"the quotes of the row that starts on line {line + 1} of {path.name!r} make no sense:"
            f" {error}",
            hint="a double quote inside of a quoted text must be doubled",
        ) from error


def _ragged(path: Path, line: int, row: Sequence[str], layout: Layout) -> DataError:
    mark = DELIMITER_NAMES[layout.delimiter]
    hint = f"text with a {mark} in it must be wrapped in double quotes"
    if len(row) < len(layout.columns):
        hint = (
            "a cell is missing there, or a text with a line break is not wrapped in double quotes"
        )
    elif not layout.quoted:
        hint = f"text with a {mark} or a line break in it must have that replaced, by a space say"
    return DataError(
        f"line {line} of {path.name!r} has {len(row)} cells where the first row has"
        f" {len(layout.columns)}, taking a {mark} between cells",
        hint=hint,
    )


def _jsonl_rows(path: Path, text: TextIO) -> Iterator[Row]:
    for number, line in enumerate(text, start=1):
        if line.strip():
            yield _row(path, _parsed(path, line.strip(), number), f"line {number}")


def _json_rows(path: Path, text: TextIO) -> Iterator[Row]:
    """A list of objects, or one object that has such a list under one of its keys."""
    whole = _parsed(path, text.read(), 1)
    if isinstance(whole, dict):
        whole = next((value for value in whole.values() if isinstance(value, list)), None)
    if not isinstance(whole, list):
        raise DataError(f"{path.name!r} holds no list of rows")
    for number, value in enumerate(whole, start=1):
        yield _row(path, value, f"row {number}")


def _parsed(path: Path, text: str, line: int) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        at = line + getattr(error, "lineno", 1) - 1
        what = getattr(error, "msg", str(error))
        raise DataError(f"line {at} of {path.name!r} is no JSON: {what}") from error


def _row(path: Path, value: Any, place: str) -> Row:
    if not isinstance(value, dict):
        raise DataError(
            f"{place} of {path.name!r} is {str(value)[:40]!r}, not an object with named values"
        )
    return value


def _parquet_rows(path: Path) -> Iterator[Row]:
    try:
        from pyarrow import parquet
    except ImportError:
        raise DataError(
            f"{path.name!r} is parquet, which cannot be looked at without pyarrow",
            hint="install pyarrow, or write the recipe by hand and name the columns in it",
        ) from None
    for batch in parquet.ParquetFile(path).iter_batches():
        yield from batch.to_pylist()
