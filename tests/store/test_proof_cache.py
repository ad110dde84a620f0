"""The cache as a user keeps it: listed, measured, collected, verified, pinned, bounded, and without pickles."""

from __future__ import annotations

import json
import os
import pickle
import pickletools
import sqlite3
import time

import pytest

from mlrecipe.store import gc
from mlrecipe.store.gc import Limits, Roots
from tests.cli.conftest import cli
from tests.projects import Work
from tests.store.pages import Pages, computation, fingerprint
from tests.store.test_proof_kills import SLOW

__all__ = ["cli"]

DAY = 86_400
LARGE = ["--set", "nodes.first.count=30000", "--set", "nodes.second.count=30000"]


@pytest.fixture
def work(tmp_path):
    """The small project."""
    return Work(tmp_path / "project")


def answer(done, code=0):
    assert done.code == code, done.err
    return json.loads(done.out)


def age(work, seconds=7200):
    """Make everything in the store older."""
    then = time.time() - seconds
    for path in (work.folder / ".mlrecipe/store/v1").glob("*/*/*"):
        os.utime(path, (then, then))


def test_experiment_33_a_cache_is_listed_measured_collected_and_verified(cli, work):
    """From a full one to an empty one: each command agrees with the others and with the disk."""
    cli("prepare", "recipe.toml")
    cli("prepare", "recipe.toml", *LARGE)
    objects = work.folder / ".mlrecipe/store/v1/objects"
    on_disk = sum(path.stat().st_size for path in objects.rglob("*") if path.is_file())

    rows = answer(cli("cache", "list", "--json"))
    sizes = answer(cli("cache", "du", "--json"))
    whole = answer(cli("cache", "verify", "--json"))
    dry = answer(cli("cache", "gc", "--json", "--grace", "0"))

    assert len(rows) == 8
    assert {row["node"] for row in rows} == {"first", "second", "sum", "scaled"}
    assert sizes["parts"]["objects"] == pytest.approx(on_disk, rel=0.2)
    assert whole["ok"]
    assert dry["removed"] == []

    (work.folder / "recipe.toml").unlink()
    done = answer(cli("cache", "gc", "--json", "--grace", "0", "--yes"))

    assert len(done["removed"]) == 8
    assert answer(cli("cache", "list", "--json")) == []
    assert [path for path in objects.rglob("*") if path.is_file()] == []
    assert done["frees"] >= on_disk
    assert answer(cli("cache", "du", "--json"))["parts"]["objects"] == 0


def test_experiment_33_what_is_pinned_stays_below_any_size(cli, work):
    """With what it was made from; unpinned, it goes. What nobody pinned goes at once."""
    cli("prepare", "recipe.toml", *LARGE)
    assert cli("cache", "pin", "sum").code == 0
    (work.folder / "recipe.toml").unlink()
    age(work)

    over = cli("cache", "gc", "--yes", "--max-size", "1kB")
    left = sorted(row["node"] for row in answer(cli("cache", "list", "--json")))
    assert cli("cache", "pin", "--remove", "sum").code == 0
    age(work)
    cli("cache", "gc", "--yes", "--max-size", "1kB")

    assert over.code == 1
    assert left == ["first", "second", "sum"]
    assert answer(cli("cache", "list", "--json")) == []


@pytest.mark.parametrize("gone", [1, 3, 5])
def test_experiment_33_a_cache_is_never_larger_than_its_cap(cli, work, gone):
    """Of many results as many stay as fit, the most recently used; each of them can still be used."""
    for start in range(6):
        changes = ["--set", f"nodes.first.start={start}", "--set", "nodes.first.count=300000"]
        assert cli("prepare", "recipe.toml", "first", *changes).code == 0
    (work.folder / "recipe.toml").rename(work.folder / "recipe.old")
    made = sorted(work.store.every(), key=lambda record: record.created)
    for number, record in enumerate(made):
        then = time.time() - DAY + number
        paths = work.store.paths
        for path in (paths.record(record.fingerprint), paths.object(record.digest)):
            os.utime(path, (then, then))
    before = answer(cli("cache", "du", "--json"))["bytes"]
    limit = before - made[0].bytes * gone + made[0].bytes // 2

    done = answer(cli("cache", "gc", "--json", "--yes", "--max-size", str(limit)))

    after = answer(cli("cache", "du", "--json"))["bytes"]
    assert len(done["removed"]) == gone  # no more than had to
    assert after <= limit
    (work.folder / "recipe.old").rename(work.folder / "recipe.toml")
    hits = [
        work.statuses(f"nodes.first.start={start}", "nodes.first.count=300000")["first"]
        for start in range(6)
    ]
    assert hits == ["run"] * gone + ["hit"] * (6 - gone)


