"""Folders that take a name whole: whoever looks finds the old one or the new one."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from functools import cache
from pathlib import Path
from typing import Any

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux


def exchange(first: Path, second: Path) -> None:
    """Let two folders change names, at once where the system can; `second` need not exist."""
    if not second.exists():
        os.rename(first, second)
        return
    if _swap(first, second):
        return
    between = second.with_name(f".{second.name}.old")
    shutil.rmtree(between, ignore_errors=True)
    os.rename(second, between)
    os.rename(first, second)
    os.rename(between, first)


def mend(target: Path) -> None:
    """Give a folder its name back that a kill between two renames took."""
    between = target.with_name(f".{target.name}.old")
    if between.is_dir() and not target.exists():
        os.rename(between, target)


def _swap(first: Path, second: Path) -> bool:
    rename = _renameat2()
    if rename is None:
        return False
    if rename(_HERE, os.fsencode(first), _HERE, os.fsencode(second), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP):  # the file system cannot
        return False
    raise OSError(number, os.strerror(number), str(first))


@cache
def _renameat2() -> Any:
    """The C library's function, or None where it has none."""
    try:
        return ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError, TypeError):
        return None
