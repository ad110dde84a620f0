"""Quarantine: where what is damaged goes, out of everybody's way but there for a look."""

from __future__ import annotations

import itertools
import os
from contextlib import suppress
from pathlib import Path

from mlrecipe.store import files
from mlrecipe.store.layout import Layout


def move(path: Path, paths: Layout) -> Path:
    """Move an object's folder or a record's file to the quarantine; returns where it is now.

    Raises:
        FileNotFoundError: it is gone already.
        OSError: it may not be moved.
    """
    files.make_folder(paths.quarantine)
    place = _free(path, paths.quarantine)
    os.rename(path, place)
    with suppress(OSError):
        os.utime(place)  # from now on it is kept for a while
    files.sync_folder(path.parent)
    files.sync_folder(paths.quarantine)
    return place


def holds(name: str, paths: Layout) -> bool:
    """Whether an object or a record of this name was moved to the quarantine, and is there still."""
    try:
        return any(found.startswith(f"{name}-") for found in os.listdir(paths.quarantine))
    except OSError:
        return False


def put_back(place: Path, path: Path) -> None:
    """Undo a `move`, unless the name is taken by now."""
    with suppress(OSError):
        os.rename(place, path)
        files.sync_folder(path.parent)


def _free(path: Path, folder: Path) -> Path:
    """`<digest>-1`, or the next number: one file may be damaged more than once."""
    names = (folder / f"{path.stem}-{n}{path.suffix}" for n in itertools.count(1))
    return next(name for name in names if not name.exists())
