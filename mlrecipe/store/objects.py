"""Objects: folders of immutable files, named by a hash of what is in them.

An object's folder holds `manifest.json` and, in `data/`, the files that a format wrote. The digest
is the hash of the manifest, which has the format's name and each file's path, size and hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlrecipe.errors import StoreError
from mlrecipe.interfaces import Digest
from mlrecipe.store import files

MANIFEST = "manifest.json"
DATA = "data"

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Sealed:
    """A whole object, not yet at its place."""

    digest: Digest
    bytes: int
    """Size of the files in `data/`."""


def digest_text(text: str) -> Digest:
    """The digest of a value that is kept in its record as JSON text; never that of a folder."""
    return _digest(b"value", text.encode("utf-8", "surrogatepass"))


def seal(folder: Path, format_name: str) -> Sealed:
    """Hash `folder/data`, put it on the disk, make it read-only and write the manifest beside it.

    Raises:
        StoreError: there is something in `data/` that is neither a file nor a folder.
    """
    data = folder / DATA
    listing = {path.relative_to(data).as_posix(): _seal_file(path) for path in _walk(data)}
    manifest = _manifest(format_name, listing)
    files.write(folder / MANIFEST, manifest)
    files.sync_folder(folder)
    size = sum(size for size, _ in listing.values())
    return Sealed(_digest(b"object", manifest), size)


def damage(folder: Path, digest: Digest) -> str:
    """What is wrong with the object as far as names and sizes tell; empty when nothing is."""
    try:
        manifest = _read_manifest(folder, digest)
        for name, (size, _) in manifest.items():
            if os.lstat(f"{folder}/{DATA}/{name}").st_size != size:
                return f"{name} has not its {size} bytes"
    except (OSError, ValueError) as error:
        return _reason(error)
    return ""


def corruption(folder: Path, digest: Digest) -> str:
    """What is wrong with the object, every byte read again; empty when nothing is."""
    try:
        for name, (_, expected) in _read_manifest(folder, digest).items():
            with open(folder / DATA / name, "rb", buffering=0) as file:
                if _hash(file.fileno())[1] != expected:
                    return f"{name} has other bytes than were written"
    except (OSError, ValueError) as error:
        return _reason(error)
    return ""


def _digest(kind: bytes, data: bytes) -> Digest:
    return Digest(hashlib.sha256(b"mlrecipe " + kind + b"\0" + data).hexdigest())


def _manifest(format_name: str, listing: dict[str, tuple[int, str]]) -> bytes:
    content = {"files": listing, "format": format_name}
    return json.dumps(content, sort_keys=True, indent=1).encode()


def _read_manifest(folder: Path, digest: Digest) -> dict[str, tuple[int, str]]:
    """Path → size and SHA-256.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not the one that the digest names.
    """
    with open(f"{folder}/{MANIFEST}", "rb") as file:
        data = file.read()
    if _digest(b"object", data) != digest:
        raise ValueError(f"{MANIFEST} has other bytes than were written")
    listing: dict[str, tuple[int, str]] = json.loads(data)["files"]
    return listing


def _walk(folder: Path) -> Iterator[Path]:
    """Every file below the folder; each folder's names reach the disk after its files."""
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(Path(entry.path))
        elif entry.is_file(follow_symlinks=False):
            yield Path(entry.path)
        else:
            raise StoreError(f"a format wrote {entry.name!r}, which is neither a file nor a folder")
    files.sync_folder(folder)


def _seal_file(path: Path) -> tuple[int, str]:
    """Size and hash of a file, which from now on is read-only and on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        sealed = _hash(handle)
        os.fchmod(handle, stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        os.fsync(handle)
    finally:
        os.close(handle)
    return sealed


def _hash(handle: int) -> tuple[int, str]:
    """Size and SHA-256 of an open file, read once."""
    total = hashlib.sha256()
    size = 0
    while chunk := os.read(handle, _CHUNK):
        total.update(chunk)
        size += len(chunk)
    return size, total.hexdigest()


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{os.path.basename(error.filename)} is missing"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
