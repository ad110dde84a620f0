"""Files and folders that are still there after a power cut."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path


def make_folder(folder: Path) -> None:
    """Make the folder and its parents; does nothing when it is there."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Have the kernel write the folder's names to the disk."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a parent of the store that others may not list
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write(path: Path, data: bytes) -> None:
    """Write a new read-only file and have the kernel put it on the disk."""
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fchmod(file.fileno(), 0o444)
        os.fsync(file.fileno())


def link_new(draft: Path, place: Path) -> bool:
    """Give a whole file its final name instead of its own, unless that is taken; says whether it was free."""
    try:
        os.link(draft, place)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK):
            raise
        if place.exists():
            return False
        os.rename(draft, place)  # a file system without links: the last of two writers wins
    else:
        with contextlib.suppress(OSError):  # two names are no harm
            os.unlink(draft)
    return True
