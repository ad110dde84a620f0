"""Data files: which ones a parameter names, what their names say of them, and their bytes."""

from __future__ import annotations

import bz2
import glob
import gzip
import io
import lzma
import os
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TextIO, cast

from mlrecipe.errors import DataError, did_you_mean

FORMATS = {
    ".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".txt": "tsv", ".jsonl": "jsonl",
    ".ndjson": "jsonl", ".json": "json", ".parquet": "parquet", ".pq": "parquet",
    ".arrow": "arrow", ".feather": "arrow",
}  # fmt: skip
"""What the ending of a file's name says of its content."""

COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
"""Endings that say how a file is compressed; the ending before them names the format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One file and the parameter that named it."""

    path: Path

    key: str
    """Parameter at fault when the file cannot be read: `"train"`."""

    format: str
    """`"csv"`, `"tsv"`, `"jsonl"`, `"json"`, `"parquet"` or `"arrow"`."""

    @property
    def name(self) -> str:
        """The path as an error shows it: from the current folder when the file is below it."""
        relative = os.path.relpath(self.path)
        return str(self.path) if relative.startswith("..") else relative

    def error(self, message: str, *, line: int | None = None, hint: str | None = None) -> DataError:
        """An error about this file, or about one of its lines (from 1)."""
        where = self.name if line is None else f"{self.name}:{line}"
        return DataError(f"{where}: {message}", key=self.key, hint=hint)


def sources(
    named: str | Iterable[str], *, key: str, format: str, endings: Collection[str] = FORMATS
) -> list[Source]:
    """The files that a parameter names, sorted by path; each may be a file, a folder or a glob.

    Args:
        named: what the parameter holds.
        key: its name.
        format: what the files hold; `auto` goes by the endings of their names.
        endings: those of the files that are taken of a folder.

    Raises:
        DataError: nothing is there, a folder has no data files, or a file's format is not known.
    """
    texts = [named] if isinstance(named, str) else list(named)
    if not texts:
        raise DataError("no file is named", key=key)
    paths = dict.fromkeys(path for text in texts for path in _paths(text, key, endings))
    return [
        Source(path=path, key=key, format=_format(path, key) if format == "auto" else format)
        for path in sorted(paths)
    ]


@contextmanager
def open_binary(source: Source) -> Iterator[IO[bytes]]:
    """The file's bytes, decompressed as its name says.

    Raises:
        DataError: the file cannot be opened, or its compressed data is damaged.
    """
    try:
        with _opened(source.path) as file:
            yield file
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise source.error(f"cannot be read: {error}") from error


@contextmanager
def open_text(source: Source, *, encoding: str, newline: str) -> Iterator[TextIO]:
    """The file as text; a byte-order mark is left out, line ends stay as they are.

    Raises:
        DataError: a line is not in that encoding, or the file cannot be read.
    """
    name = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
    try:
        with (
            open_binary(source) as file,
            io.TextIOWrapper(file, encoding=name, newline=newline) as text,
        ):
            yield text
    except LookupError as error:
        raise DataError(f"unknown encoding {encoding!r}", key="encoding") from error
    except UnicodeDecodeError:
        raise _not_decodable(source, encoding) from None


def check_same_columns(first: Source, names: list[str], source: Source, found: list[str]) -> None:
    """Raise unless a later file of a split has the columns of the first."""
    if set(names) != set(found):
        raise source.error(
            f"its columns {_listed(found)} are not those of {first.name}, {_listed(names)}"
        )


def named(
    usual: Mapping[str, str | Iterable[str] | None],
    others: Mapping[str, str | Iterable[str]] | None,
    *,
    format: str,
    endings: Collection[str] = FORMATS,
) -> dict[str, list[Source]]:
    """The files of each split, from the parameters `train`, `valid`, `test` and from `files`.

    Raises:
        DataError: no file is named, a split twice, or as `sources`.
    """
    others = others or {}
    twice = [name for name in others if usual.get(name) is not None]
    if twice:
        raise DataError(f"the split {twice[0]!r} is named twice", key="files")
    keys = {split: split for split in usual} | dict.fromkeys(others, "files")
    found = {
        split: sources(value, key=keys[split], format=format, endings=endings)
        for split, value in {**usual, **others}.items()
        if value is not None
    }
    if not found:
        raise DataError("no file is named", hint="set train, valid, test or files")
    return found


def _paths(text: str, key: str, endings: Collection[str]) -> list[Path]:
    path = Path(text)
    if path.is_file():
        return [path]
    if path.is_dir():
        return _in_folder(path, key, endings)
    if glob.has_magic(text):
        found = [Path(p) for p in glob.glob(text, recursive=True) if Path(p).is_file()]
        if not found:
            raise DataError(f"no file matches {text!r}", key=key)
        return found
    raise DataError(f"there is no file {text!r}", key=key, hint=_nearest(path))


def _in_folder(folder: Path, key: str, endings: Collection[str]) -> list[Path]:
    """The data files below a folder; hidden ones are left out."""
    files = [
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    ]
    found = [path for path in files if _ending(path) in endings]
    if not found:
        raise DataError(
            f"the folder {str(folder)!r} has no data files", key=key, hint=_known_endings(endings)
        )
    return found


def _nearest(path: Path) -> str | None:
    if not path.parent.is_dir():
        return f"its folder {str(path.parent)!r} does not exist"
    near = did_you_mean(path.name, [p.name for p in path.parent.iterdir() if p.name[0] != "."])
    return near if near.startswith("did") else None


def _format(path: Path, key: str) -> str:
    ending = _ending(path)
    if ending not in FORMATS:
        raise DataError(
            f"the name {path.name!r} does not say what the file holds",
            key=key,
            hint=f"set format; {_known_endings(FORMATS)}",
        )
    return FORMATS[ending]


def _ending(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _known_endings(endings: Collection[str]) -> str:
    return f"known endings: {', '.join(endings)}, each also with {', '.join(COMPRESSED)}"


def _opened(path: Path) -> IO[bytes]:
    match path.suffix.lower():
        case ".gz":
            # In large pieces: `gzip` alone hands on 8 kB at a time.
            return cast(IO[bytes], io.BufferedReader(gzip.open(path), 1 << 20))
        case ".bz2":
            return bz2.open(path)
        case ".xz":
            return lzma.open(path)
        case ".zst":
            import pyarrow as pa

            stream = pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")
            return io.BufferedReader(stream, 1 << 20)
    return path.open("rb")


def _not_decodable(source: Source, encoding: str) -> DataError:
    """The first line that is not in the encoding, with its number."""
    with open_binary(source) as file:
        for number, line in enumerate(file, start=1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError as error:
                seen = line[max(0, error.start - 15) : error.end + 15].decode("cp1252", "replace")
                message = f"not {encoding} (read as Windows-1252 it has {seen.strip()!r})"
                return source.error(message, line=number, hint="set encoding, or convert the file")
    return source.error(f"not {encoding}", hint="set encoding, or convert the file")


def _listed(names: list[str]) -> str:
    return f"({', '.join(names)})"
