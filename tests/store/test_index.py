"""The index: quick, refusing what it never wrote, and no loss when it is lost."""

from __future__ import annotations

import os
import pickle
import shutil
import sqlite3
from pathlib import Path

import pytest

from mlrecipe.store import Store
from mlrecipe.store.disk import RefusedError, TextDisk
from mlrecipe.store.index import DiskcacheIndex, MemoryIndex
from tests.store.pages import computation, fingerprint


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.fixture(params=["diskcache", "memory"])
def index(request, tmp_path):
    made = DiskcacheIndex(tmp_path / "index") if request.param == "diskcache" else MemoryIndex()
    yield made
    made.close()


def plant(root, sql, *values):
    """Change the index behind its back."""
    with sqlite3.connect(root / "cache.db") as connection:
        connection.execute(sql, values)
    connection.close()


def test_an_index_keeps_rows_of_text(index):
    """Rows are set together, read, dropped and listed by how their keys begin."""
    index.update({"a:1": "one", "a:2": "x" * 100_000, "b:1": ""})
    index.update({"a:1": "changed"})
    index.delete("missing")

    assert index.get("a:1") == "changed"
    assert index.get("a:2") == "x" * 100_000
    assert index.get("b:1") == ""
    assert index.get("c") is None
    assert index.keys("a:") == ["a:1", "a:2"]

    index.delete("a:1")
    assert index.keys("") == ["a:2", "b:1"]
    index.clear()
    assert index.keys("") == []


def test_an_index_is_shared_and_survives_its_process(tmp_path):
    """Another opening of the folder finds the rows, all of them in the table."""
    first = DiskcacheIndex(tmp_path / "index")
    first.update({"key": "x" * 100_000})
    second = DiskcacheIndex(tmp_path / "index")

    assert second.get("key") == "x" * 100_000
    assert {path.suffix for path in (tmp_path / "index").iterdir()} <= {
        ".db",
        ".db-wal",
        ".db-shm",
    }
    assert (tmp_path / "index").stat().st_mode & 0o777 == 0o700
    first.close()
    second.close()


def test_an_index_does_not_evict(tmp_path):
    """diskcache's own defaults would silently drop rows."""
    index = DiskcacheIndex(tmp_path / "index")
    settings = dict(sqlite3.connect(tmp_path / "index/cache.db").execute("SELECT * FROM Settings"))

    assert settings["eviction_policy"] == "none"
    assert settings["cull_limit"] == 0
    assert settings["size_limit"] >= 1 << 50
    assert settings["statistics"] == 0
    index.close()


@pytest.mark.parametrize("row", ["pickle", "pickle-file", "absolute", "dots", "inside", "number"])
def test_store_41_a_planted_row_is_refused_and_no_code_runs(store, tmp_path, row):
    """A pickle, a file name or a number in the table counts as a missing row (CVE-2025-69872)."""
    store.memo.set("key", "text")
    store.close()
    bomb = pickle.dumps(Bomb(tmp_path / "boom"))
    secret = tmp_path / "secret"
    secret.write_text("secret")
    folder = store.root / "v1/index"
    (folder / "bomb.val").write_bytes(bomb)
    mode, name, value = {
        "pickle": (4, None, bomb),
        "pickle-file": (4, "bomb.val", None),
        "absolute": (3, str(secret), None),
        "dots": (3, "../../../secret", None),
        "inside": (2, "bomb.val", None),
        "number": (1, None, 7),
    }[row]
    plant(folder, "UPDATE Cache SET mode = ?, filename = ?, value = ?", mode, name, value)

    assert store.memo.get("key") is None
    store.memo.set("key", "again")

    assert store.memo.get("key") == "again"
    assert not (tmp_path / "boom").exists()
    assert secret.exists()
    assert (folder / "bomb.val").exists()


def test_store_41_a_planted_key_is_refused_and_no_code_runs(tmp_path):
    """Listing keys does not unpickle one."""
    index = DiskcacheIndex(tmp_path / "index")
    index.update({"key": "text"})
    bomb = pickle.dumps(Bomb(tmp_path / "boom"))
    plant(tmp_path / "index", "UPDATE Cache SET key = ?, raw = 0", bomb)

    with pytest.raises(Exception, match="refused a key"):
        index.keys("")

    assert not (tmp_path / "boom").exists()
    index.close()


@pytest.mark.parametrize("name", ["get", "_disk", "disk_evil", "sqlite_evil"])
def test_store_41_a_planted_setting_is_refused(store, name):
    """diskcache would make an attribute or a pragma of it: the index is made anew instead."""
    store.publish(1, computation())
    store.memo.set("key", "text")
    store.close()
    plant(store.root / "v1/index", "INSERT INTO Settings VALUES (?, 'x')", name)

    assert store.memo.get("key") is None
    assert store.latest("imdb.toml", "clean") is not None


def test_the_disk_takes_only_text_and_bytes(tmp_path):
    """Nothing that would be pickled or put in a file is written."""
    disk = TextDisk(str(tmp_path))

    assert disk.store("text", False)[2:] == (None, "text")
    for bad in (1, None, ["x"], object()):
        with pytest.raises(RefusedError):
            disk.store(bad, False)
        with pytest.raises(RefusedError):
            disk.put(bad)
    with pytest.raises(RefusedError):
        disk.filename()


