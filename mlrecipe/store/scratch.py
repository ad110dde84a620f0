"""Temporary folders that are known to be left over as soon as their process is dead."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlrecipe.store import locks

_LOCK = ".lock"

_taken: set[Path] = set()
"""Folders that this process has taken and not given back."""


def take(parent: Path) -> tuple[Path, int]:
    """A new empty folder, and the handle of the lock beside it that says it is in use."""
    folder = parent / f"{os.getpid()}-{os.urandom(8).hex()}"
    handle = locks.wait(_lock(folder))
    os.mkdir(folder)
    _taken.add(folder)
    return folder, handle


def give_back(folder: Path, handle: int) -> None:
    """Remove the folder, then its lock."""
    _taken.discard(folder)
    if locks.is_held(handle):
        _remove(folder)
        locks.release(_lock(folder), handle)


def is_in(path: Path) -> bool:
    """Whether the path is in a folder that this process has taken, and so will be removed soon."""
    return not _taken.isdisjoint(path.parents)


@contextmanager
def folder(parent: Path) -> Iterator[Path]:
    """An empty folder for the length of the block."""
    path, handle = take(parent)
    try:
        yield path
    finally:
        give_back(path, handle)


def tidy(parent: Path) -> None:
    """Remove what dead processes left, however young; what a living one uses stays, however old."""
    for path in {parent / entry.name.removesuffix(_LOCK) for entry in parent.iterdir()}:
        handle = locks.take(_lock(path))
        if handle is not None:
            give_back(path, handle)


def _lock(path: Path) -> Path:
    return path.with_name(path.name + _LOCK)


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # if it is empty, as a rule: that is ten times as quick
        os.rmdir(path)
        return
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
