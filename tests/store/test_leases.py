"""Leases: nobody waits for the dead, nobody takes from the living, and clocks do not matter."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
import time

import pytest

from mlrecipe.events import NodeWaiting
from mlrecipe.store import Store, flocks, handles, leases, locks, objects, scratch
from tests.store.pages import computation, fingerprint

CLEAN = fingerprint("clean")


@pytest.fixture
def leased(monkeypatch, pace):
    """Leases here and in other processes, quick ones."""
    monkeypatch.setenv("MLRECIPE_LOCKS", "lease")
    monkeypatch.setattr(leases, "_sightings", {})
    pace()


def lease_file(store, name="clean"):
    return store.root / "v1/locks" / fingerprint(name)


def beats(path):
    """How often the holder of a lease has written."""
    found = re.search(r"beat=(\d+)", handles.read(path))
    return int(found[1]) if found else 0


def until(condition):
    """Wait until something is true."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def write_lease(path, **changes):
    """Write the lease of this process, but for some words of it; say what is in the file."""
    text = leases._text() + "000000000001\n"
    for name, value in changes.items():
        text = re.sub(rf"\b{name}=\S+", f"{name}={value}", text)
    path.write_text(text)
    return text


class Clock:
    """A clock that is moved by hand."""

    now = 1000.0

    def __call__(self):
        return self.now


def test_store_33_a_holder_that_was_paused_too_long_goes_on_without_harm(
    store, child, pace, monkeypatch, heard
):
    """A waiter takes the lease over; both compute, the first record stands, nobody's lock is lost."""
    monkeypatch.setenv("MLRECIPE_LOCKS", "lease")
    pace(patience=0.5)
    holder = child("hold_and_publish", "late")
    pid = int(holder.stdout.readline())
    os.kill(pid, signal.SIGSTOP)

    with store.lock(CLEAN, "clean"):
        assert store.record(CLEAN) is None
        record = store.publish("first", computation())
        own = handles.read(lease_file(store))
        os.kill(pid, signal.SIGCONT)
        said, _ = holder.communicate("")
        assert handles.read(lease_file(store)).partition("nonce")[0] == own.partition("nonce")[0]

    assert holder.returncode == 0
    assert said.strip() == record.value
    assert [type(event) for event in heard] == [NodeWaiting]
    assert store.load(store.record(CLEAN)) == "first"
    for folder in (store.root / "v1/objects").glob("*/*"):
        assert objects.corruption(folder, folder.name) == ""
    store.tidy()
    assert [*(store.root / "v1/locks").iterdir(), *(store.root / "v1/tmp").iterdir()] == []


def test_store_34_clocks_a_day_apart_break_no_lease_and_remove_nothing(
    child, custom, leased, quick_folder, monkeypatch
):
    """Holders whose clocks are a day ahead or behind keep their leases as long as they beat."""
    store = Store(quick_folder / "store")
    store.publish("kept", computation("kept"))
    custom("import os, time; shift = float(os.environ.get('SHIFT', '0')) * 86_400")
    custom("now, now_ns = time.time, time.time_ns")
    custom("time.time, time.time_ns = lambda: now() + shift, lambda: now_ns() + int(shift * 1e9)")
    entered = []

    def wait(name):
        with Store(store.root).lock(fingerprint(name), name):
            entered.append(name)

    holders = []
    for name, shift in (("ahead", "1"), ("behind", "-1")):
        monkeypatch.setenv("SHIFT", shift)
        holders.append(child("hold_named", name, root=store.root))
        holders[-1].stdout.readline()
        for path in (store.root / "v1").rglob("*"):
            stamp = time.time() + float(shift) * 86_400
            os.utime(path, (stamp, stamp))
    monkeypatch.delenv("SHIFT")
    names = ["ahead", "behind"]
    waiters = [threading.Thread(target=wait, args=[name]) for name in names]
    for waiter in waiters:
        waiter.start()
    enough = 1.5 * leases.PACE.patience / leases.PACE.beat

    until(lambda: all(beats(lease_file(store, name)) > enough for name in names))
    store.tidy()

    assert entered == []
    assert len(list((store.root / "v1/tmp").iterdir())) == 4
    for holder in holders:
        holder.communicate("")
    for waiter in waiters:
        waiter.join()
    assert sorted(entered) == names
    assert store.load(store.record(fingerprint("kept"))) == "kept"
    store.close()


def test_a_silent_holder_on_another_host_loses_its_lease(tmp_path, leased, pace):
    """When the number has not moved for long enough by the waiter's clock, its holder is gone."""
    pace(patience=0.1)
    path = tmp_path / "v1/locks/lock"
    path.parent.mkdir(parents=True)
    write_lease(path, host="elsewhere", pid=1)
    told = []

    handle = locks.wait(path, waiting=told.append)

    assert len(told) == 1
    assert f"host={os.uname().nodename} " in handles.read(path)
    locks.release(path, handle)
    assert list(path.parent.iterdir()) == []


