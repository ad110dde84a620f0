"""Headers: the names of a file's columns from its first bytes, where these leave no doubt.

Files are taken as the built-in op `load-files` takes them; whatever it would refuse is not known here.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeAlias, cast

Columns: TypeAlias = tuple[str, ...] | None
"""Names of columns; None: not known."""

FORMATS = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".txt": "tsv", ".jsonl": "jsonl",
    ".ndjson": "jsonl", ".json": "json", ".parquet": "parquet", ".pq": "parquet",
    ".arrow": "arrow", ".feather": "arrow",
}  # fmt: skip
"""What the ending of a file's name says of its content; as `load-files` has it."""

COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
"""Endings that say how a file is compressed; the ending before them names the format."""

_DELIMITED = {"csv", "tsv"}

_HEADS = (4096, 1 << 18)
"""Bytes that are read to find the first row: most often the first number is enough."""

_MOST_JSON = 1 << 18
"""Bytes of a JSON file that is read whole: any of its rows may have a key that no other has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How files are written, by the parameters of `load-files` of the same names."""

    format: str = "auto"
    header: bool = True
    columns: tuple[str, ...] | None = None
    """Names of all columns, for files without a header."""

    delimiter: str | None = None
    quoting: bool | None = None
    encoding: str = "utf-8"


class _Damaged(Exception):
    """Compressed data make no sense."""


# Whatever is wrong with a file, the op says it better, and with the line.
_UNREADABLE = (OSError, EOFError, LookupError, ValueError, TypeError, RecursionError, _Damaged)


