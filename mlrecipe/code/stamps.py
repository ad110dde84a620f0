"""Stamps: what a file system says of a file, by which a remembered digest may be trusted."""

from __future__ import annotations

import os
import time
from pathlib import Path

RACY_NS = 2_000_000_000
"""A file changed less than this long before it was read may change again under the same stamp."""


def stamp(path: Path | str) -> str | None:
    """Device, inode, size, mtime and ctime of `path` as text; None when there is no such file.

    The ctime sees edits whose mtime was set back (bazelbuild/bazel#2674).
    """
    try:
        info = os.stat(path)
    except OSError:
        return None
    return f"{info.st_dev}:{info.st_ino}:{info.st_size}:{info.st_mtime_ns}:{info.st_ctime_ns}"


def is_settled(text: str, *, now: int | None = None) -> bool:
    """Whether a file of this stamp was last changed long enough ago for the stamp to be trusted."""
    mtime, ctime = (int(part) for part in text.rsplit(":", 2)[1:])
    return (now or time.time_ns()) - max(mtime, ctime) > RACY_NS
