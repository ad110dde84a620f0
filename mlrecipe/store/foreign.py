"""What came from elsewhere: records and manifests that are checked before anything of them is used."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

from mlrecipe.errors import StoreError
from mlrecipe.interfaces import Fingerprint
from mlrecipe.registry import registries
from mlrecipe.store import objects, outputs, records
from mlrecipe.store.records import Record

RECORD_LIMIT = 16 << 20
"""Bytes that a record takes at most."""

MANIFEST_LIMIT = 64 << 20
"""Bytes that a manifest takes at most: that of some 400,000 files."""

_OURS = "mlrecipe.builtin."
_TREE = "tree.json"
"""In an object of a list or dict: what its parts are."""

_NAME_LIMIT = 255
"""Bytes of one name in a path that every file system takes."""


class Refused(Exception):
    """It is not what was written, or not what may come from elsewhere."""


Listing = Mapping[str, tuple[int, str]]
"""Path of a file in `data/` → its size and SHA-256."""


def record(data: bytes, fingerprint: Fingerprint, *, formats: Collection[str] = ()) -> Record:
    """The record in a file.

    Args:
        data: the file's bytes.
        fingerprint: the computation that was asked for.
        formats: formats of the project that are taken too; the built-in ones always are.

    Raises:
        Refused: it is none, that of another computation, one of a newer version, or its value is not what
            was written; or its format may hold code.
    """
    if len(data) > RECORD_LIMIT:
        raise Refused(f"its record has more than {RECORD_LIMIT:,} bytes")
    try:
        found = records.from_bytes(data)
    except (ValueError, RecursionError, StoreError) as error:
        raise Refused(f"its record cannot be read: {error}") from error
    if found.fingerprint != fingerprint:
        raise Refused("its record is that of another computation")
    _check_format(found.format, formats)
    if found.value is not None:
        _check_value(found.value, found)
    return found


def listing(manifest: bytes, record: Record) -> Listing:
    """The files of a record's object, from the bytes of its manifest.

    Raises:
        Refused: it is not the manifest that the digest names, or not one that `publish` writes: it leads out of
            its folder, or its sizes are not those of the record.
    """
    if len(manifest) > MANIFEST_LIMIT:
        raise Refused(f"{objects.MANIFEST} has more than {MANIFEST_LIMIT:,} bytes")
    if objects.digest_manifest(manifest) != record.digest:
        raise Refused(f"{objects.MANIFEST} has other bytes than were written")
    try:
        content = json.loads(manifest)
        files = {name: (size, digest) for name, (size, digest) in content["files"].items()}
        name_of_format = content["format"]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise Refused(f"{objects.MANIFEST} is no manifest") from error
    if name_of_format != record.format:
        raise Refused(f"its format is {name_of_format!r}, not {record.format!r} as its record says")
    for name, facts in files.items():
        _check_file(name, *facts)
    _check_folders(files)
    if sum(size for size, _ in files.values()) != record.bytes:
        raise Refused(f"it has not the {record.bytes:,} bytes that its record says")
    return files


def check_parts(
    data: Path, files: Collection[str], format_name: str, formats: Collection[str] = ()
) -> None:
    """Check the formats of the parts of a downloaded value: a list or dict may hold values of any.

    Raises:
        Refused: one of them may hold code, or is outside of the object.
    """
    folders = [""] if format_name in outputs.PLAIN_FORMATS else []
    while folders:
        folder = folders.pop()
        for place, name in _parts(data / f"{folder}{_TREE}") if folder + _TREE in files else ():
            _check_format(name, formats)
            if "/" in place or not _is_plain(place):
                raise Refused(f"{place!r} is no name of a part of it")
            if name in outputs.PLAIN_FORMATS:
                folders.append(f"{folder}{place}/")


def _parts(tree: Path) -> Iterator[tuple[str, str]]:
    """Folder and format of each part that has a folder of its own."""
    try:
        waiting = [json.loads(tree.read_bytes())]
    except (ValueError, RecursionError):  # nothing can be loaded from it
        return
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict) and "format" in node:
            with suppress(TypeError, ValueError):
                place, name = node["format"]
                yield str(place), str(name)
        if isinstance(node, (dict, list)):
            waiting += node.values() if isinstance(node, dict) else node


def _check_format(name: str, formats: Collection[str]) -> None:
    ours = {entry.name for entry in registries["format"] if entry.target.startswith(_OURS)}
    if name not in ours and name not in formats:
        raise Refused(
            f"its format {name!r} is none of mlrecipe's own, and loading it may run code; "
            "name it with --format to take it"
        )


def _check_value(text: str, record: Record) -> None:
    if len(text) > outputs.SMALL or objects.digest_text(text) != record.digest:
        raise Refused("its value is not what was written")


def _check_file(name: str, size: Any, digest: Any) -> None:
    if not all(_is_plain(part) for part in name.split("/")):
        raise Refused(f"{name!r} is no name of a file in it")
    is_size = type(size) is int and size >= 0
    if not (is_size and isinstance(digest, str) and records.is_hash(digest)):
        raise Refused(f"{objects.MANIFEST} has no size and hash of {name!r}")


def _is_plain(part: str) -> bool:
    """Whether it is the name of a file or folder, and of nothing else."""
    try:
        size = len(os.fsencode(part))
    except UnicodeEncodeError:
        return False
    return part not in (".", "..") and "\0" not in part and 0 < size <= _NAME_LIMIT


def _check_folders(files: Collection[str]) -> None:
    """No file is in the way of another's folder."""
    folders = {str(folder) for name in files for folder in PurePosixPath(name).parents}
    both = sorted(folders.intersection(files))
    if both:
        raise Refused(f"{both[0]!r} is a file and a folder")
