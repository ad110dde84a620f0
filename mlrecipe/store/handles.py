"""The open files of locks: signed by their process, and not shared with its forked children."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

# A forked child shares its parent's locks and would keep them when that is killed: it closes them.
# The value is what has to end before the file may be closed.
_held: dict[int, Callable[[], None] | None] = {}


def open_file(path: Path, flags: int = 0) -> int:
    """A handle on the file, made if it is not there."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | flags, 0o644)
    _held[handle] = None
    return handle


def close(handle: int) -> None:
    """Let go of the file."""
    end = _held.pop(handle)
    if end is not None:
        end()
    os.close(handle)


def before_close(handle: int, end: Callable[[], None]) -> None:
    """Have `end` called before the file is closed: a number of a closed file may be another's."""
    _held[handle] = end


def is_held(handle: int) -> bool:
    """Whether this process has the file open; a forked child has none of its parent's."""
    return handle in _held


def is_at(handle: int, path: Path) -> bool:
    """Whether the open file still has that name: it is removed on release."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno == errno.ESTALE:  # what NFS says of a file that another host removed
            return False
        raise


def read(path: Path) -> str:
    """What is written in a lock's file; empty when nothing is, or there is no file."""
    with contextlib.suppress(OSError):
        return path.read_text(encoding="utf-8", errors="replace")
    return ""


def signature() -> str:
    """A line that tells people who holds a lock."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"pid {os.getpid()} on {os.uname().nodename} since {now}\n"


def _forget_in_child() -> None:
    for handle in _held:
        with contextlib.suppress(OSError):
            os.close(handle)
    _held.clear()


os.register_at_fork(after_in_child=_forget_in_child)
