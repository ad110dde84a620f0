"""Kills at every moment at which the disk changes, and how soon others go on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlrecipe.store import Store
from tests.projects import ROOT, Work
from tests.store.moments import FIRST, OTHER, SECOND
from tests.store.pages import computation, fingerprint
from tests.store.removals import damage
from tests.store.test_locks import wait_for_lock

SLOW = '''

@mlrecipe.op("slow")
def slow():
    """Ends once it may."""
    import time

    note("slow")
    end = time.monotonic() + 30
    while not Path(__file__).with_name("go").exists():
        assert time.monotonic() < end, "it may not end"
        time.sleep(0.01)
    return [1]
'''
SOON = 5.0
"""Seconds in which a waiter goes on: two are promised, the rest is for a machine that is busy."""


@pytest.fixture
def left(quick_folder):
    """Has a process killed at each moment of something; gives the stores that it left."""

    def kill(what):
        command = [sys.executable, "-m", "tests.store.moments", what, str(quick_folder)]
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True,
            capture_output=True, text=True,
        )  # fmt: skip
        return [quick_folder / str(point) / "store" for point in range(int(done.stdout))]

    return kill


def loaded(store):
    """What `clean` gives, if anything."""
    record = store.record(fingerprint("clean"))
    return None if record is None else store.load(record)


@pytest.mark.parametrize(
    ("what", "before", "after", "least"),
    [("publish", None, FIRST, 40), ("small", None, "small", 20), ("replace", FIRST, SECOND, 15)],
)
def test_store_29_killed_at_each_change_of_the_disk_a_publish_is_whole_or_not_there(
    left, what, before, after, least
):
    """Also between opening a file and its last byte; the next publish works and what was left goes."""
    roots = left(what)

    assert len(roots) > least
    seen = []
    for root in roots:
        store = Store(root)
        assert damage(root) == []
        seen.append(loaded(store))
        assert seen[-1] in (before, after)
        store.tidy()
        assert [*root.glob("v1/tmp/*"), *root.glob("v1/locks/*")] == []
        store.publish(after, computation(), replace=before is not None)
        assert loaded(store) == after
        assert store.latest("imdb.toml", "clean") == store.record(fingerprint("clean"))
        assert damage(root) == []
        store.close()
    assert seen.index(after) > 0  # what is there once stays
    assert seen == sorted(seen, key=lambda value: value == after)


def test_store_29_a_verify_that_is_killed_loses_nothing_that_is_whole(left):
    """At each move into the quarantine: what was not damaged stays, and the next one ends the work."""
    roots = left("verify")

    assert len(roots) > 3
    for root in roots:
        store = Store(root)
        assert store.load(store.record(fingerprint("other"))) == OTHER
        damage(root)
        assert damage(root) == []
        assert loaded(store) is None
        store.close()


@pytest.mark.parametrize(("index", "locks"), [("diskcache", "flock"), ("sqlite", "lease")])
def test_store_46_64_processes_that_get_in_each_other_s_way_all_open_a_new_store(
    quick_folder, monkeypatch, index, locks
):
    """Between looking whether a folder or file is there and making it, others have made it."""
    monkeypatch.setenv("MLRECIPE_INDEX", index)
    monkeypatch.setenv("MLRECIPE_LOCKS", locks)

    done = subprocess.run(
        [sys.executable, "-m", "tests.store.moments", "swarm", str(quick_folder)], cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True, capture_output=True, text=True,
    )  # fmt: skip

    assert done.stdout == "0\n", done.stderr
    root = quick_folder / "store"
    store = Store(root)
    assert all(store.has_own(fingerprint(f"own {number}")) for number in range(64))
    assert [*root.glob("v1/tmp/*"), *root.glob("v1/locks/*")] == []
    assert damage(root) == []
    store.close()


@pytest.mark.parametrize("kind", ["flock", "lease"])
def test_store_32_a_waiter_has_the_lock_of_a_killed_holder_soon(store, child, monkeypatch, kind):
    """With the times that locks have outside of tests."""
    monkeypatch.setenv("MLRECIPE_LOCKS", kind)
    holder = child("hold")
    holder.stdout.readline()
    killed: list[float] = []

    def kill():
        holder.kill()
        killed.append(time.monotonic())

    events = wait_for_lock(store, kill)

    assert time.monotonic() - killed[0] < SOON
    assert len(events) == 1


def test_store_32_a_prepare_takes_the_work_of_a_killed_one_over(tmp_path):
    """It had named the other; now it computes, and nothing of the other is left."""
    work = Work(tmp_path / "project")
    work.write("ops.py", (work.folder / "ops.py").read_text() + SLOW)
    work.write("recipe.toml", 'name = "x"\nplugins = ["ops.py"]\n[nodes.a]\nuse = "slow"\n')
    with work.start("prepare", "recipe.toml") as first:
        assert "a: running" in first.stderr.readline()
        with work.start("prepare", "recipe.toml") as second:
            line = second.stderr.readline()

            first.send_signal(signal.SIGKILL)
            begun = time.monotonic()
            next_line = second.stderr.readline()
            waited = time.monotonic() - begun

            work.write("go", "")
            _, err = second.communicate(timeout=30)

    assert f"a: waiting for pid {first.pid} on " in line
    assert "a: running" in next_line
    assert waited < SOON
    assert (first.returncode, second.returncode) == (-signal.SIGKILL, 0), err
    assert work.ran() == ["slow", "slow"]
    assert work.run("prepare", "recipe.toml", "--force", "a").code == 0
    tmp = Path(work.store.root, "v1/tmp")
    assert list(tmp.iterdir()) == []


@pytest.mark.parametrize("kind", ["flock", "lease"])
def test_store_31_of_two_processes_one_computes_and_the_other_names_it(tmp_path, kind):
    """Both end well, and the second takes what the first made."""
    work = Work(tmp_path / "project")
    work.write("ops.py", (work.folder / "ops.py").read_text() + SLOW)
    work.write("recipe.toml", 'name = "x"\nplugins = ["ops.py"]\n[nodes.a]\nuse = "slow"\n')
    command = ("prepare", "recipe.toml")
    with work.start(*command, MLRECIPE_LOCKS=kind) as first:
        assert "a: running" in first.stderr.readline()
        with work.start(*command, MLRECIPE_LOCKS=kind) as second:
            line = second.stderr.readline()
            work.write("go", "")
            told = [process.communicate(timeout=30)[1] for process in (first, second)]

    assert f"a: waiting for pid {first.pid} on {os.uname().nodename} since 20" in line
    assert (first.returncode, second.returncode) == (0, 0), told
    assert "(0 run, 1 in the store)" in told[1]
    assert work.ran() == ["slow"]
