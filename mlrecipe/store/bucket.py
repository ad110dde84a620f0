"""Buckets: folders elsewhere, behind any protocol of fsspec; a file in them is whole or not there."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mlrecipe.errors import RequestError, StoreError, did_you_mean
from mlrecipe.store import files

Piece = tuple[str, int, int]
"""Name of a file, and where in it a run of bytes begins and ends."""

# An upload to one of these shows only once it is complete; other protocols write bit by bit.
_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"})

_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
"""Protocol → extra of mlrecipe that installs what it needs."""

_UPLOADS = "v1/uploads"
_FORGOTTEN = 2 * 86_400
"""Seconds after which nobody writes to a draft any more."""


class Bucket:
    """The folder that a URL or a path names. Making one asks no network yet, for most protocols.

    Names of files are relative, with slashes.

    Raises:
        RequestError: the URL is none, or a package is missing for it.
        StoreError: there is no getting there.
    """

    def __init__(self, url: str) -> None:
        self.shown = re.sub(r"//[^/]*@", "//…@", url)
        """The URL without a password."""
        self._fs, self._root = _opened(url, self.shown)
        kinds = self._fs.protocol
        self._is_whole = not _WHOLE.isdisjoint([kinds] if isinstance(kinds, str) else kinds)
        self._is_local = bool(getattr(self._fs, "local_file", False))

    def names(self) -> set[str]:
        """Names of the files and folders at the top."""
        with self._asking("list"), suppress(FileNotFoundError, NotADirectoryError):
            self._fs.invalidate_cache()
            found = self._fs.ls(self._root, detail=False)
            return {path.rstrip("/").rpartition("/")[2] for path in found}
        return set()

    def sizes(self, folder: str) -> dict[str, int]:
        """Name, relative to the folder, → size of each file below it."""
        place = self._at(folder)
        with self._asking("list"), suppress(FileNotFoundError, NotADirectoryError):
            self._fs.invalidate_cache()
            found = self._fs.find(place, detail=True)
            return {name[len(place) + 1 :]: info["size"] for name, info in found.items()}
        return {}

    def read(self, name: str, limit: int) -> bytes | None:
        """The first bytes of a file, at most `limit`; None if there is none."""
        place = self._at(name)
        with self._asking("read"), suppress(FileNotFoundError, NotADirectoryError):
            try:
                return bytes(self._fs.cat_file(place, start=0, end=limit))
            except (FileNotFoundError, NotADirectoryError):
                raise
            except Exception:  # some servers give no range of an empty file
                if self._fs.info(place)["size"] != 0:
                    raise
                return b""
        return None

    def ranges(self, pieces: Sequence[Piece]) -> list[bytes | None]:
        """The bytes of each piece, asked for at once where the protocol can; None for one that is gone."""
        paths, starts, ends = [], [], []
        for name, start, end in pieces:
            paths.append(self._at(name))
            starts.append(start)
            ends.append(end)
        with self._asking("read"):
            found = self._fs.cat_ranges(paths, starts, ends, on_error="return")
            for item in found:
                if isinstance(item, Exception) and not isinstance(item, FileNotFoundError):
                    raise item
        return [None if isinstance(item, Exception) else bytes(item) for item in found]

    def put(self, path: Path, name: str) -> None:
        """Upload a file, in place of one that is there."""
        with self._asking("write to"):
            if self._is_whole:
                self._fs.put_file(str(path), self._at(name))
                return
            with self._drafted(name) as draft:
                self._fs.put_file(str(path), draft)

    def write(self, data: bytes, name: str) -> None:
        """Write a small file, in place of one that is there."""
        with self._asking("write to"):
            if self._is_whole:
                self._fs.pipe_file(self._at(name), data)
                return
            with self._drafted(name) as draft:
                self._fs.pipe_file(draft, data)

    def create(self, data: bytes, name: str) -> None:
        """Write a small file unless there is one: of several who try, the first stays where that can be had."""
        place = self._at(name)
        with self._asking("write to"):
            if self._is_local:
                with self._drafted() as draft:
                    self._fs.pipe_file(draft, data)
                    self._settle(draft)
                    self._fs.makedirs(os.path.dirname(place), exist_ok=True)
                    files.link_new(Path(draft), Path(place))
                files.sync_folder(Path(place).parent)
                return
            if self._is_whole:
                with suppress(Exception):  # it is there, or the server does not know conditions
                    self._fs.pipe_file(place, data, mode="create")
            self._fs.invalidate_cache()
            if self._fs.exists(place):
                return
        self.write(data, name)

    def tidy(self) -> None:
        """Remove what uploads that were killed long ago left."""
        if self._is_whole:
            return
        with self._asking("write to"):
            for name in self.sizes(_UPLOADS):
                begun = name.partition("-")[0]
                if begun.isdigit() and int(begun) < time.time() - _FORGOTTEN:
                    with suppress(FileNotFoundError):
                        self._fs.rm_file(self._at(f"{_UPLOADS}/{name}"))

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextmanager
    def _drafted(self, name: str = "") -> Iterator[str]:
        """A path to write a file to; at the end of the block it is moved to its name, if it has one."""
        draft = self._at(f"{_UPLOADS}/{int(time.time())}-{secrets.token_hex(16)}")
        self._fs.makedirs(os.path.dirname(draft), exist_ok=True)
        try:
            yield draft
            if name:
                self._settle(draft)
                self._fs.makedirs(os.path.dirname(self._at(name)), exist_ok=True)
                self._fs.mv(draft, self._at(name))
                if self._is_local:
                    files.sync_folder(Path(self._at(name)).parent)
        finally:
            with suppress(Exception):
                if self._fs.exists(draft):
                    self._fs.rm_file(draft)

    def _settle(self, draft: str) -> None:
        """Have the kernel put a file on the disk, where it is this machine's to do."""
        if self._is_local:
            with open(draft, "rb") as file:
                os.fsync(file.fileno())

    @contextmanager
    def _asking(self, verb: str) -> Iterator[None]:
        """Turns what a protocol's package says of a failure into a `StoreError`."""
        try:
            yield
        except Exception as error:  # a protocol is anybody's code
            raise StoreError(
                f"cannot {verb} the remote {self.shown!r}: {_reason(error)}"
            ) from error


def _opened(url: str, shown: str) -> tuple[Any, str]:
    """The file system of a URL, and the folder in it."""
    from fsspec import available_protocols
    from fsspec.core import url_to_fs

    protocol = url.partition("://")[0] if "://" in url else ""
    if not protocol and "::" not in url:
        url = f"file://{Path(url).expanduser().absolute()}"
    try:
        fs, root = url_to_fs(url)
    except ImportError as error:
        extra = _EXTRAS.get(protocol)
        hint = f"pip install 'mlrecipe[{extra}]'" if extra else str(error)
        raise RequestError(
            f"remote {shown!r}: a package for {protocol}:// is missing", hint=hint
        ) from error
    except ValueError as error:
        known = available_protocols()
        if protocol and protocol not in known:
            raise RequestError(
                f"remote {shown!r}: {protocol!r} is no protocol", hint=did_you_mean(protocol, known)
            ) from error
        raise RequestError(f"remote {shown!r} cannot be understood: {error}") from error
    except Exception as error:  # a protocol is anybody's code
        raise StoreError(f"cannot reach the remote {shown!r}: {_reason(error)}") from error
    if not root.strip("/"):
        raise RequestError(f"remote {shown!r} names no folder", hint=f"such as {shown}/results")
    return fs, root.rstrip("/")


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())
