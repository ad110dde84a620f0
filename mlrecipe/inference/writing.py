"""Writing: pieces of the input with their new columns, into a file that is there whole or not at all."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Protocol, cast

import pyarrow as pa
from pyarrow import parquet

from mlrecipe.builtin.ops._files import COMPRESSED, Source
from mlrecipe.errors import MlrecipeError, RequestError
from mlrecipe.inference.reading import STANDARD, Piece

FORMATS = ("csv", "tsv", "jsonl", "parquet")
FLAT = ("csv", "tsv")
"""Formats without values inside values."""

Columns = Mapping[str, pa.Array]


class Writer(Protocol):
    """Writes one piece after the other."""

    def write(self, piece: Piece, new: Columns) -> None:
        """Write rows of the input with their new columns."""

    def close(self) -> None:
        """Write what is left."""


@contextmanager
def writing(
    source: Source, name: str, *, overwrite: bool, delimiter: str | None
) -> Iterator[Writer]:
    """A writer for a file, which takes its name at the end; after an error nothing is left.

    Args:
        source: the file and its format.
        name: as the user named it.
        overwrite: whether a file that is there is replaced.
        delimiter: character between the cells of CSV.

    Raises:
        RequestError: the file is there already, or cannot be made.
    """
    with _sink(source.path, name, overwrite=overwrite) as file:
        writer = _WRITERS[source.format](file, delimiter)
        try:
            yield writer
        except BaseException:
            with suppress(
                Exception
            ):  # else it would write into the closed file when it is forgotten
                writer.close()
            raise
        writer.close()


@contextmanager
def _sink(path: Path, name: str, *, overwrite: bool) -> Iterator[IO[bytes]]:
    if name == STANDARD:
        with os.fdopen(os.dup(1), "wb") as file:
            yield file
        return
    if path.exists() and not overwrite:
        raise RequestError(
            f"{name!r} is there already", key="--output", hint="--overwrite replaces it"
        )
    ending, path = path.suffix.lower(), Path(os.path.realpath(path))  # a link stays one
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.is_dir():
            raise RequestError(f"{name!r} is a folder", key="--output")
        if path.exists() and not path.is_file():
            hint = f"{STANDARD} is standard output"
            raise RequestError(f"{name!r} is no file", key="--output", hint=hint)
        with _opened(part, ending) as file:
            yield file
        os.replace(part, path)
    except OSError as error:
        if not part.parent.is_dir():
            raise RequestError(
                f"there is no folder {str(path.parent)!r}", key="--output"
            ) from error
        raise MlrecipeError(f"cannot write {name!r}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def _opened(part: Path, ending: str) -> IO[bytes]:
    """A file, compressed as the ending says."""
    if ending == ".gz":
        return cast("IO[bytes]", gzip.open(part, "wb", compresslevel=6))
    if ending == ".bz2":
        return bz2.open(part, "wb")
    if ending == ".xz":
        return lzma.open(part, "wb")
    if ending == ".zst":
        return cast("IO[bytes]", pa.CompressedOutputStream(pa.OSFile(str(part), "wb"), "zstd"))
    return part.open("wb")


class _Delimited:
    """CSV."""

    def __init__(self, file: IO[bytes], delimiter: str | None) -> None:
        self._text = io.TextIOWrapper(file, encoding="utf-8", errors="replace", newline="")
        mark = delimiter or ","
        self._rows = csv.writer(self._text, delimiter=mark, lineterminator="\n")
        self._quoted = csv.writer(
            self._text, delimiter=mark, lineterminator="\n", quoting=csv.QUOTE_ALL
        )
        self._names: list[str] | None = None

    def write(self, piece: Piece, new: Columns) -> None:
        """Write rows; the first piece decides over the columns."""
        if self._names is None:
            self._names = list(piece.table.column_names)
            self._header([*self._names, *new])
        _check_names(self._names, piece)
        old = [_cells(piece, name) for name in self._names]
        fresh = [[_cell(value) for value in column.to_pylist()] for column in new.values()]
        self._lines(zip(*old, *fresh, strict=True), start=piece.start)

    def close(self) -> None:
        """Hand on what is left; the file itself stays open."""
        self._text.flush()
        self._text.detach()

    def _header(self, names: Sequence[str]) -> None:
        self._lines(iter([tuple(names)]), start=-1)

    def _lines(self, rows: Iterator[tuple[str, ...]], *, start: int) -> None:
        for row in rows:
            # Readers take a lone \r for the end of a row, and a writer whose rows end otherwise leaves it bare.
            writer = self._quoted if any("\r" in cell for cell in row) else self._rows
            writer.writerow(row)


class _Tabbed(_Delimited):
    """TSV, in which quotes are part of the text and every line is a row."""

    def _lines(self, rows: Iterator[tuple[str, ...]], *, start: int) -> None:
        for number, row in enumerate(rows, start):
            if any(mark in cell for cell in row for mark in "\t\n\r"):
                where = "the columns' names have" if number < 0 else f"row {number} has"
                raise RequestError(
                    f"{where} a tab or the end of a line within a cell, which TSV cannot hold",
                    key="--output",
                    hint="write .csv or .jsonl",
                )
            self._text.write("\t".join(row) + "\n")


class _Objects:
    """JSON Lines."""

    def __init__(self, file: IO[bytes], delimiter: str | None) -> None:
        self._file = file

    def write(self, piece: Piece, new: Columns) -> None:
        """Write an object a line: that of the input with the new keys."""
        old = piece.table.to_pylist() if piece.objects is None else piece.objects
        lines = piece.lines or [""] * len(old)
        fresh = pa.table(dict(new)).to_pylist()
        for before, line, after in zip(old, lines, fresh, strict=True):
            is_exact = line and _is_json(line)
            self._file.write(_longer(line, after) if is_exact else _line({**before, **after}))

    def close(self) -> None:
        """There is nothing left."""


class _Parquet:
    """Parquet."""

    def __init__(self, file: IO[bytes], delimiter: str | None) -> None:
        self._file = file
        self._writer: parquet.ParquetWriter | None = None
        self._names: list[str] = []
        self._schema: pa.Schema | None = None

    def write(self, piece: Piece, new: Columns) -> None:
        """Write rows; the first piece decides over the columns and their types."""
        if self._writer is None:
            self._names = list(piece.table.column_names)
        _check_names(self._names, piece)
        table = _with_columns(piece, self._names, new, known=self._schema)
        if self._writer is None:
            self._schema = table.schema
            try:
                self._writer = parquet.ParquetWriter(self._file, self._schema)
            except pa.ArrowNotImplementedError as error:
                raise RequestError(str(error), key="--output", hint="write .jsonl") from error
        try:
            self._writer.write_table(table.cast(self._schema))
        except pa.ArrowException as error:
            raise RequestError(
                f"the rows from {piece.start} on are of other types than those before: {error}",
                key="--output",
                hint="write .jsonl, in which every row may have its own",
            ) from error

    def close(self) -> None:
        """Write the footer."""
        if self._writer is not None:
            self._writer.close()


_WRITERS: Mapping[str, Any] = {
    "csv": _Delimited, "tsv": _Tabbed, "jsonl": _Objects, "parquet": _Parquet,
}  # fmt: skip


def check_compression(source: Source) -> None:
    """Raise for a format that has a compression of its own."""
    if source.format == "parquet" and source.path.suffix.lower() in COMPRESSED:
        raise RequestError("parquet compresses by itself", key="--output", hint="name it .parquet")


def _check_names(names: Sequence[str], piece: Piece) -> None:
    """Raise for a key that no row of the first piece has: its column is not in the header."""
    more = [name for name in piece.table.column_names if name not in names]
    if more:
        raise RequestError(
            f"among the rows from {piece.start} on is one with a key {more[0]!r}, which those before lack",
            key="--output",
            hint="write .jsonl, in which every row may have its own",
        )


def _cells(piece: Piece, name: str) -> list[str]:
    """A column of the input as the texts of cells."""
    if name not in piece.table.column_names:
        return [""] * piece.table.num_rows
    if piece.objects is not None:
        return [_cell(row.get(name)) for row in piece.objects]
    return [_cell(value) for value in piece.table.column(name).to_pylist()]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _is_json(line: str) -> bool:
    """Whether the text of an object has no `NaN` or `Infinity`, which Python reads and JSON does not know."""
    if "NaN" not in line and "Infinity" not in line:
        return True
    found: list[str] = []
    json.loads(line, parse_constant=found.append)
    return not found


def _longer(line: str, new: Mapping[str, Any]) -> bytes:
    """The text of an object, its own values as they stand there, with new keys at its end."""
    start = line.removesuffix("}").rstrip()
    between = "" if start == "{" else ", "
    return start.encode("utf-8", "replace") + between.encode() + _line(new)[1:]


def _line(row: Mapping[str, Any]) -> bytes:
    try:
        text = json.dumps(row, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:  # JSON has no number that is not finite
        text = json.dumps(_finite(row), ensure_ascii=False, default=str)
    try:
        return f"{text}\n".encode()
    except UnicodeEncodeError:  # half a character stands as it came: \ud83d
        return f"{json.dumps(json.loads(text))}\n".encode()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return {key: _finite(item) for key, item in value.items()} if isinstance(value, dict) else value


def _with_columns(
    piece: Piece, names: Sequence[str], new: Columns, *, known: pa.Schema | None
) -> pa.Table:
    """The input's columns in the order of `names`, then the new ones.

    Nulls where the piece lacks a column; nulls alone have the type that is known, else that of texts.
    """
    old = {}
    for name in names:
        is_there = name in piece.table.column_names
        column = piece.table.column(name) if is_there else pa.nulls(piece.table.num_rows)
        if pa.types.is_null(column.type):
            column = pa.nulls(len(column), pa.string() if known is None else known.field(name).type)
        old[name] = column
    return pa.table({**old, **new})