def test_a_lease_that_its_holder_did_not_live_to_sign_is_taken_too(tmp_path, leased, pace):
    """An empty file beats no more than a signed one."""
    pace(patience=0.1)
    path = tmp_path / "v1/locks/lock"
    path.parent.mkdir(parents=True)
    path.touch()

    handle = locks.wait(path)

    assert beats(path) > 0
    locks.release(path, handle)


def test_silence_is_what_a_waiter_saw_of_it(monkeypatch):
    """A waiter that was paused itself, or whose host slept, has seen nothing of the holder."""
    monkeypatch.setattr(leases, "PACE", leases.Pace(beat=5, patience=30))
    clock = Clock()
    watch = leases.Watch(clock)

    assert not watch.is_silent("beat=1")
    clock.now += 86_400
    assert not watch.is_silent("beat=1")
    for _ in range(4):
        clock.now += 5
        assert not watch.is_silent("beat=1")
    assert not watch.is_silent("beat=2")
    for _ in range(5):
        clock.now += 5
        assert not watch.is_silent("beat=2")
    clock.now += 5
    assert watch.is_silent("beat=2")


@pytest.mark.parametrize(
    ("changes", "is_over"),
    [
        ({}, False),
        ({"pid": 2**22 + 1}, True),
        ({"started": 1}, True),
        ({"pid": 2**22 + 1, "host": "elsewhere"}, False),
        ({"pid": 2**22 + 1, "boot": "another"}, False),
        ({"pid": 2**22 + 1, "space": "pid:[1]"}, False),
        ({"pid": "nonsense"}, False),
    ],
)
@pytest.mark.skipif(not leases._here()["boot"], reason="this system does not tell its boot's id")
def test_a_dead_process_of_this_host_and_boot_has_no_lease(tmp_path, leased, changes, is_over):
    """A process number of another host, boot or container says nothing; a reused one is dead."""
    path = tmp_path / "lock"
    text = write_lease(path, **changes)

    assert leases.is_over(path, text) == is_over


def test_a_lease_that_beats_again_is_given_back(tmp_path):
    """Between the last look and the breaking its holder may have come back to life."""
    path = tmp_path / "lock"
    text = write_lease(path)
    before = path.stat().st_ino
    write_lease(path, host="elsewhere")

    assert not leases.break_(path, text)

    assert path.stat().st_ino == before
    assert list(tmp_path.iterdir()) == [path]
    assert leases.break_(path, handles.read(path))
    assert list(tmp_path.iterdir()) == []


def test_what_a_vanished_host_left_is_tidied_after_a_day(store, leased, monkeypatch):
    """Runs of one host tell each other since when a lease has been silent."""
    store.publish("x", computation())
    path = store.root / "v1/tmp/999-abc.lock"
    path.with_suffix("").mkdir()
    text = write_lease(path, host="elsewhere")

    store.tidy()
    assert path.exists()
    boot, seen = json.loads(store.memo.get("leases"))
    assert seen[str(path)][0] == text
    seen[str(path)][1] -= 86_401
    monkeypatch.setattr(leases, "_sightings", {})
    store.memo.set("leases", json.dumps(["another boot", seen]))
    store.tidy()
    assert path.exists()

    monkeypatch.setattr(leases, "_sightings", {})
    store.memo.set("leases", json.dumps([boot, seen]))
    store.tidy()

    assert list((store.root / "v1/tmp").iterdir()) == []


def test_a_holder_whose_lease_was_broken_writes_no_more(tmp_path, leased):
    """Its file is gone, and what is there by now is another's."""
    path = tmp_path / "v1/locks/lock"
    path.parent.mkdir(parents=True)
    handle = locks.wait(path)
    until(lambda: leases.break_(path, handles.read(path)))
    text = write_lease(path, host="elsewhere")
    hearts = [thread for thread in threading.enumerate() if thread.name == leases.THREAD]

    until(lambda: not any(heart.is_alive() for heart in hearts))
    locks.release(path, handle)

    assert handles.read(path) == text


def test_a_process_that_can_use_kernel_locks_respects_a_lease(tmp_path, pace):
    """Hosts may differ in what they can: neither takes, nor tidies away, what the other uses."""
    pace(patience=0.1)
    for name in ("locks", "tmp"):
        (tmp_path / "v1" / name).mkdir(parents=True)
    lock, folder = tmp_path / "v1/locks/lock", tmp_path / "v1/tmp/1-a"
    folder.mkdir()
    text = write_lease(lock, host="elsewhere")
    write_lease(folder.with_name("1-a.lock"), host="elsewhere")

    assert flocks.take(lock) is None
    locks.tidy(lock.parent)
    scratch.tidy(folder.parent)

    assert handles.read(lock) == text
    assert folder.exists()
    handle = locks.wait(lock)  # it is silent
    assert "beat=" not in handles.read(lock)
    locks.release(lock, handle)