@pytest.mark.parametrize("shift", [-DAY, DAY])
def test_store_34_a_gc_whose_clock_is_a_day_off_removes_nothing_that_is_young(
    store, monkeypatch, shift
):
    """The file system's time counts, which is the same for all hosts."""
    record = store.publish(Pages({"a.txt": "x" * 1000}), computation())
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + shift)

    store.tidy()
    _, decision = gc.collect(store, lambda found: Roots(), Limits(grace=3600.0))

    assert decision.kept == {fingerprint("clean"): "young"}
    assert store.load(record).texts == {"a.txt": "x" * 1000}


def test_store_34_what_a_host_wrote_whose_clock_is_ahead_counts_as_young(store):
    """Its times are in the future."""
    store.publish(Pages({"a.txt": "x" * 1000}), computation())
    then = time.time() + DAY
    for path in (store.root / "v1").glob("*/*/*"):
        os.utime(path, (then, then))

    _, decision = gc.collect(store, lambda found: Roots(), Limits(grace=3600.0))

    assert decision.kept == {fingerprint("clean"): "young"}


def test_store_42_gc_during_a_run_leaves_what_it_uses_and_afterwards_no_more_than_the_cap(work):
    """A run that waits for its last node keeps what that needs; when it has ended nothing is in use."""
    with (work.folder / "ops.py").open("a") as file:
        file.write(SLOW)
    work.edit("recipe.toml", "[nodes.first]", '[nodes.a]\nuse = "slow"\n[nodes.first]')
    work.edit("recipe.toml", 'inputs = "sum"', 'inputs = "sum"\n[nodes.all]\nuse = "total"\n'
              'inputs = ["a", "scaled"]')  # fmt: skip
    other = [*LARGE, "--set", "nodes.first.start=7"]
    assert work.run("prepare", "recipe.toml", "scaled", *other).code == 0
    for start in ("0", "9"):
        more = ["--set", f"nodes.first.start={start}"]
        assert work.run("prepare", "recipe.toml", "scaled", *LARGE, *more).code == 0
    age(work)
    size = answer(work.run("cache", "du", "--json"))["bytes"]
    gc_ = ("cache", "gc", "--yes", "--json", "--grace", "0", "--max-size")
    with work.start("prepare", "recipe.toml", *other) as process:
        assert "a: running" in process.stderr.readline()

        during = work.run(*gc_, str(size - 100_000))

        work.write("go", "")
        _, err = process.communicate(timeout=30)
    after = answer(work.run(*gc_, str(size - 800_000)))

    assert process.returncode == 0, err
    assert "in use" in {row["reason"] for row in json.loads(during.out)["kept"]}
    assert after["bytes_after"] <= size - 800_000
    assert answer(work.run("cache", "du", "--json"))["bytes"] <= size - 800_000
    assert answer(work.run("cache", "verify", "--json"))["ok"]


