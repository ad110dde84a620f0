"""Kills a process at each moment at which it has changed the disk: `python -m tests.store.moments WHAT FOLDER`.

Looked at before each line of the store's code and of the format's, and before each call that changes the disk:
a file that is open and has not its last bytes yet is such a moment too. Each kill leaves a store at
`FOLDER/<number>/store`; how many is printed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import mlrecipe.store
from mlrecipe.store import Store, verify
from tests.store import child, pages
from tests.store.pages import BOOK, Pages, computation, fingerprint

FIRST = BOOK
SECOND = Pages({"a.txt": "other words", "part/b.txt": "second", "part/c.txt": ""})
OTHER = Pages({"a.txt": "of another computation"})

CALLS = ("mkdir", "fchmod", "fsync", "link", "rename", "unlink")
WATCHED = (str(Path(mlrecipe.store.__file__).parent), pages.__file__)


def publish(store: Store) -> None:
    """Make a store and publish pages."""
    store.publish(FIRST, computation())


def small(store: Store) -> None:
    """Make a store and publish what stays in its record."""
    store.publish("small", computation())


def replace(store: Store) -> None:
    """Publish other pages in the place of the first."""
    store.publish(SECOND, computation(), replace=True)


def verify_(store: Store) -> None:
    """Find a damaged object."""
    verify.verify(store)


WORK: dict[str, Callable[[Store], None]] = {
    "publish": publish, "small": small, "replace": replace, "verify": verify_,
}  # fmt: skip


def prepare(what: str, root: Path) -> Store:
    """The store as it is before."""
    store = Store(root)
    if what in ("replace", "verify"):
        store.publish(FIRST, computation())
        store.publish(OTHER, computation("other"))
    if what == "verify":
        record = store.record(fingerprint("clean"))
        assert record is not None
        path = store.object_folder(record.digest) / "a.txt"
        path.chmod(0o644)
        path.write_text("fIrst")
    store.close()
    return store


def watch(seen: Callable[[], None]) -> None:
    """Call `seen` before each watched line of this thread, and each call that changes the disk."""
    main = threading.get_ident()

    def told(call: Callable[..., Any]) -> Callable[..., Any]:
        def see_and_call(*args: Any, **options: Any) -> Any:
            if threading.get_ident() == main:
                seen()
            return call(*args, **options)

        return see_and_call

    for name in CALLS:
        setattr(os, name, told(getattr(os, name)))

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(WATCHED):
            return None
        seen()
        return trace

    sys.settrace(trace)


def moments(what: str, root: Path) -> list[int]:
    """Numbers of the lines before which the disk has changed."""
    store = prepare(what, root)
    changes: list[int] = []
    state, lines = look(root), 0

    def seen() -> None:
        nonlocal state, lines
        lines += 1
        now = look(root)
        if now != state:
            changes.append(lines)
            state = now

    watch(seen)
    WORK[what](store)
    sys.settrace(None)
    return changes


def die(what: str, root: Path, moment: int) -> None:
    """Work until that line."""
    store = prepare(what, root)
    left = [moment]

    def seen() -> None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    watch(seen)
    WORK[what](store)


def look(root: Path) -> list[tuple[str, int, int]]:
    """Names, sizes and modes of all below, but for the index: that is sqlite's own affair."""
    found = []
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if name != "index"]
        for name in [*names, *files]:
            about = os.lstat(os.path.join(folder, name))
            is_folder = name in names
            found.append((f"{folder}/{name}", 0 if is_folder else about.st_size, about.st_mode))
    return sorted(found)


def forked(work: Callable[[], object]) -> int:
    """Do something in a child; the status that it ends with."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(pid, 0)[1]


def swarm(root: Path, size: int) -> int:
    """Fork processes that all use a new store, another having its turn before each call; how many failed."""

    def delayed(call: Callable[..., Any], dice: random.Random) -> Callable[..., Any]:
        def wait_and_call(*args: Any, **options: Any) -> Any:
            time.sleep(dice.random() * 0.004)
            return call(*args, **options)

        return wait_and_call

    def work(number: int) -> int:
        dice = random.Random(number)
        for name in CALLS:
            setattr(os, name, delayed(getattr(os, name), dice))
        return child._use(Store(root), number)

    return child._fork(size, work)


def main(what: str, name: str) -> None:
    """Find the moments, then have a child die at each."""
    folder = Path(name)
    if what == "swarm":
        print(swarm(folder / "store", 64))
        return
    WORK[what](prepare(what, folder / "warm"))  # has everything imported
    told = folder / "moments"
    forked(lambda: told.write_text(json.dumps(moments(what, folder / "counted"))))
    points = json.loads(told.read_text())
    for number, moment in enumerate(points):
        root = folder / str(number) / "store"
        root.parent.mkdir()
        status = forked(lambda root=root, moment=moment: die(what, root, moment))  # type: ignore[misc]
        assert status == signal.SIGKILL, (number, moment, status)
    print(len(points))


if __name__ == "__main__":
    main(*sys.argv[1:])
