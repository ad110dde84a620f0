"""A person's file as text: that it is there, what it is compressed with, how it is encoded."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO

from mlrecipe.errors import DataError, suggest

COMPRESSED = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}

SUFFIXES = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".txt": "tsv", ".jsonl": "jsonl",
    ".ndjson": "jsonl", ".json": "json", ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
"""What a file's name says of its format; `.txt` is taken for a table with tabs until it is read."""

WORD_SUFFIXES = (".conll", ".conllu", ".iob", ".iob2", ".bio", ".bioes", ".bilou")
"""Endings of files that have a word and its tag in each line, and are no tables."""

_SHEETS = {".xlsx", ".xls", ".ods", ".numbers"}
_NOT_WINDOWS = (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d")
_UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


def check_file(path: Path) -> None:
    """Accept `path` only as a file with something in it, of a format that can be read.

    Raises:
        DataError: it is missing, a folder, empty, a spreadsheet, or of an unknown kind.
    """
    if path.is_dir():
        raise DataError(f"{str(path)!r} is a folder, not a table", hint=_files_in(path))
    if not path.exists():
        raise DataError(f"there is no file {str(path)!r}", hint=_nearest(path))
    if suffix_of(path) in _SHEETS:
        raise DataError(
            f"{path.name!r} is a spreadsheet",
            hint="save the sheet as 'CSV UTF-8' and give that file",
        )
    if suffix_of(path) not in SUFFIXES:
        known = ", ".join((*SUFFIXES, *WORD_SUFFIXES))
        raise DataError(
            f"{path.name!r} is of an unknown kind",
            hint=f"known endings: {known}, each also with .gz, .bz2 or .xz",
        )
    if not _head(path).strip(_UTF8_BOM + b" \t\r\n"):
        raise DataError(f"{path.name!r} is empty")


def named_format(path: Path) -> str:
    """The format by the file's name: `"csv"`, `"tsv"`, `"jsonl"`, `"json"` or `"parquet"`."""
    return SUFFIXES[suffix_of(path)]


def stem(path: Path) -> str:
    """The file's name without its endings: `train.csv.gz` gives `train`."""
    name = path.name
    for known in (*COMPRESSED, *SUFFIXES, *WORD_SUFFIXES):
        if name.lower().endswith(known) and len(name) > len(known):
            name = name[: -len(known)]
    return name


def encoding_of(path: Path) -> tuple[str, str]:
    """The encoding and, where it is not UTF-8, the evidence for it. Reads the whole file.

    Raises:
        DataError: the file is no text in any encoding that spreadsheets write.
    """
    head = _head(path)
    if head.startswith(_UTF16_BOMS):
        return "utf-16", "the file begins as UTF-16 does"
    if b"\0" in head:
        raise DataError(
            f"{path.name!r} holds bytes that are no text", hint="give a table of plain text"
        )
    odd = _first_odd_line(path)
    if odd is None:
        return "utf-8", ""
    number, seen = odd
    if head.startswith(_UTF8_BOM) or not _is_windows(path):
        raise DataError(
            f"line {number} of {path.name!r} is not UTF-8 (read as Windows-1252 it has {seen!r})",
            hint="save it as UTF-8, in Excel as 'CSV UTF-8'",
        )
    return "cp1252", f"line {number} is not UTF-8; read as Windows-1252 it has {seen!r}"


@contextmanager
def open_text(path: Path, encoding: str, *, newline: str) -> Iterator[TextIO]:
    """The file as text with its line ends as they are, decompressed and without a byte-order mark.

    Raises:
        DataError: while it is read: the compressed data is damaged, or it is not in that encoding.
    """
    name = "utf-8-sig" if encoding == "utf-8" else encoding
    with _readable(path), io.TextIOWrapper(_open(path), encoding=name, newline=newline) as text:
        yield text


def suffix_of(path: Path) -> str:
    """The ending that names the format, in lower case."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _open(path: Path) -> IO[bytes]:
    opener = COMPRESSED.get(path.suffix.lower())
    if opener is None:
        return path.open("rb")
    return opener(path, "rb")  # type: ignore[operator, no-any-return]


def _head(path: Path) -> bytes:
    with _readable(path), _open(path) as file:
        return file.read(65536)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Say of a file that cannot be read that it cannot."""
    try:
        yield
    except (EOFError, OSError, UnicodeError, lzma.LZMAError, zlib.error) as error:
        raise DataError(f"cannot read {path.name!r}: {error}") from error


def _first_odd_line(path: Path) -> tuple[int, str] | None:
    """The first line that is not UTF-8: its number, and how Windows would show the place."""
    with _readable(path), _open(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError as error:
                place = line[max(0, error.start - 15) : error.end + 15]
                return number, place.decode("cp1252", "replace").strip()
    return None


def _is_windows(path: Path) -> bool:
    """Whether every byte is a character of Windows-1252."""
    with _readable(path), _open(path) as file:
        return not any(byte in line for line in file for byte in _NOT_WINDOWS)


def _nearest(path: Path) -> str:
    """The name most like the missing one, or what else there is."""
    if not path.parent.is_dir():
        return f"there is no folder {str(path.parent)!r} either"
    names = [entry.name for entry in path.parent.iterdir() if entry.is_file()]
    near = suggest(path.name, names)
    return f"did you mean {near!r}?" if near else _files_in(path.parent)


def _files_in(folder: Path) -> str:
    known = (*SUFFIXES, *WORD_SUFFIXES)
    names = sorted(e.name for e in folder.iterdir() if e.is_file() and suffix_of(e) in known)
    if not names:
        return f"{str(folder)!r} has no table in it"
    shown = ", ".join(names[:8]) + (" …" if len(names) > 8 else "")
    return f"tables in {str(folder)!r}: {shown}"
