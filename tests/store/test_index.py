"""The index: quick, refusing what it never wrote, and no loss when it is lost."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from mlrecipe.store import Store
from mlrecipe.store.disk import TextDisk
from mlrecipe.store.diskcache_index import DiskcacheIndex
from mlrecipe.store.index import CorruptIndex, IndexFault, MemoryIndex, RefusedError
from mlrecipe.store.sqlite_index import SqliteIndex
from tests.store.pages import computation, fingerprint

ON_DISK = {"diskcache": DiskcacheIndex, "sqlite": SqliteIndex}
FILES = {"diskcache": "cache.db", "sqlite": "rows.db"}
TABLES = {"diskcache": "Cache", "sqlite": "rows"}
PLANTED = {
    "diskcache": ["pickle", "pickle-file", "absolute", "dots", "inside", "number", "no text"],
    "sqlite": ["pickle", "number", "no text"],
}
TEXTS = {"": "", "é 😀 \u0301": "日本\u202e\n", "nul\0key": "a\0b", "'; DROP TABLE rows": "%_*"}


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.fixture(params=ON_DISK)
def kind(request, monkeypatch):
    """Each index that is kept on a disk, also for stores and other processes."""
    monkeypatch.setenv("MLRECIPE_INDEX", request.param)
    return request.param


@pytest.fixture(params=[*ON_DISK, "memory"])
def index(request, tmp_path):
    """Each index there is."""
    made = ON_DISK[request.param](tmp_path / "index") if request.param in ON_DISK else MemoryIndex()
    yield made
    made.close()


@pytest.fixture
def open_index(kind, tmp_path):
    """Opens the index of that kind in the test's folder, as often as wanted."""
    opened = []

    def open_() -> DiskcacheIndex | SqliteIndex:
        opened.append(ON_DISK[kind](tmp_path / "index"))
        return opened[-1]

    yield open_
    for each in opened:
        each.close()


def plant(folder, kind, sql, *values):
    """Change the index behind its back; `{table}` is its table."""
    with sqlite3.connect(folder / FILES[kind]) as connection:
        connection.execute(sql.format(table=TABLES[kind]), values)
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


@pytest.mark.parametrize("key", TEXTS)
def test_an_index_keeps_any_text(index, key):
    """Signs of all scripts, of control and of SQL are text like any other."""
    index.update({key: TEXTS[key], "other": "x"})

    assert index.get(key) == TEXTS[key]
    assert key in index.keys(key[:3])
    index.delete(key)
    assert index.get(key) is None
    assert index.keys("") == ["other"]


def test_rows_are_set_all_or_none(kind, open_index, tmp_path):
    """What stops one row stops the ones that came with it."""
    index = open_index()
    index.update({"a": "old"})
    plant(tmp_path / "index", kind, "CREATE TRIGGER full BEFORE INSERT ON {table} "
          "WHEN NEW.key = 'b' BEGIN SELECT RAISE(FAIL, 'disk is full'); END")  # fmt: skip

    with pytest.raises(IndexFault, match="disk is full"):
        index.update({"a": "new", "b": "x"})

    assert index.get("a") == "old"


def test_what_is_no_text_is_refused(open_index):
    """sqlite would take a number, and make a text of it."""
    index = open_index()

    for bad in (1, None, ["x"]):
        with pytest.raises(RefusedError):
            index.update({"a": bad})

    assert index.get("a") is None


def test_a_forked_child_has_no_part_in_a_transaction_of_its_parent(tmp_path):
    """A connection of sqlite does not know that it is used in two processes."""
    index = SqliteIndex(tmp_path / "index")
    index.update({"key": "old"})
    connection = index._connection()
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE rows SET value = 'not yet'")
    child = os.fork()
    if child == 0:
        os._exit(0 if index.get("key") == "old" else 1)

    assert os.waitpid(child, 0)[1] == 0
    connection.execute("COMMIT")
    assert index.get("key") == "not yet"
    index.close()


def test_an_index_is_shared_and_survives_its_process(open_index, tmp_path):
    """Another opening of the folder finds the rows, all of them in the table."""
    open_index().update({"key": "x" * 100_000})

    assert open_index().get("key") == "x" * 100_000
    assert {path.suffix for path in (tmp_path / "index").iterdir()} <= {
        ".db",
        ".db-wal",
        ".db-shm",
    }
    assert (tmp_path / "index").stat().st_mode & 0o777 == 0o700


def test_an_index_is_used_by_many_processes_at_once(kind, child, open_index, tmp_path):
    """No row of any process is lost, and no process is turned away."""
    said, _ = child("fill_index", "8", root=tmp_path / "index").communicate()

    assert said.strip() == "0"
    index = open_index()
    assert index.keys("") == sorted(f"{who}:{i}" for who in range(8) for i in range(20))
    assert all(index.get(f"{who}:19") == "x" * 19 for who in range(8))


