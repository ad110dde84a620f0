"""Outputs: values on their way to the disk and back, small ones as text, all others as objects."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlrecipe.errors import MlrecipeError, StoreError
from mlrecipe.interfaces import Digest, Format
from mlrecipe.registry import registries
from mlrecipe.store import files, objects, values
from mlrecipe.store.layout import Layout
from mlrecipe.store.records import Record

SMALL = 32 * 1024
"""Bytes of JSON text up to which a value is kept in its record."""

# Formats that write plain values as canonical JSON text, and the one file that they then write.
_PLAIN_FORMATS = ("json", "mapping")
_PLAIN_FILE = "value.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A value as it is stored; the fields are those of its record."""

    digest: Digest
    format: str
    bytes: int
    value: str | None = None


def save(value: Any, name: str, format_: Format, *, draft: Path, paths: Layout) -> Output:
    """Write the value under `draft`, and move it to its place, if it is not for its record.

    Raises:
        OSError: the store cannot be written.
    """
    folder = draft / "object"
    data = folder / objects.DATA
    data.mkdir(parents=True)
    format_.save(value, data)
    text = _small_text(data) if name in _PLAIN_FORMATS else None
    if text is not None:
        digest = objects.digest_text(text)
        return Output(digest=digest, format=name, bytes=len(text.encode()), value=text)
    sealed = objects.seal(folder, name)
    _place(folder, paths.object(sealed.digest), sealed.digest, aside=draft / "damaged")
    return Output(digest=sealed.digest, format=name, bytes=sealed.bytes)


def damage(record: Record, paths: Layout) -> str:
    """What is wrong with the record's output at a glance; empty when nothing is."""
    if record.value is None:
        return objects.damage(paths.object(record.digest), record.digest)
    is_right = objects.digest_text(record.value) == record.digest
    return "" if is_right else "its text is not what was written"


def load(record: Record, paths: Layout) -> Any:
    """The value, new on each call.

    Raises:
        StoreError: it cannot be read.
    """
    if record.value is not None:
        return values.decode(record.value)
    folder = paths.object(record.digest) / objects.DATA
    try:
        return registries["format"].get(record.format)().load(folder)
    except MlrecipeError:
        raise
    except Exception as error:  # a format is anybody's code
        raise StoreError(
            f"format {record.format!r} cannot load the output of {record.node!r}: {error}",
            hint=f"its files are in {str(folder)!r}",
        ) from error


def _small_text(data: Path) -> str | None:
    """The JSON text that is all there is in a format's folder, if it is small."""
    path = data / _PLAIN_FILE
    if os.listdir(data) != [_PLAIN_FILE] or path.stat().st_size > SMALL:
        return None
    return path.read_bytes().decode()


def _place(folder: Path, place: Path, digest: Digest, *, aside: Path) -> None:
    """Move a whole object to its name; one that is there already stays, unless it is damaged."""
    files.make_folder(place.parent)
    try:
        os.rename(folder, place)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        if objects.corruption(place, digest):
            os.rename(place, aside)
            os.rename(folder, place)
    files.sync_folder(place.parent)
