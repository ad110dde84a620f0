"""Locks of the kernel, which frees them when their holder dies."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from mlrecipe.store import handles


def take(path: Path) -> int | None:
    """A handle on the locked file, or None when another holds it, be it by a lease."""
    handle = handles.open_file(path)
    if _locked(handle) and handles.is_at(handle, path) and not _is_leased(path, handle):
        _sign(handle)
        return handle
    handles.close(handle)
    return None


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        handles.close(handle)
        raise
    return True


def _is_leased(path: Path, handle: int) -> bool:
    """Whether a process that cannot use the kernel's locks here may have it."""
    if not os.fstat(handle).st_size:  # as a rule: the file was made just now
        return False
    text = handles.read(path)
    from mlrecipe.store import leases

    return leases.is_lease(text) and not leases.is_over(path, text)


def _sign(handle: int) -> None:
    with contextlib.suppress(OSError):  # a full disk: the lock holds all the same
        os.ftruncate(handle, 0)
        os.pwrite(handle, handles.signature().encode(), 0)