def test_an_index_is_used_by_a_forked_child(open_index):
    """A connection of sqlite may not cross a fork: the child makes its own."""
    index = open_index()
    index.update({"parent": "1"})
    child = os.fork()
    if child == 0:
        index.update({"child": index.get("parent") + "2"})
        os._exit(0)

    assert os.waitpid(child, 0)[1] == 0
    assert index.get("child") == "12"
    index.update({"parent": "3"})
    assert open_index().get("parent") == "3"


def test_an_index_is_used_by_several_threads(open_index):
    """Each thread has a connection of its own, and closing in one does not hurt another."""
    index = open_index()
    index.update({"key": "text"})
    found = []

    def work():
        found.append(index.get("key"))
        index.update({f"thread {threading.get_ident()}": "x"})
        index.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == ["text"] * 4
    assert index.get("key") == "text"


def test_the_two_indexes_keep_out_of_each_other_s_files(store, monkeypatch):
    """Whichever is chosen next, it finds its own rows and answers right."""
    record = store.publish(1, computation())
    store.memo.set("key", "in diskcache")
    store.close()
    monkeypatch.setenv("MLRECIPE_INDEX", "sqlite")
    other = Store(store.root)

    assert other.latest("imdb.toml", "clean") == record
    assert other.memo.get("key") is None
    other.memo.set("key", "in sqlite")
    other.close()

    assert Store(store.root).memo.get("key") == "in sqlite"
    monkeypatch.delenv("MLRECIPE_INDEX")
    assert Store(store.root).memo.get("key") == "in diskcache"


def test_an_index_does_not_evict(tmp_path):
    """diskcache's own defaults would silently drop rows."""
    index = DiskcacheIndex(tmp_path / "index")
    settings = dict(sqlite3.connect(tmp_path / "index/cache.db").execute("SELECT * FROM Settings"))

    assert settings["eviction_policy"] == "none"
    assert settings["cull_limit"] == 0
    assert settings["size_limit"] >= 1 << 50
    assert settings["statistics"] == 0
    index.close()


@pytest.mark.parametrize(
    ("kind", "row"), [(kind, row) for kind in ON_DISK for row in PLANTED[kind]]
)
def test_store_41_a_planted_row_is_refused_and_no_code_runs(
    store, tmp_path, monkeypatch, kind, row
):
    """A pickle, a file name or a number in the table counts as a missing row (CVE-2025-69872)."""
    monkeypatch.setenv("MLRECIPE_INDEX", kind)
    store.publish(1, computation())
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
        "no text": (1, None, b"\xff\xfe"),
    }[row]
    value_sql = "CAST(? AS TEXT)" if row == "no text" else "?"
    if kind == "diskcache":
        sql = f"UPDATE Cache SET mode = ?, filename = ?, value = {value_sql}"
        plant(folder, kind, sql, mode, name, value)
    else:
        plant(folder, kind, "DROP TABLE rows")  # the real one would turn a number into a text
        plant(folder, kind, "CREATE TABLE rows (key TEXT PRIMARY KEY, value)")
        plant(folder, kind, f"INSERT INTO rows VALUES ('memo:key', {value_sql})", value)

    assert store.memo.get("key") is None
    store.memo.set("key", "again")

    assert Store(store.root).memo.get("key") == "again"
    assert not (tmp_path / "boom").exists()
    assert secret.exists()
    assert row == "no text" or (folder / "bomb.val").exists()


def test_store_41_a_planted_key_is_refused_and_no_code_runs(kind, open_index, tmp_path):
    """Listing keys does not unpickle one."""
    index = open_index()
    index.update({"key": "text"})
    bomb = pickle.dumps(Bomb(tmp_path / "boom"))
    raw = ", raw = 0" if kind == "diskcache" else ""
    plant(tmp_path / "index", kind, f"UPDATE {{table}} SET key = ?{raw}", bomb)

    with pytest.raises(CorruptIndex, match="refused a key"):
        index.keys("")

    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize("name", ["get", "_disk", "disk_evil", "sqlite_evil"])
def test_store_41_a_planted_setting_is_refused(store, name):
    """diskcache would make an attribute or a pragma of it: the index is made anew instead."""
    store.publish(1, computation())
    store.memo.set("key", "text")
    store.close()
    plant(store.root / "v1/index", "diskcache", "INSERT INTO Settings VALUES (?, 'x')", name)

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


