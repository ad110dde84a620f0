"""What other processes do in the tests of removal: `python -m tests.store.removals WHAT STORE …`."""

from __future__ import annotations

import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from mlrecipe.errors import StoreError
from mlrecipe.store import Record, Store, gc, verify
from mlrecipe.store.gc import Limits, Roots
from mlrecipe.store.usage import Census
from tests.store.pages import Pages, computation, fingerprint
from tests.store.power import Disk

NOW = Limits(grace=0.0)
WORDS = [Pages({"a.txt": word * 200, "part/b.txt": word}) for word in ("one", "two", "three")]


def nothing(_: Census) -> Roots:
    """No roots: only what is in use stays."""
    return Roots()


def use(store: Store, name: str) -> None:
    """Say that a result is in use, until the input is closed; then load it."""
    record = store.record(fingerprint(name))
    assert record is not None
    with store.using([record]) as is_there:
        say(str(is_there))
        sys.stdin.read()
        say(type(store.load(record)).__name__)


def publish_often(store: Store, number: str, times: str) -> None:
    """Publish equal outputs of computations of one's own, and load each; say how many failed."""
    say("ready")
    sys.stdin.read()
    failures = 0
    for turn in range(int(times)):
        value = WORDS[turn % len(WORDS)]
        with store.using([]):
            record = store.publish(value, computation(f"{number}:{turn % 6}"))
            failures += not _is(store, record, value)
    say(str(failures))


def _is(store: Store, record: Record, value: Pages) -> bool:
    """Whether the value can be loaded, before and after another look."""
    try:
        return store.load(record) == value and store.damage(record) == ""
    except StoreError:
        return False


def collect_often(store: Store) -> None:
    """Remove whatever nobody uses, again and again, until the input is closed; say how much that was."""
    removed = 0
    say("ready")
    while not select.select([0], [], [], 0)[0]:
        removed += len(gc.collect(store, nothing, NOW)[1].doomed)
    say(str(removed))


def die_in_gc(store: Store, kind: str) -> None:
    """Be killed in a collection at each point in a new store below this one; say how many there are."""
    for point in range(1, 1000):
        child = os.fork()
        if child == 0:
            below = Store(store.root / str(point))
            _fill(below)
            left = [point]

            def before(_: Disk, left: list[int] = left) -> None:
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

            Disk(below.root, before)
            gc.collect(below, _all_but("third") if kind == "some" else nothing, NOW)
            os._exit(0)
        if os.waitpid(child, 0)[1] == 0:
            say(str(point - 1))
            return


def cut_power(store: Store, seeds: str) -> None:
    """Cut the power at each point of some work in a new store; say how many cuts were made.

    What is left goes to `left/<point>-<seed>` beside the store.
    """
    store.root.mkdir(parents=True)
    (store.root / "left").mkdir()
    for point in range(1, 10_000):
        child = os.fork()
        if child == 0:
            os._exit(_cut(store.root, point, int(seeds)))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        assert code in (0, 3), code
        if code == 0:
            say(str(point))
            return


def _cut(root: Path, point: int, seeds: int) -> int:
    below = Store(root / f"store-{point}" / "store")
    below.root.parent.mkdir()
    left = [point]

    def cut(disk: Disk) -> None:
        disk.restore()
        for seed in range(seeds):
            disk.cut(root / "left" / f"{point}-{seed}", seed * 1000 + point)

    def before(disk: Disk) -> None:
        left[0] -= 1
        if left[0] == 0:
            try:
                cut(disk)
            except BaseException:  # noqa: BLE001  the code that is followed may swallow it
                traceback.print_exc()
                os._exit(1)
            os._exit(3)

    disk = Disk(below.root.parent, before)
    _fill(below)
    gc.collect(below, _all_but("third"), NOW)
    below.publish(WORDS[2], computation("third"))
    below.publish(WORDS[0], computation("first"), replace=True)
    cut(disk)
    return 0


def _fill(store: Store) -> None:
    """Three outputs of four computations, one of them small."""
    store.publish(WORDS[0], computation("first"))
    store.publish(WORDS[0], computation("second"))
    store.publish(WORDS[2], computation("third"))
    store.publish("small", computation("fourth"))


def _all_but(name: str) -> Callable[[Census], Roots]:
    def find(found: Census) -> Roots:
        return Roots(records=dict.fromkeys(found.entries.keys() - {fingerprint(name)}, "needed"))

    return find


def damage(root: Path) -> list[str]:
    """What is wrong with a store."""
    store = Store(root)
    found = [f"{f.kind} {f.name}: {f.problem}" for f in verify.verify(store).findings]
    store.close()
    return found


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


if __name__ == "__main__":
    globals()[sys.argv[1]](Store(Path(sys.argv[2])), *sys.argv[3:])
