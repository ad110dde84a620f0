"""What is left when processes die, race, or may not write."""

from __future__ import annotations

import os
import signal
import stat
import tempfile
from pathlib import Path

import pytest

from mlrecipe.store import Store, objects
from tests.store.pages import BOOK, computation, fingerprint


def check(root, value):
    """Only whole results are visible, the next publish works, and nothing else stays."""
    store = Store(root)
    record = store.record(fingerprint("clean"))
    assert record is None or store.load(record) == value
    for folder in (root / "v1/objects").glob("*/*"):
        assert objects.corruption(folder, folder.name) == ""

    store.tidy()
    assert list((root / "v1/tmp").glob("*")) == []
    assert store.load(store.publish(value, computation())) == value
    assert store.latest("imdb.toml", "clean") == store.record(fingerprint("clean"))
    store.close()


@pytest.mark.parametrize(
    ("kind", "value", "least", "locking"),
    [("book", BOOK, 20, "flock"), ("small", "small", 10, "flock"), ("small", "small", 10, "lease")],
    indirect=["locking"],
)
def test_store_29_kill_at_each_point_of_a_publish_in_a_new_store(
    child, quick_folder, kind, value, least, locking
):
    """Killed before any call that changes the disk, a publish is either not there or whole."""
    said, _ = child("die_at_each_point", kind, root=quick_folder).communicate()

    assert int(said) > least
    for point in range(1, int(said) + 1):
        check(quick_folder / str(point), value)


def test_training_18_killing_a_publish_leaves_no_half_written_node(child, tmp_path):
    """The record comes after all that it tells of, so a kill before it shows nothing."""
    Store(tmp_path / "store").publish("earlier", computation("earlier"))

    assert child("die_in_publish", "9", "book").wait() == -signal.SIGKILL

    assert Store(tmp_path / "store").record(fingerprint("clean")) is None
    left = {path.name for path in (tmp_path / "store/v1/tmp").rglob("*")}
    assert left > {"object", "data", "a.txt", "part", "b.txt"}
    check(tmp_path / "store", BOOK)


def test_experiment_20_after_a_kill_the_same_computation_succeeds(child, store):
    """What a killed process left in the way of a publish does not stop the next."""
    store.publish("earlier", computation("earlier"))
    assert child("die_in_publish", "16", "book").wait() == -signal.SIGKILL

    with store.lock(fingerprint("clean"), "clean"):
        record = store.publish(BOOK, computation())

    assert store.load(record) == BOOK


@pytest.mark.usefixtures("locking")
def test_tidy_leaves_what_a_living_process_uses(child, store):
    """A scratch folder is left over when its process is dead, not when it is old."""
    process = child("keep_scratch")
    folder = Path(process.stdout.readline().strip())
    os.utime(folder, (0, 0))

    with store.scratch() as own:
        store.tidy()
        assert (folder / "half.txt").exists()
        assert own.exists()

    process.kill()
    process.wait()
    store.tidy()
    assert list(folder.parent.iterdir()) == []


def test_tidy_removes_a_folder_without_a_lock(store):
    """A folder whose lock somebody deleted is nobody's."""
    store.publish(1, computation())
    (store.root / "v1/tmp/123-abc").mkdir()
    (store.root / "v1/tmp/123-abc/x").write_text("x")

    store.tidy()

    assert list((store.root / "v1/tmp").iterdir()) == []


def test_a_scratch_folder_is_empty_and_goes_even_when_the_block_fails(store):
    """An op's temporary files go with it."""

    def work():
        with store.scratch() as folder:
            assert list(folder.iterdir()) == []
            (folder / "part").write_text("x")
            (folder / "missing").read_text()

    with pytest.raises(FileNotFoundError, match="missing"):
        work()

    assert list((store.root / "v1/tmp").iterdir()) == []


def test_two_processes_that_publish_one_computation_agree(child, store):
    """The first record wins, and both processes go on with it."""
    processes = [child("publish", value) for value in ("left", "right")]
    for process in processes:
        process.stdout.readline()
    for process in processes:
        process.stdin.close()

    said = {process.stdout.read().strip() for process in processes}

    assert [process.wait() for process in processes] == [0, 0]
    record = store.record(fingerprint("clean"))
    assert said == {record.value}
    assert store.load(record) in ("left", "right")


@pytest.mark.parametrize(
    ("index", "locking"),
    [("diskcache", "flock"), ("sqlite", "flock"), ("sqlite", "lease")],
    indirect=["locking"],
)
def test_store_46_64_processes_open_a_new_store_at_once(
    child, quick_folder, monkeypatch, index, locking
):
    """Making the folders, the markers and the index is a race that nobody loses."""
    monkeypatch.setenv("MLRECIPE_INDEX", index)
    store = Store(quick_folder / "store")

    output, _ = child("swarm", "64", root=store.root).communicate()

    assert output.strip() == "0"
    assert all(store.has_own(fingerprint(f"own {number}")) for number in range(64))
    assert list((store.root / "v1/tmp").iterdir()) == []
    store.close()


@pytest.mark.parametrize("kind", ["diskcache", "sqlite"])
@pytest.mark.parametrize("index", ["kept", "deleted"])
def test_store_40_a_read_only_store_serves_hits_and_refuses_writes_clearly(
    child, monkeypatch, index, kind
):
    """Records, outputs and look-ups work without writing; a publish says what is wrong."""
    monkeypatch.setenv("MLRECIPE_INDEX", kind)
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        root = Path(name) / "store"
        store = Store(root)
        store.publish(BOOK, computation())
        store.close()
        if index == "deleted":
            for path in (root / "v1/index").iterdir():
                path.unlink()
            (root / "v1/index").rmdir()
        folders = [root, *(path for path in root.rglob("*") if path.is_dir())]
        for folder in folders:
            folder.chmod(stat.S_IMODE(folder.stat().st_mode) & ~0o222)

        output, _ = child("read_only", root=root).communicate()

        for folder in folders:
            folder.chmod(0o755)
    assert "StoreError: cannot write to the store" in output
    assert "Permission denied" in output