def damage_index(folder, kind, how):
    path = folder / FILES[kind]
    if how == "deleted":
        shutil.rmtree(folder)
    elif how == "no file":
        for each in folder.iterdir():
            each.unlink()
    elif how == "garbage":
        path.write_bytes(b"garbage" * 1000)
    elif how == "garbled":
        with open(path, "r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 20_000)
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "no table":
        plant(folder, kind, "DROP TABLE {table}")
    elif how == "a folder":
        shutil.rmtree(folder)
        path.mkdir(parents=True)
    elif how == "a file":
        shutil.rmtree(folder)
        folder.write_text("x")


@pytest.mark.parametrize(
    "how",
    ["deleted", "no file", "garbage", "garbled", "empty", "no table", "a folder", "a file"],
)
def test_store_39_a_lost_index_changes_no_answer(kind, tmp_path, how):
    """Whatever happens to the index, look-ups are right and writing goes on."""
    root = tmp_path / "store"
    first = Store(root)
    old = first.publish(1, computation("old"))
    new = first.publish(2, computation("new", created="2026-02-01T12:00:00+00:00"))
    first.publish(3, computation("elsewhere", recipe="other.toml"))
    first.close()
    damage_index(root / "v1/index", kind, how)

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


def test_store_39_an_index_deleted_while_it_is_open_changes_no_answer(kind, store):
    """Another process may delete it at any moment."""
    record = store.publish(1, computation())
    shutil.rmtree(store.root / "v1/index")

    assert store.latest("imdb.toml", "clean") == record
    newer = store.publish(2, computation("2", created="2026-03-01T12:00:00+00:00"))
    assert Store(store.root).latest("imdb.toml", "clean") == newer


def test_store_39_a_locked_index_is_gone_without(kind, store, monkeypatch):
    """A process that is stopped in the middle of a transaction stops nobody else."""
    monkeypatch.setattr("mlrecipe.store.index.PATIENCE", 0.05)
    record = store.publish(1, computation())
    store.close()
    blocker = sqlite3.connect(store.root / "v1/index" / FILES[kind], isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")

    other = Store(store.root)
    newer = other.publish(2, computation("2", created="2026-03-01T12:00:00+00:00"))
    other.memo.set("key", "text")

    assert other.memo.get("key") == "text"
    assert other.latest("imdb.toml", "clean") == newer
    assert other.has_own(record.own)
    blocker.close()


def test_store_49_a_full_disk_under_the_index_alone_does_not_stop_a_publish(kind, store):
    """The record is on the disk: the index can be caught up later."""
    store.publish(1, computation())
    store.close()
    plant(store.root / "v1/index", kind, "CREATE TRIGGER full BEFORE INSERT ON {table} BEGIN "
          "SELECT RAISE(FAIL, 'database or disk is full'); END")  # fmt: skip

    newer = store.publish(2, computation("2", created="2026-03-01T12:00:00+00:00"))

    assert store.record(fingerprint("2")) == newer
    assert store.latest("imdb.toml", "clean") == newer


def test_records_that_were_copied_in_are_known(kind, store, tmp_path):
    """The records on the disk are the truth, not what this index has seen of them."""
    store.publish(1, computation())
    assert not store.has_own(fingerprint("own other"))
    other = Store(tmp_path / "other")
    record = other.publish(2, computation("other", node="stats"))

    shutil.copytree(tmp_path / "other/v1/records", store.root / "v1/records", dirs_exist_ok=True)

    again = Store(store.root)
    assert again.has_own(record.own)
    assert again.latest("imdb.toml", "stats") == record


def test_store_34_records_of_a_host_whose_clock_is_ahead_are_read_once(store):
    """What has settled by the clock of the file system need not be read again each time."""
    for name in ("old", "new"):
        store.publish(name, computation(name))
    shards = {name: fingerprint(name)[:2] for name in ("old", "new")}
    for name, ago in (("old", 60), ("new", 0)):
        stamp = time.time() + 86_400 - ago
        os.utime(store.root / "v1/records" / shards[name], (stamp, stamp))

    assert not store.has_own("never")

    assert list(json.loads(store._index.get("shards"))) == [shards["old"]]


def test_deleted_records_are_forgotten(kind, store):
    """A deleted record is not the latest of its node; the one before it is."""
    first = store.publish(1, computation("first"))
    second = store.publish(2, computation("second", created="2026-03-01T12:00:00+00:00"))
    assert store.latest("imdb.toml", "clean") == second

    next((store.root / "v1/records").rglob(f"{second.fingerprint}.json")).unlink()

    assert store.latest("imdb.toml", "clean") == first
    assert not store.has_own(second.own)
    assert store.has_own(first.own)


def test_the_latest_record_of_a_node_is_the_one_it_used_last(kind, store):
    """After an edit is undone, the next one is explained against the state without it."""
    old = store.publish(1, computation("old"))
    store.publish(2, computation("new", created="2026-01-31T13:00:00+00:00"))

    store.note_use(old, recipe="imdb.toml", node="clean")
    store.note_use(old, recipe="copy.toml", node="renamed")

    again = Store(store.root)
    assert again.latest("imdb.toml", "clean") == old
    assert again.latest("copy.toml", "renamed") == old
    again.close()