class Headers:
    """What was found in files so far: each is read once, and of JSON no more than a bounded sum."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Layout], Columns] = {}
        self._json_left = 8 * _MOST_JSON

    def of_files(self, paths: Sequence[str], layout: Layout) -> Columns:
        """The columns of a split that is read from these files."""
        # CSV files of one split have the same columns, else the op refuses them.
        is_alike = {self._format(path, layout) for path in paths} <= _DELIMITED
        names: dict[str, None] = {}
        for path in paths[:1] if is_alike else paths:
            if (found := self._of_file(path, layout)) is None:
                return None
            names |= dict.fromkeys(found)
        return tuple(names) or None

    def _of_file(self, path: str, layout: Layout) -> Columns:
        key = (path, layout)
        if key not in self._found:
            try:
                self._found[key] = self._read(path, layout)
            except _UNREADABLE:
                self._found[key] = None
        return self._found[key]

    def _read(self, path: str, layout: Layout) -> Columns:
        format = self._format(path, layout)
        if format in _DELIMITED:
            return _delimited(path, layout, format)
        return self._objects(path, layout, format) if format in ("json", "jsonl") else None

    def _format(self, path: str, layout: Layout) -> str:
        return FORMATS.get(ending(path), "") if layout.format == "auto" else layout.format

    def _objects(self, path: str, layout: Layout, format: str) -> Columns:
        most = min(_MOST_JSON, self._json_left)
        text, is_whole = _head(path, layout.encoding, most)
        self._json_left -= len(text)
        rows = list(_rows(text, format)) if is_whole else []
        if not rows or not all(isinstance(row, dict) for row in rows):
            return None
        return tuple(dict.fromkeys(name for row in rows for name in row))


def ending(path: str) -> str:
    """The ending of a file's name that says what it holds, in lower case; empty when there is none."""
    suffixes = [suffix.lower() for suffix in Path(path).suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def lines(path: str, encoding: str) -> list[str]:
    """The whole lines at the beginning of a file; none where it cannot be read."""
    try:
        text, is_whole = _head(path, encoding, _HEADS[0])
    except _UNREADABLE:
        return []
    found = text.split("\n")
    return [line.rstrip("\r") for line in (found if is_whole else found[:-1])]


def of_saved(folder: str) -> Mapping[str, Columns] | None:
    """Split → columns of what `save_to_disk` of `datasets` wrote; None when the folder is no such thing."""
    at = Path(folder)
    try:
        if (at / "dataset_info.json").is_file() and (at / "state.json").is_file():
            return {str(_json(at / "state.json")["_split"] or "train"): _features(at)}
        if (at / "dataset_dict.json").is_file():
            splits = _json(at / "dataset_dict.json")["splits"]
            return {name: _features(at / name) for name in splits}
    except _UNREADABLE:
        return None
    return None


def _features(folder: Path) -> Columns:
    features = _json(folder / "dataset_info.json").get("features")
    return tuple(features) if isinstance(features, dict) and features else None


def _json(path: Path) -> dict[str, Any]:
    value = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(value, dict):
        raise TypeError(path)
    return value


def _delimited(path: str, layout: Layout, format: str) -> Columns:
    if not layout.header and layout.columns is not None:
        return layout.columns
    delimiter = layout.delimiter or ("\t" if format == "tsv" else ",")
    is_quoted = format == "csv" if layout.quoting is None else layout.quoting
    if len(delimiter) != 1:
        return None
    for size in _HEADS:
        text, is_whole = _head(path, layout.encoding, size)
        row = (_quoted_row if is_quoted else _plain_row)(text, delimiter, is_whole)
        if row is not None:
            return _names(row, layout)
        if is_whole:
            break
    return None


def _names(row: Sequence[str], layout: Layout) -> Columns:
    made_up = [f"column_{number}" for number in range(1, len(row) + 1)]
    if not layout.header:
        return tuple(made_up)
    names = tuple(cell.strip() or made for cell, made in zip(row, made_up, strict=True))
    return names if len(set(names)) == len(names) else None


def _quoted_row(text: str, delimiter: str, is_whole: bool) -> list[str] | None:
    """The first row, or None when the text ends before it does."""
    lines = io.StringIO(text, newline="")
    try:
        row = next(csv.reader(lines, delimiter=delimiter, strict=True), None)
    except csv.Error as error:
        raise ValueError(str(error)) from error
    if row is None or (not is_whole and lines.tell() == len(text)):
        return None
    return row or [""]


def _plain_row(text: str, delimiter: str, is_whole: bool) -> list[str] | None:
    line, end, _ = text.partition("\n")
    if not text or not (end or is_whole):
        return None
    return line.split(delimiter)


def _rows(text: str, format: str) -> Iterator[Any]:
    """The rows of JSON: a list of objects, an object that has one, or an object a line."""
    lines = text.split("\n")
    start = next((number for number, line in enumerate(lines) if line.strip()), len(lines))
    first = lines[start] if start < len(lines) else ""
    if first.lstrip().startswith("[") or (format == "json" and not _is_object(first)):
        whole = json.loads("\n".join(lines[start:]))
        if isinstance(whole, dict):
            whole = next((value for value in whole.values() if isinstance(value, list)), None)
        yield from whole if isinstance(whole, list) else ()
        return
    for line in lines[start:]:
        if line.strip():
            yield json.loads(line.rstrip())


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _head(path: str, encoding: str, size: int) -> tuple[str, bool]:
    """The text of the first bytes, and whether that is all of the file."""
    name = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    with _opened(path) as file:
        data = file.read(size + 1)
    is_whole = len(data) <= size
    return codecs.getincrementaldecoder(name)().decode(data[:size], final=is_whole), is_whole


@contextmanager
def _opened(path: str) -> Iterator[IO[bytes]]:
    """The file's bytes, decompressed as its name says."""
    import lzma
    import zlib

    try:
        with _open(path) as file:
            yield file
    except (zlib.error, lzma.LZMAError) as error:
        raise _Damaged(path) from error


def _open(path: str) -> IO[bytes]:
    match Path(path).suffix.lower():
        case ".gz":
            import gzip

            return cast(IO[bytes], gzip.open(path))
        case ".bz2":
            import bz2

            return bz2.open(path)
        case ".xz":
            import lzma

            return lzma.open(path)
        case ".zst":
            raise OSError(path)  # which needs a library
    return open(path, "rb")