def test_the_disk_removes_no_files(tmp_path):
    """A name that was planted in a row is not deleted when the row is overwritten."""
    (tmp_path / "precious").write_text("x")

    TextDisk(str(tmp_path / "index")).remove("../precious")

    assert (tmp_path / "precious").exists()


def damage_index(folder, how):
    if how == "deleted":
        shutil.rmtree(folder)
    elif how == "no file":
        for path in folder.iterdir():
            path.unlink()
    elif how == "garbage":
        (folder / "cache.db").write_bytes(b"garbage" * 1000)
    elif how == "garbled":
        with open(folder / "cache.db", "r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 20_000)
    elif how == "empty":
        (folder / "cache.db").write_bytes(b"")
    elif how == "no table":
        plant(folder, "DROP TABLE Cache")
    elif how == "a folder":
        shutil.rmtree(folder)
        (folder / "cache.db").mkdir(parents=True)
    elif how == "a file":
        shutil.rmtree(folder)
        folder.write_text("x")


@pytest.mark.parametrize(
    "how",
    ["deleted", "no file", "garbage", "garbled", "empty", "no table", "a folder", "a file"],
)
def test_store_39_a_lost_index_changes_no_answer(tmp_path, how):
    """Whatever happens to the index, look-ups are right and writing goes on."""
    root = tmp_path / "store"
    first = Store(root)
    old = first.publish(1, computation("old"))
    new = first.publish(2, computation("new", created="2026-02-01T12:00:00+00:00"))
    first.publish(3, computation("elsewhere", recipe="other.toml"))
    first.close()
    damage_index(root / "v1/index", how)

    store = Store(root)

    assert store.latest("imdb.toml", "clean") == new
    assert store.has_own(old.own)
    assert store.has_own(new.own)
    assert not store.has_own("never")
    newest = store.publish(4, computation("4", created="2026-03-01T12:00:00+00:00"))
    assert store.latest("imdb.toml", "clean") == newest
    assert store.record(fingerprint("old")) == old
    store.memo.set("key", "text")
    assert store.memo.get("key") == "text"
    store.close()


def test_store_39_an_index_deleted_while_it_is_open_changes_no_answer(store):
    """Another process may delete it at any moment."""
    record = store.publish(1, computation())
    shutil.rmtree(store.root / "v1/index")

    assert store.latest("imdb.toml", "clean") == record
    newer = store.publish(2, computation("2", created="2026-03-01T12:00:00+00:00"))
    assert Store(store.root).latest("imdb.toml", "clean") == newer


def test_store_39_a_locked_index_is_gone_without(store, monkeypatch):
    """A process that is stopped in the middle of a transaction stops nobody else."""
    monkeypatch.setattr("mlrecipe.store.index._PATIENCE", 0.05)
    record = store.publish(1, computation())
    store.close()
    blocker = sqlite3.connect(store.root / "v1/index/cache.db", isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")

    other = Store(store.root)
    newer = other.publish(2, computation("2", created="2026-03-01T12:00:00+00:00"))
    other.memo.set("key", "text")

    assert other.memo.get("key") == "text"
    assert other.latest("imdb.toml", "clean") == newer
    assert other.has_own(record.own)
    blocker.close()


def test_store_49_a_full_disk_under_the_index_alone_does_not_stop_a_publish(store):
    """The record is on the disk: the index can be caught up later."""
    store.publish(1, computation())
    store.close()
    plant(store.root / "v1/index", "CREATE TRIGGER full BEFORE INSERT ON Cache BEGIN "
          "SELECT RAISE(FAIL, 'database or disk is full'); END")  # fmt: skip

    newer = store.publish(2, computation("2", created="2026-03-01T12:00:00+00:00"))

    assert store.record(fingerprint("2")) == newer
    assert store.latest("imdb.toml", "clean") == newer


def test_records_that_were_copied_in_are_known(store, tmp_path):
    """The records on the disk are the truth, not what this index has seen of them."""
    store.publish(1, computation())
    assert not store.has_own(fingerprint("own other"))
    other = Store(tmp_path / "other")
    record = other.publish(2, computation("other", node="stats"))

    shutil.copytree(tmp_path / "other/v1/records", store.root / "v1/records", dirs_exist_ok=True)

    again = Store(store.root)
    assert again.has_own(record.own)
    assert again.latest("imdb.toml", "stats") == record


def test_deleted_records_are_forgotten(store):
    """A deleted record is not the latest of its node; the one before it is."""
    first = store.publish(1, computation("first"))
    second = store.publish(2, computation("second", created="2026-03-01T12:00:00+00:00"))
    assert store.latest("imdb.toml", "clean") == second

    next((store.root / "v1/records").rglob(f"{second.fingerprint}.json")).unlink()

    assert store.latest("imdb.toml", "clean") == first
    assert not store.has_own(second.own)
    assert store.has_own(first.own)


def test_the_latest_record_of_a_node_is_the_one_it_used_last(store):
    """After an edit is undone, the next one is explained against the state without it."""
    old = store.publish(1, computation("old"))
    store.publish(2, computation("new", created="2026-01-31T13:00:00+00:00"))

    store.note_use(old, recipe="imdb.toml", node="clean")
    store.note_use(old, recipe="copy.toml", node="renamed")

    again = Store(store.root)
    assert again.latest("imdb.toml", "clean") == old
    assert again.latest("copy.toml", "renamed") == old
    again.close()
