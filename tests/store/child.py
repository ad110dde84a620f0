"""What other processes do in the tests of the store: `python -m tests.store.child WHAT STORE …`.

Each says on its standard output how far it is, and waits for its standard input to be closed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlrecipe.events import listening
from mlrecipe.store import Store, index_choice
from tests.store.pages import BOOK, computation, fingerprint

CALLS = ("mkdir", "fchmod", "fsync", "link", "rename", "unlink")


def main(what: str, root: str, *rest: str) -> None:
    """Do one of the things below."""
    globals()[what](Store(Path(root)), *rest)


def publish(store: Store, value: str) -> None:
    """Publish a text for the computation `clean`, once the input is closed."""
    say("ready")
    sys.stdin.read()
    say(store.publish(value, computation()).value)


def load(store: Store) -> None:
    """Print what `clean` gave."""
    record = store.record(fingerprint("clean"))
    say(repr(store.load(record)) if record else "nothing")


def die_in_publish(store: Store, point: str, kind: str) -> None:
    """Publish, and be killed before the call number `point` that changes the disk."""
    left = [int(point)]

    def deadly(call: Callable[..., Any]) -> Callable[..., Any]:
        def die_or_call(*args: Any, **options: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **options)

        return die_or_call

    for name in CALLS:
        setattr(os, name, deadly(getattr(os, name)))
    store.publish(BOOK if kind == "book" else "small", computation())


def die_at_each_point(store: Store, kind: str) -> None:
    """Die in a publish in a new store below this one, at each point; say how many there are."""
    for point in range(1, 1000):
        child = os.fork()
        if child == 0:
            die_in_publish(Store(store.root / str(point)), str(point), kind)
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            say(str(point - 1))
            return


def hold(store: Store) -> None:
    """Hold the lock of `clean` until the input is closed."""
    with store.lock(fingerprint("clean"), "clean"):
        say(str(os.getpid()))
        sys.stdin.read()


def hold_named(store: Store, name: str) -> None:
    """Hold the lock of a computation, with a scratch folder, until the input is closed."""
    with store.scratch(), store.lock(fingerprint(name), name):
        say(str(os.getpid()))
        sys.stdin.read()


def hold_and_publish(store: Store, value: str) -> None:
    """Hold the lock of `clean` until the input is closed; publish a text, then leave."""
    with store.scratch() as folder, store.lock(fingerprint("clean"), "clean"):
        say(str(os.getpid()))
        sys.stdin.read()
        (folder / "part").write_text(value)
        say(store.publish(value, computation()).value)


def hold_with_child(store: Store) -> None:
    """Hold the lock of `clean`; a forked child, whose pid is said, lives on."""
    with store.lock(fingerprint("clean"), "clean"):
        child = os.fork()
        if child == 0:
            os.read(0, 1)
            os._exit(0)
        say(str(child))
        signal.pause()


def keep_scratch(store: Store) -> None:
    """Keep a scratch folder with a file in it until the input is closed."""
    with store.scratch() as folder:
        (folder / "half.txt").write_text("half")
        say(str(folder))
        sys.stdin.read()


def read_light(store: Store) -> None:
    """Read what `clean` gave and tidy up; say which modules that lock are there."""
    record = store.record(fingerprint("clean"))
    store.latest("imdb.toml", "clean")
    store.memo.get("key")
    store.tidy()
    assert record is not None
    say(str([name for name in ("flocks", "leases") if f"mlrecipe.store.{name}" in sys.modules]))


def index_modules(store: Store) -> None:
    """Publish and look up; say which index was imported."""
    assert store.has_own(store.publish("x", computation()).own)
    say(json.dumps({
        "diskcache": "diskcache" in sys.modules,
        "sqlite": "mlrecipe.store.sqlite_index" in sys.modules,
    }))  # fmt: skip


def fill_index(store: Store, size: str) -> None:
    """Fork processes that all set rows in an index in the store's place; say how many failed."""
    say(str(_fork(int(size), lambda number: _fill(store.root, number))))


def _fill(folder: Path, number: int) -> int:
    index = index_choice.open_(folder, inside=folder, make=lambda: None)
    for i in range(20):
        index.update({f"{number}:{i}": "x" * i})
    return 0 if index.get(f"{number}:0") == "" else 1


def swarm(store: Store, size: str) -> None:
    """Fork processes that all use the new store at once, and say how many failed."""
    say(str(_fork(int(size), lambda number: _use(store, number))))


def _fork(size: int, work: Callable[[int], int]) -> int:
    gate, opener = os.pipe()
    children = []
    for number in range(size):
        child = os.fork()
        if child == 0:
            os.close(opener)
            os.read(gate, 1)
            os._exit(work(number))
        children.append(child)
    os.close(opener)
    codes = [os.waitpid(child, 0)[1] for child in children]
    return sum(code != 0 for code in codes)


def _use(store: Store, number: int) -> int:
    store.memo.set("shared", "text")
    record = store.publish(number, computation(str(number)))
    found = store.record(fingerprint(str(number)))
    is_right = found == record and store.load(record) == number and store.has_own(record.own)
    return 0 if is_right else 1


def read_only(store: Store) -> None:
    """Use a store that this user may not write, and say what came out."""
    warm = Store(store.root.parent / "warm")  # imports everything while it may still be read
    warm.publish("x", computation())
    warm.memo.get("x")
    warm.load(warm.publish(BOOK, computation("book")))
    if os.geteuid() == 0:
        os.setuid(65534)
    record = store.record(fingerprint("clean"))
    assert record is not None
    store.memo.set("key", "text")
    latest = store.latest("imdb.toml", "clean")
    assert latest == record
    assert store.has_own(record.own)
    assert store.load(record) == BOOK
    try:
        store.publish("new", computation("new"))
    except Exception as error:  # noqa: BLE001  the test looks at what it was
        say(f"{type(error).__name__}: {error}")


def say(text: str | None) -> None:
    """Print a line at once."""
    print(text, flush=True)


if __name__ == "__main__":
    with listening(lambda event: print(event, file=sys.stderr)):
        main(*sys.argv[1:])