class Bomb:
    """Makes a folder when it is unpickled."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("column", ["value", "file"])
def test_store_41_a_planted_row_is_refused_after_a_write_too(store, tmp_path, column):
    """Once an index has been written to, diskcache itself reads it: what it would unpickle is no row."""
    store.publish(1, computation())
    store.memo.set("key", "text")
    store.close()
    folder = store.root / "v1/index"
    bomb = pickle.dumps(Bomb(tmp_path / "boom"))
    (folder / "bomb.val").write_bytes(bomb)
    value = (None, bomb) if column == "value" else ("bomb.val", None)
    with sqlite3.connect(folder / "cache.db") as connection:
        sql = "UPDATE Cache SET mode = 4, filename = ?, value = ? WHERE key = 'memo:key'"
        assert connection.execute(sql, value).rowcount == 1
    connection.close()

    store.memo.set("other", "x")

    assert store.memo.get("key") is None
    assert store.memo.get("other") == "x"
    assert not (tmp_path / "boom").exists()


VALUES = '''

@mlrecipe.op("plain")
def plain():
    """All sorts of plain values."""
    return {"a": [1, (2.5, None)], "b": {3, 1}, "c": b"raw", "d": "x" * 40_000, 1: True}


@mlrecipe.op("array")
def array():
    """Numbers."""
    import numpy

    return {"array": numpy.arange(20_000.0), "list": [numpy.zeros(3)]}


@mlrecipe.op("frame")
def frame():
    """A table."""
    import pandas

    return pandas.DataFrame({"a": range(5000), "b": [f"text {i}" for i in range(5000)]})


class Own:
    """A type of the project."""

    def __init__(self, text):
        self.text = text


@mlrecipe.op("own")
def own():
    """A value of that type."""
    return Own("mine")


@mlrecipe.op("ask")
def ask(value):
    """What is in it."""
    return value.text
'''
PICKLING = '''
from mlrecipe.interfaces import Summary

@mlrecipe.format("own-pickle", types=("ops.Own",))
class OwnFormat:
    """Says in writing that it pickles."""

    def save(self, value, folder):
        import pickle

        (folder / "own.pickle").write_bytes(pickle.dumps(value.text))

    def load(self, folder):
        import pickle

        return Own(pickle.loads((folder / "own.pickle").read_bytes()))

    def describe(self, value):
        return Summary(kind="Own")
'''


def project(work, nodes, more=""):
    work.write("ops.py", (work.folder / "ops.py").read_text() + VALUES + more)
    text = "".join(f'[nodes.{node}]\nuse = "{node}"\n' for node in nodes)
    work.write("recipe.toml", f'name = "x"\nplugins = ["ops.py"]\n{text}')


def pickles(work):
    """Files of the store that can be read as a pickle."""
    found = []
    for path in (work.folder / ".mlrecipe/store/v1").rglob("*"):
        data = path.read_bytes() if path.is_file() else b""
        try:
            is_pickle = data[:1] == b"\x80" and bool(list(pickletools.genops(data)))
        except ValueError:
            is_pickle = False
        found += [path.name] * is_pickle
    return found


@pytest.mark.heavy
def test_experiment_33_values_are_stored_and_loaded_without_a_pickle(work, monkeypatch):
    """Of plain values, arrays and tables: nothing is pickled or unpickled on the way."""
    project(work, ["plain", "array", "frame"])

    def refuse(*_, **__):
        raise AssertionError("something is pickled")

    work.prepare("nodes.plain.cache=false").raise_failures()  # has everything imported
    for name in ("dumps", "dump", "loads", "load", "Pickler", "Unpickler"):
        monkeypatch.setattr(pickle, name, refuse)

    results = work.prepare(force=["plain", "array", "frame"])

    results.raise_failures()
    assert work.output("plain")["a"] == [1, (2.5, None)]
    assert work.output("array")["array"][-1] == 19_999
    assert work.output("frame")["b"].iloc[-1] == "text 4999"
    monkeypatch.undo()
    assert pickles(work) == []


def test_experiment_33_a_type_without_a_format_is_refused_rather_than_pickled(work):
    """The message says what may be returned; nothing is stored."""
    project(work, ["own"])

    done = work.run("prepare", "recipe.toml")

    assert done.code == 1
    assert "a node cannot return a value of type 'ops.Own'" in done.err
    assert list(work.store.every()) == []


def test_experiment_33_a_format_that_says_so_may_pickle(work):
    """It is the project's own code; its name is in the record."""
    project(work, ["own"], PICKLING)
    with (work.folder / "recipe.toml").open("a") as file:
        file.write('[nodes.asked]\nuse = "ask"\ninputs = "own"\n')

    done = work.run("prepare", "recipe.toml")

    assert done.code == 0, done.err
    assert work.store.latest("recipe.toml", "own").format == "own-pickle"
    assert work.output("asked") == "mine"
    assert pickles(work) == ["own.pickle"]
