"""One process at a time does a computation, and the others say whom they wait for."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from mlrecipe.errors import StoreError
from mlrecipe.events import NodeWaiting, listening
from mlrecipe.store import Store, flocks, locks
from tests.store.pages import fingerprint

CLEAN = fingerprint("clean")
BOTH = pytest.mark.usefixtures("locking")


def wait_for_lock(store, on_wait):
    """Take the lock of `clean`, calling `on_wait` with each event on the way."""
    events = []

    def sink(event):
        events.append(event)
        on_wait()

    with listening(sink), store.lock(CLEAN, "clean"):
        return events


@BOTH
def test_store_31_a_waiter_names_the_holder_and_goes_on_when_it_is_done(store, child):
    """The event says which process of which machine has the lock, and since when."""
    holder = child("hold")
    pid = holder.stdout.readline().strip()

    events = wait_for_lock(store, holder.stdin.close)

    assert [type(event) for event in events] == [NodeWaiting]
    assert events[0].node == "clean"
    assert events[0].holder.startswith(f"pid {pid} on {os.uname().nodename} since 20")
    assert holder.wait() == 0


@BOTH
def test_store_32_the_lock_of_a_killed_holder_is_free(store, child):
    """The kernel frees the lock, or a look at the process does: a waiter goes on at once."""
    holder = child("hold")
    holder.stdout.readline()

    events = wait_for_lock(store, holder.kill)

    assert len(events) == 1
    assert holder.wait() == -signal.SIGKILL


@BOTH
def test_store_30_a_forked_child_does_not_keep_the_lock_of_a_killed_parent(store, child):
    """Workers that outlive the process that started them hold nothing."""
    holder = child("hold_with_child")
    orphan = int(holder.stdout.readline())
    holder.kill()
    holder.wait()

    try:
        with store.lock(CLEAN, "clean"):
            os.kill(orphan, 0)  # it is still there
    finally:
        os.kill(orphan, signal.SIGKILL)


@BOTH
def test_different_computations_do_not_wait_for_each_other(store, child, heard):
    """There is a lock per fingerprint."""
    child("hold").stdout.readline()

    with store.lock(fingerprint("other"), "other"):
        assert heard == []


def test_a_lock_whose_file_was_removed_meanwhile_is_not_taken(tmp_path, monkeypatch):
    """Between opening and locking the holder may leave and remove the file: that lock binds nobody."""
    path = tmp_path / "lock"
    holder = flocks.take(path)
    lock = flocks._locked

    def leave_first(handle):
        locks.release(path, holder)
        return lock(handle)

    monkeypatch.setattr(flocks, "_locked", leave_first)

    assert flocks.take(path) is None

    monkeypatch.undo()
    again = flocks.take(path)
    assert again is not None
    locks.release(path, again)


@BOTH
def test_threads_of_one_process_take_turns(store):
    """Two branches that share a node compute it once."""
    inside: list[int] = []
    most: list[int] = []

    def work():
        with store.lock(CLEAN, "clean"):
            inside.append(1)
            most.append(len(inside))
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == [1, 1, 1, 1]


@BOTH
def test_locks_leave_no_files(store):
    """A store does not fill with the locks of what was once computed."""
    with store.lock(CLEAN, "clean"):
        assert len(list((store.root / "v1/locks").iterdir())) == 1

    assert list((store.root / "v1/locks").iterdir()) == []


@BOTH
def test_tidy_removes_the_locks_of_dead_processes_only(store, child):
    """What kill -9 leaves goes; what is held stays."""
    dead, living = child("hold"), None
    dead.stdout.readline()
    dead.kill()
    dead.wait()
    store.tidy()
    assert list((store.root / "v1/locks").iterdir()) == []

    living = child("hold")
    living.stdout.readline()
    store.tidy()
    assert len(list((store.root / "v1/locks").iterdir())) == 1


@BOTH
def test_an_error_in_the_block_passes_and_frees_the_lock(store):
    """What an op raises is not taken for trouble of the store."""
    with pytest.raises(FileNotFoundError), store.lock(CLEAN, "clean"):
        raise FileNotFoundError("the op's own")

    assert wait_for_lock(store, lambda: None) == []


def test_a_lock_where_nothing_can_be_written_is_a_clear_error(tmp_path):
    """The store's folder is named."""
    (tmp_path / "file").write_text("")

    with (
        pytest.raises(StoreError, match="cannot write to the store"),
        Store(tmp_path / "file" / "store").lock(CLEAN, "clean"),
    ):
        pass
