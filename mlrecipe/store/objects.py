"""Objects: folders of immutable files, named by a hash of what is in them.

An object's folder holds `manifest.json` and, in `data/`, the files that a format wrote. The digest
is the hash of the manifest, which has the format's name and each file's path, size and hash.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlrecipe.errors import StoreError
from mlrecipe.interfaces import Digest
from mlrecipe.store import files

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

    from mlrecipe.store.hashing import Written

MANIFEST = "manifest.json"
DATA = "data"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A whole object, not yet at its place."""

    digest: Digest
    bytes: int
    """Size of the files in `data/`."""


def digest_text(text: str) -> Digest:
    """The digest of a value that is kept in its record as JSON text; never that of a folder."""
    return _digest(b"value", text.encode("utf-8", "surrogatepass"))


def digest_manifest(manifest: bytes) -> Digest:
    """The digest of the object whose `manifest.json` has these bytes."""
    return _digest(b"object", manifest)


def seal(folder: Path, format_name: str, written: Written | None = None) -> Sealed:
    """Hash `folder/data`, put it on the disk, make it read-only and write the manifest beside it.

    Files in `written` were hashed while they were written; others are read again, in a thread, while the
    kernel puts them on the disk.

    Raises:
        StoreError: there is something in `data/` that is neither a file nor a folder.
    """
    from concurrent.futures import ThreadPoolExecutor  # not where the store is only read

    data = folder / DATA
    with ThreadPoolExecutor(1) as beside:
        files_ = {
            path.relative_to(data).as_posix(): _seal_file(path, written or {}, beside)
            for path in _walk(data)
        }
        listing = {name: (size, digest()) for name, (size, digest) in files_.items()}
    manifest = _manifest(format_name, listing)
    files.write(folder / MANIFEST, manifest)
    files.sync_folder(folder)
    size = sum(size for size, _ in listing.values())
    return Sealed(_digest(b"object", manifest), size)


def accept(folder: Path, manifest: bytes) -> None:
    """Put `folder/data` on the disk, read-only, with the manifest that its files were compared with."""
    for path in _walk(folder / DATA):
        _settle(path)
    files.write(folder / MANIFEST, manifest)
    files.sync_folder(folder)


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
    from mlrecipe.store import hashing

    try:
        for name, (_, expected) in _read_manifest(folder, digest).items():
            if hashing.read(folder / DATA / name) != expected:
                return f"{name} has other bytes than were written"
    except (OSError, ValueError) as error:
        return _reason(error)
    return ""


def names_in(folder: Path) -> frozenset[str]:
    """What the manifest has in a folder of an object: its files, and its folders that have files.

    Outside of an object it is what there is.
    """
    for data in (folder, *folder.parents):
        if data.name == DATA and (data.parent / MANIFEST).is_file():
            start = folder.relative_to(data).parts
            listed = json.loads((data.parent / MANIFEST).read_bytes())["files"]
            found = (tuple(name.split("/")) for name in listed)
            return frozenset(n[len(start)] for n in found if n[: len(start)] == start)
    return frozenset(os.listdir(folder))


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


def _settle(path: Path) -> None:
    """Make a file read-only and have the kernel put it on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fchmod(handle, stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        os.fsync(handle)
    finally:
        os.close(handle)


def _seal_file(
    path: Path, written: Written, beside: ThreadPoolExecutor
) -> tuple[int, Callable[[], str]]:
    """Size and coming hash of a file, which from now on is read-only and on the disk."""
    from mlrecipe.store import hashing

    handle = os.open(path, os.O_RDONLY)
    try:
        known = written.get(os.fspath(path))
        if known is not None and known.is_of(handle):
            digest = known.hexdigest
        else:
            digest = beside.submit(hashing.read, path).result
        os.fchmod(handle, stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH)
        os.fsync(handle)
        return os.fstat(handle).st_size, digest
    finally:
        os.close(handle)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{os.path.basename(error.filename)} is missing"
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
