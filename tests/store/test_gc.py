"""Removing: what goes, what stays, and what is left when it is interrupted or raced."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import ClassVar

import pytest

import mlrecipe
from mlrecipe.errors import StoreError
from mlrecipe.store import Store, gc, pins, trash, usage
from mlrecipe.store.gc import Limits, Roots
from tests.store.pages import BOOK, Pages, PagesFormat, computation, fingerprint
from tests.store.removals import NOW, damage, nothing

HOUR = 3600.0


@pytest.fixture
def other(tmp_path):
    """Starts a process that does something of `tests.store.removals` with the test's store."""
    started = []
    project = Path(__file__).parents[2]

    def start(what, *rest, root=tmp_path / "store"):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.store.removals", what, str(root), *rest],
            cwd=project, env=os.environ | {"PYTHONPATH": str(project)}, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@pytest.fixture
def memory(tmp_path):
    """A folder in memory where there is one."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as name:
        yield Path(name)


class Watched(Pages):
    """Pages whose format tells when it is used."""


@mlrecipe.format("watched", types=(f"{__name__}.Watched",))
class WatchedFormat(PagesFormat):
    """Calls what a test has left for it, once."""

    at_load: ClassVar = []
    at_describe: ClassVar = []

    def load(self, folder):
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        while self.at_load:
            self.at_load.pop()()
        paths = [path for path in paths if path.is_file()]
        return Watched({path.relative_to(folder).as_posix(): path.read_text() for path in paths})

    def describe(self, value):
        while self.at_describe:
            self.at_describe.pop()()
        return super().describe(value)


def move_away(store, record):
    """What a gc does first."""
    store.paths.trash.mkdir(exist_ok=True)
    os.rename(store.paths.object(record.digest), store.paths.trash / f"{record.digest}.0123")


def book(name, size=1000):
    return Pages({f"{name}.txt": name[0] * size})


def publish(store, name, value=None, *, age=0.0, **changes):
    """Publish, so long ago."""
    record = store.publish(book(name) if value is None else value, computation(name, **changes))
    backdate(store, record, age)
    return record


def backdate(store, record, age):
    then = time.time() - age
    os.utime(store.paths.record(record.fingerprint), (then, then))
    if record.value is None:
        os.utime(store.paths.object(record.digest), (then, then))


def collect(store, find=nothing, **limits):
    return gc.collect(store, find, Limits(**{"grace": 0.0, **limits}))[1]


def names(decision):
    return [entry.record.op and entry.record.node for entry in decision.doomed]


def rooted(*kept):
    return lambda found: Roots(records={fingerprint(name): "needed" for name in kept})


def has(store, name):
    return store.record(fingerprint(name)) is not None


def test_what_is_no_root_goes_with_its_object(store):
    """The rest is untouched, and the freed bytes are those that the disk has gained."""
    publish(store, "kept")
    gone = publish(store, "gone")
    before = sum(usage.parts(store.paths).values()) - usage.size(store.paths.index)

    decision = collect(store, rooted("kept"))

    assert has(store, "kept")
    assert not has(store, "gone")
    assert not store.paths.object(gone.digest).exists()
    after = sum(usage.parts(store.paths).values()) - usage.size(store.paths.index)
    assert decision.freed == before - after > 1000
    assert decision.kept == {fingerprint("kept"): "needed"}
    assert list(store.paths.trash.iterdir()) == []


def test_a_survey_removes_nothing(store):
    """It says what `collect` would do."""
    publish(store, "gone")

    _, decision = gc.survey(store, nothing, NOW)

    assert names(decision) == ["clean"]
    assert has(store, "gone")


def test_an_object_stays_while_another_record_has_it(store):
    """Equal outputs share an object; only the record goes."""
    publish(store, "kept", BOOK)
    publish(store, "gone", BOOK)

    decision = collect(store, rooted("kept"))

    assert not has(store, "gone")
    assert store.load(store.record(fingerprint("kept"))) == BOOK
    assert decision.freed < 2000


def test_an_object_that_a_root_names_stays_without_its_record(store):
    """A run names digests; what computed them may have been replaced."""
    record = publish(store, "named")
    store.paths.record(record.fingerprint).unlink()

    collect(store, lambda found: Roots(objects={record.digest: "run x"}))

    assert store.load(record) == book("named")


@pytest.mark.parametrize(("grace", "stays"), [(HOUR, True), (60.0, False)])
def test_what_was_made_a_short_while_ago_stays(store, grace, stays):
    """By its own time, whatever the roots say."""
    publish(store, "young", age=600)

    decision = collect(store, grace=grace)

    assert has(store, "young") is stays
    assert list(decision.kept.values()) == ["young"] * stays


def test_what_was_loaded_a_short_while_ago_stays(store):
    """Loading is using."""
    record = publish(store, "old", age=10 * HOUR)
    store.load(record)

    collect(store, grace=HOUR)

    assert has(store, "old")


def test_older_than_leaves_what_was_used_since(store):
    """The last use counts, which finding it again is too."""
    publish(store, "old", age=40 * 24 * HOUR)
    used = publish(store, "used", age=40 * 24 * HOUR)
    publish(store, "new", age=10 * 24 * HOUR)
    store.note_use(used, recipe="other.toml", node="again")

    decision = collect(store, older_than=30 * 24 * HOUR)

    assert not has(store, "old")
    assert has(store, "used")
    assert has(store, "new")
    assert set(decision.kept.values()) == {"within the limits"}


def test_max_size_removes_what_was_used_longest_ago_until_it_fits(store):
    """Roots stay even so."""
    for age, name in enumerate("abcdef", start=1):
        publish(store, name, book(name, 100_000), age=age * HOUR)
    size = sum(usage.sizes(store).values())

    collect(store, rooted("f"), max_bytes=size - 150_000)

    assert [name for name in "abcdef" if has(store, name)] == ["a", "b", "c", "f"]
    assert sum(usage.sizes(store).values()) <= size - 150_000


def test_what_another_result_has_goes_before_what_was_used_longest_ago(store):
    """And no more than is needed."""
    for age, name in enumerate("cba", start=1):
        publish(store, name, book(name, 100_000), age=age * HOUR)
    size = sum(usage.sizes(store).values())

    decision = collect(
        store, lambda found: Roots(superfluous={fingerprint("c")}), max_bytes=size - 50_000
    )

    assert [entry.record.fingerprint for entry in decision.doomed] == [fingerprint("c")]


def test_nothing_is_removed_while_a_record_cannot_be_read(store):
    """What it needs cannot be told: its object looks like a leftover."""
    hidden = publish(store, "hidden", age=HOUR)
    publish(store, "other", age=HOUR)
    path = store.paths.record(hidden.fingerprint)
    os.rename(path, store.root / "away")
    path.symlink_to(path)

    for work in (collect, lambda store: gc.discard(store, [fingerprint("other")])):
        with pytest.raises(StoreError, match="until it can be read, nothing is removed"):
            work(store)

    path.unlink()
    os.rename(store.root / "away", path)
    assert has(store, "hidden")
    assert has(store, "other")


def test_sizes_are_those_of_a_store_that_nobody_has_open(store):
    """What gc says that a store takes is what anybody finds afterwards."""
    publish(store, "one", age=HOUR)

    _, decision = gc.survey(store, nothing, Limits(max_bytes=10**9))
    store.close()

    parts = usage.parts(store.paths)
    assert (decision.bytes, decision.index) == (sum(parts.values()), parts["index"])


def test_a_pinned_result_stays_until_it_is_unpinned(store):
    """Nothing else keeps it."""
    record = publish(store, "pinned")
    pins.pin(store, record.fingerprint)

    assert list(collect(store).kept.values()) == ["pinned"]

    pins.unpin(store, record.fingerprint)
    collect(store)
    assert not has(store, "pinned")


def test_leftovers_go_after_the_grace_period(store):
    """An object without a record, and what is in the quarantine."""
    record = publish(store, "left")
    store.paths.record(record.fingerprint).unlink()
    store.paths.quarantine.mkdir()
    (store.paths.quarantine / f"{record.digest}-1").mkdir()

    assert collect(store, grace=HOUR).garbage == []
    assert len(collect(store).garbage) == 2

    assert not store.paths.object(record.digest).exists()
    assert list(store.paths.quarantine.iterdir()) == []


def test_discard_takes_roots_too_but_nothing_that_others_have(store):
    """`cache rm` does what it is told."""
    publish(store, "kept", BOOK)
    publish(store, "shared", BOOK)
    gone = publish(store, "gone")

    gc.discard(store, [fingerprint("shared"), gone.fingerprint])

    assert store.load(store.record(fingerprint("kept"))) == BOOK
    assert not has(store, "shared")
    assert not store.paths.object(gone.digest).exists()


def test_store_42_what_a_living_process_uses_stays_until_it_ends(store, other):
    """Whatever the limits; when it is killed, nothing keeps it any more."""
    publish(store, "used", age=100 * HOUR)
    publish(store, "other", age=100 * HOUR)
    process = other("use", "used")
    assert process.stdout.readline() == "True\n"

    first = collect(store, max_bytes=0)
    second = gc.discard(store, [fingerprint("used")])[1]
    both_kept = [*first.kept.values(), *second.kept.values()]
    out, _ = process.communicate()

    assert both_kept == ["in use", "in use"]
    assert not has(store, "other")
    assert out == "Pages\n"
    assert collect(store).kept == {}

    publish(store, "used", age=100 * HOUR)
    process = other("use", "used")
    process.stdout.readline()
    process.kill()
    process.wait()
    assert collect(store).kept == {}


def test_using_says_when_an_output_is_gone_already(store):
    """Who is too late has to plan again."""
    record = publish(store, "gone")
    collect(store)

    with store.using([record]) as is_there:
        assert not is_there
    with store.using([publish(store, "gone")]) as is_there:
        assert is_there


def test_store_42_what_is_published_while_a_process_works_stays(store, other):
    """Also what other processes of it publish, which note nothing."""
    publish(store, "used", age=HOUR)
    process = other("use", "used")
    process.stdout.readline()
    publish(store, "fresh")

    decision = collect(store)

    assert decision.kept[fingerprint("fresh")] == "in use"
    process.communicate()


def test_store_42_publishing_races_with_gc(store, other):
    """Processes publish and load equal outputs while another removes all that nobody uses, without grace."""
    publishers = [other("publish_often", str(number), "60") for number in range(2)]
    collector = other("collect_often")
    for process in [*publishers, collector]:
        process.stdout.readline()
    for process in publishers:
        process.stdin.close()

    failures = [process.stdout.read().strip() for process in publishers]
    removed, _ = collector.communicate()

    assert failures == ["0", "0"]
    assert [process.wait() for process in [*publishers, collector]] == [0, 0, 0]
    assert int(removed) > 0 or not list(store.paths.records.glob("*/*"))
    assert damage(store.root) == []
    collect(store)
    assert list(store.paths.objects.glob("*/*")) == []


@pytest.mark.parametrize(("kind", "stays"), [("some", "first"), ("none", None)])
def test_store_42_a_killed_gc_leaves_every_visible_record_whole(other, memory, kind, stays):
    """At each point; the next collection finishes the work."""
    said, _ = other("die_in_gc", kind, root=memory).communicate()

    assert int(said) > 15
    for point in range(1, int(said) + 1):
        assert damage(memory / str(point)) == []
        store = Store(memory / str(point))
        collect(store, rooted("first"))
        assert list(store.paths.trash.iterdir() if store.paths.trash.exists() else []) == []
        assert {e.record.fingerprint for e in usage.census(store).entries.values()} <= {
            fingerprint("first")
        }
        assert has(store, "first") or kind == "none"
        store.close()


def test_store_42_what_is_published_again_after_the_decision_is_put_back(store):
    """The first look does not see it, the second does."""
    publish(store, "old", BOOK, age=HOUR)
    looks = []

    def find(_):
        if not looks:
            Store(store.root).publish(BOOK, computation("new"))
        looks.append(1)
        return Roots()

    decision = collect(store, find)

    assert len(looks) == 2
    assert [entry.record.fingerprint for entry in decision.doomed] == [fingerprint("old")]
    assert store.load(store.record(fingerprint("new"))) == BOOK


def test_store_42_what_is_noted_as_used_after_the_decision_is_put_back_with_its_record(store):
    """Both, and the decision says so."""
    record = publish(store, "old", age=HOUR)
    other = Store(store.root)
    uses = []

    with contextlib.ExitStack() as stack:

        def find(_):
            if not uses:
                uses.append(stack.enter_context(other.using([record])))
            return Roots()

        decision = collect(store, find)

    assert (decision.doomed, decision.freed) == ([], 0)
    assert decision.kept == {record.fingerprint: "in use"}
    assert store.record(record.fingerprint) == record


def test_store_42_an_object_that_is_on_its_way_out_can_still_be_used(store):
    """Whoever needs it takes it back."""
    record = publish(store, "taken")

    for use in (lambda: store.load(record), lambda: has(store, "taken")):
        move_away(store, record)
        assert use()

    assert list(store.paths.trash.iterdir()) == []


def test_store_42_a_value_read_while_its_object_is_moved_is_read_again(store):
    """Half of it may have been missing when the format listed its files."""
    value = Watched({"a.txt": "first", "part/b.txt": "second"})
    record = publish(store, "moved", value)
    WatchedFormat.at_load = [lambda: move_away(store, record)]

    assert store.load(record) == value
    assert WatchedFormat.at_load == []


def test_store_42_an_object_taken_before_the_record_names_it_is_there_again(store):
    """A publish that found it there has its own copy at hand until the record is written."""
    value = Watched({"a.txt": "first"})
    record = publish(store, "earlier", value)
    WatchedFormat.at_describe = [
        lambda: subprocess.run(["rm", "-r", str(store.paths.object(record.digest))], check=True)
    ]

    store.publish(value, computation("later"))

    assert WatchedFormat.at_describe == []
    assert store.load(store.record(fingerprint("later"))) == value


def test_an_object_left_in_the_trash_goes_back_if_a_record_has_it(store):
    """A gc was killed just as another process took the object up."""
    record = publish(store, "taken")
    move_away(store, record)

    trash.recover(store)

    assert store.paths.object(record.digest).is_dir()
    assert list(store.paths.trash.iterdir()) == []


@pytest.mark.long
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_store_48_after_a_power_cut_every_visible_record_verifies(other, memory):
    """Whatever was not synced may be lost, at each point of publishing, removing and publishing again."""
    said, _ = other("cut_power", "1", root=memory / "work").communicate()

    assert int(said) > 60
    left = sorted((memory / "work/left").iterdir())
    assert len(left) == int(said)
    stores = [path / "store" for path in left if (path / "store").is_dir()]
    assert {str(root): found for root in stores if (found := damage(root))} == {}
    seen = [len(list(root.glob("v1/records/*/*"))) for root in stores]
    assert max(seen) == 4


def test_store_50_a_store_of_a_newer_schema_is_neither_surveyed_nor_emptied(store):
    """The error says what to do."""
    publish(store, "kept")
    (store.root / "schema").unlink()
    (store.root / "schema").write_text("2\n")
    newer = Store(store.root)

    for call in (gc.survey, gc.collect):
        with pytest.raises(StoreError, match="schema 2, this mlrecipe knows 1"):
            call(newer, nothing, NOW)

    assert store.paths.record(fingerprint("kept")).exists()
