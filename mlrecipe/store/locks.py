"""Locks that are free when their holder is dead, and that say who holds them.

They are the kernel's where those work, and leases where they do not or where other hosts do not see
them. Which of the two a store needs is found out when one is first taken.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlrecipe.interfaces import Memo
from mlrecipe.store import handles
from mlrecipe.store.handles import is_held

__all__ = ["holder", "is_held", "release", "remembering", "take", "tidy", "wait"]

POLL = 0.05
"""Seconds between two looks at a lock of the kernel that another process holds."""

# By the folder that has the folders of locks in it, so that a store is asked once.
_leased: dict[Path, bool] = {}


def wait(path: Path, *, waiting: Callable[[str], None] | None = None) -> int:
    """A handle on the locked file, once no other holds it; its folder must exist.

    `waiting` is called with a description of each other holder that is waited for.
    """
    handle = take(path)
    return _wait(path, waiting or _ignore) if handle is None else handle


def take(path: Path) -> int | None:
    """A handle on the locked file, or None when another holds it."""
    if _is_leased(path.parent):
        from mlrecipe.store import leases

        return leases.take(path)
    from mlrecipe.store import flocks

    return flocks.take(path)


def release(path: Path, handle: int) -> None:
    """Free a lock, and remove its file so that locks do not pile up."""
    if not is_held(handle):
        return
    with contextlib.suppress(OSError):
        if handles.is_at(handle, path):
            os.unlink(path)
    handles.close(handle)


def tidy(folder: Path) -> None:
    """Remove the lock files of dead processes."""
    for path in folder.iterdir():
        handle = take(path)
        if handle is not None:
            release(path, handle)


@contextmanager
def remembering(folder: Path, memo: Memo) -> Iterator[None]:
    """In the block, know what earlier processes of this host saw of leases in and beside `folder`."""
    from mlrecipe.store import probe

    if not probe.uses_leases(folder):
        yield
        return
    from mlrecipe.store import leases

    leases.recall(memo.get("leases") or "")
    yield
    if leases.sightings() != memo.get("leases"):
        memo.set("leases", leases.sightings())


def holder(path: Path) -> str:
    """Who holds the lock: `pid 12 on alpha since 2026-01-31 12:00:00 UTC`; empty when unknown."""
    return _name(handles.read(path))


def _is_leased(folder: Path) -> bool:
    found = _leased.get(folder.parent)
    if found is None:
        from mlrecipe.store import probe

        found = _leased[folder.parent] = probe.needs_leases(folder)
    return found


def _wait(path: Path, waiting: Callable[[str], None]) -> int:
    from mlrecipe.store import leases

    told, watch = "", leases.Watch()
    while (handle := take(path)) is None:
        text = handles.read(path)
        name = _name(text)
        if name and name != told:
            waiting(name)
            told = name
        is_lease = _is_leased(path.parent) or leases.is_lease(text)
        if is_lease and watch.is_silent(text):
            leases.break_(path, text)
        time.sleep(leases.PACE.poll if is_lease else POLL)
    return handle


def _name(text: str) -> str:
    return text.partition("\n")[0].strip()


def _ignore(name: str) -> None:
    """Waiting is nobody's concern."""
