"""Locks that the kernel frees when their holder dies, and that say who holds them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

POLL = 0.05
"""Seconds between two looks at a lock that another process holds."""

# A forked child shares its parent's locks and would keep them when that is killed: it closes them.
_held: set[int] = set()


def wait(path: Path, *, waiting: Callable[[str], None] | None = None) -> int:
    """A handle on the locked file, once no other holds it; its folder must exist.

    `waiting` is called with a description of each other holder that is waited for.
    """
    told = ""
    while (handle := take(path)) is None:
        name = holder(path)
        if waiting is not None and name and name != told:
            waiting(name)
            told = name
        time.sleep(POLL)
    return handle


def take(path: Path) -> int | None:
    """A handle on the locked file, or None when another holds it."""
    handle = _open(path)
    if _locked(handle) and _is_at(handle, path):
        _sign(handle)
        return handle
    _close(handle)
    return None


def release(path: Path, handle: int) -> None:
    """Free a lock, and remove its file so that locks do not pile up."""
    if not is_held(handle):
        return
    if _is_at(handle, path):
        with contextlib.suppress(OSError):
            os.unlink(path)
    _close(handle)


def is_held(handle: int) -> bool:
    """Whether this process has the lock; a forked child has none of its parent's."""
    return handle in _held


def tidy(folder: Path) -> None:
    """Remove the lock files of dead processes."""
    for path in folder.iterdir():
        handle = take(path)
        if handle is not None:
            release(path, handle)


def holder(path: Path) -> str:
    """Who holds the lock: `pid 12 on alpha since 2026-01-31 12:00:00 UTC`; empty when unknown."""
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace").strip()
    return ""


def _open(path: Path) -> int:
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    _held.add(handle)
    return handle


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        _close(handle)
        raise
    return True


def _is_at(handle: int, path: Path) -> bool:
    """Whether the open file still has that name: a holder removes the file on release."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False


def _sign(handle: int) -> None:
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    text = f"pid {os.getpid()} on {os.uname().nodename} since {now}\n"
    with contextlib.suppress(OSError):  # a full disk: the lock holds all the same
        os.ftruncate(handle, 0)
        os.pwrite(handle, text.encode(), 0)


def _close(handle: int) -> None:
    _held.discard(handle)
    os.close(handle)


def _forget_in_child() -> None:
    for handle in _held:
        with contextlib.suppress(OSError):
            os.close(handle)
    _held.clear()


os.register_at_fork(after_in_child=_forget_in_child)
