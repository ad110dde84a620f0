"""Memory and time: what is loaded is mapped, what is used no more is freed, and what it took is on record."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import cli
from tests.pipeline.test_parallel import DIAMOND, MEET
from tests.projects import ROOT, Work

__all__ = ["cli"]

GB = 1 << 30
MB = 1 << 20

LOAD = """
import json, resource, sys, time
from pathlib import Path
resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))
import numpy as np
import pyarrow as pa
from mlrecipe.builtin.formats import _arrow
from mlrecipe.builtin.formats.dataset import DatasetFormat
from mlrecipe.interfaces import Summary
from mlrecipe.store import Store
from tests.store.pages import computation


class Sparse:
    # a file in which zeros take no room

    closed = False

    def __init__(self, path):
        self.file = open(path, "wb", buffering=0)

    def write(self, data):
        data = memoryview(data).cast("B")
        if len(data) > 100_000:
            self.file.seek(len(data), 1)
            return len(data)
        return self.file.write(data)

    def tell(self):
        return self.file.tell()

    def flush(self):
        pass


class Large:
    # an output of 2 GB that is never in memory

    def save(self, value, folder):
        rows = pa.table({"ids": np.zeros(4 << 20, np.int64)})
        sink = Sparse(folder / _arrow.FILE)
        with pa.ipc.new_stream(pa.PythonFile(sink, "w"), rows.schema) as stream:
            for _ in range(64):
                stream.write_table(rows)
        sink.file.close()
        (folder / "dataset.json").write_text(json.dumps({"xxh3_128": "0" * 32}))

    def describe(self, value):
        return Summary(kind="Dataset")


def anonymous():
    text = Path("/proc/self/status").read_text()
    return int(text.partition("RssAnon:")[2].split()[0]) * 1024


store = Store(Path(sys.argv[1]))
DatasetFormat.save, DatasetFormat.describe = Large.save, Large.describe
from datasets import Dataset
record = store.publish(Dataset.from_dict({"ids": [0]}), computation())
before = anonymous()
data = store.load(record)
picked = [data[place]["ids"] for place in range(0, len(data), len(data) // 50)]
part = data.select(range(len(data) - 1000, len(data)))
total = sum(part["ids"][:])
print(json.dumps([record.bytes, len(data), sum(picked) + total, anonymous() - before]))
"""


@pytest.mark.long
@pytest.mark.heavy
@pytest.mark.skipif(sys.platform != "linux", reason="the limit is of Linux")
def test_store_28_two_gigabytes_load_under_a_limit_of_one(tmp_path):
    """`RLIMIT_DATA` bounds all that is no file's; rows here and there cost next to nothing either."""
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(tmp_path / "store")], cwd=ROOT, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    size, rows, total, growth = json.loads(done.stdout)
    assert size > 2 * GB
    assert (rows, total) == (64 * (4 << 20), 0)
    assert growth < 200 * MB


HOLD = '''
import sys
import time
import weakref

import numpy as np


def alive():
    return sum(ref() is not None for ref in sys.held_by_test)


def held(array):
    sys.held_by_test.append(weakref.ref(array))
    return array


@mlrecipe.op("make")
def make(*, way: int = 0):
    """A value that is too large for a record."""
    return held(np.full(100_000, float(way)))


@mlrecipe.op("pass-on")
def pass_on(values, *, way: int = 0):
    """Another of that size; notes how many others there still are."""
    sys.alive_by_test.append(alive())
    held(values)
    return held(values + 1)
'''


@pytest.mark.heavy
def test_experiment_34_values_are_freed_after_their_last_use(tmp_path, monkeypatch):
    """When an op is called there is nothing but its own inputs, however many nodes there were before."""
    work = Work(tmp_path / "project")
    held: list[object] = []
    alive: list[int] = []
    monkeypatch.setattr(sys, "held_by_test", held, raising=False)
    monkeypatch.setattr(sys, "alive_by_test", alive, raising=False)
    work.write("ops.py", (work.folder / "ops.py").read_text() + HOLD)
    nodes = "".join(
        f'[nodes.n{i}]\nuse = "pass-on"\nway = {i}\ninputs = "n{i - 1}"\n' for i in range(1, 5)
    )
    work.write(
        "recipe.toml", f'name = "x"\nplugins = ["ops.py"]\n[nodes.n0]\nuse = "make"\n{nodes}'
    )

    results = work.prepare()

    results.raise_failures()
    assert len(held) == 9
    assert alive == [0, 0, 0, 0]
    assert [ref for ref in held if ref() is not None] == []


COST = '''
import time


@mlrecipe.op("cost")
def cost(*, way: int = 0):
    """Takes a little time and memory."""
    data = bytearray(48 << 20)
    for place in range(0, len(data), 4096):
        data[place] = 1
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    return len(data)
'''


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_experiment_34_each_node_s_time_and_memory_are_recorded_and_shown(cli, work, jobs):
    """Those of the node alone: another of the same run has its own."""
    work.write("ops.py", (work.folder / "ops.py").read_text() + COST)
    work.edit("recipe.toml", "[nodes.first]", '[nodes.dear]\nuse = "cost"\n[nodes.first]')
    assert cli("prepare", "recipe.toml", "-j", jobs).code == 0

    dear, cheap = (
        json.loads(cli("inspect", node, "recipe.toml", "--json").out) for node in ("dear", "sum")
    )
    shown = cli("inspect", "dear", "recipe.toml").out

    assert dear["seconds"] >= 0.2
    assert dear["cpu_seconds"] >= 0.2
    assert cheap["seconds"] < dear["seconds"]
    assert cheap["cpu_seconds"] < 0.2
    if Path("/proc/self/clear_refs").exists():
        assert 40 * MB < dear["peak_bytes"] < 80 * MB
        assert cheap["peak_bytes"] < 20 * MB
        assert " MB of memory" in shown


def test_experiment_34_independent_nodes_run_in_parallel(cli, work):
    """Each of two ends only while the other is at work: with one job that would never be."""
    with (work.folder / "ops.py").open("a") as file:
        file.write(f"\n\n{MEET}\n")
    work.write("recipe.toml", DIAMOND)

    done = cli("prepare", "recipe.toml", "-j2")

    assert done.code == 0, done.err
    assert sorted(work.ran()) == ["add", "meet", "meet", "numbers"]


@pytest.fixture
def work(tmp_path):
    """The small project."""
    return Work(tmp_path / "project")
