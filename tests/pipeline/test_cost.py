"""Cost: what a node took, measured for it alone, and kept in its record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlrecipe.pipeline import cost
from mlrecipe.store import records

LINUX = pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="asks Linux")
MB = 1 << 20

OPS = '''
import subprocess
import sys


@mlrecipe.op("hold")
def hold(*, size: int):
    """Uses so much memory for a moment."""
    data = bytearray(size)
    for place in range(0, size, 4096):
        data[place] = 1
    return len(data)


@mlrecipe.op("burn")
def burn(*, seconds: float):
    """Has another process use CPU time."""
    code = f"import time\\nwhile time.process_time() < {seconds}: pass"
    subprocess.run([sys.executable, "-c", code], check=True)
    return 1
'''


@pytest.fixture
def measured(work):
    """The records of a recipe's nodes, as they are on the disk."""
    with (work.folder / "ops.py").open("a") as file:
        file.write(OPS)

    def run(text, jobs=1):
        work.write("recipe.toml", f'name = "x"\nplugins = ["ops.py"]\n{text}')
        results = work.prepare(jobs=jobs)
        results.raise_failures()
        return {n: work.store.record(r.fingerprint) for n, r in results.records.items()}

    return run


@LINUX
@pytest.mark.parametrize("jobs", [1, 2])
def test_the_peak_of_memory_is_that_of_the_node(measured, jobs):
    """Not what an earlier node of the same process used, nor what the process has anyway."""
    found = measured(
        f'[nodes.a]\nuse = "hold"\nsize = {64 * MB}\n[nodes.b]\nuse = "hold"\nsize = {8 * MB}\n',
        jobs,
    )

    assert 60 * MB < found["a"].peak_bytes < 80 * MB
    assert found["b"].peak_bytes < 20 * MB  # less than 8 where the process has freed memory left


@LINUX
def test_a_peak_that_an_earlier_one_hides_is_not_known(monkeypatch, tmp_path):
    """Where it cannot be reset; one that is higher is known all the same."""
    monkeypatch.setattr(cost, "_CLEAR", tmp_path / "none" / "clear_refs")
    first = cost.Meter()
    assert len(b"x" * (200 * MB))  # touched, and gone at once
    high = first.read().peak_bytes
    second = cost.Meter()
    assert len(b"x" * (20 * MB))

    assert high is None or high > 150 * MB
    assert second.read().peak_bytes is None


def test_where_the_system_tells_nothing_the_peak_is_not_known(monkeypatch, tmp_path):
    """None, and everything else is measured."""
    monkeypatch.setattr(cost, "_STATUS", tmp_path / "status")

    found = cost.Meter().read()

    assert found.peak_bytes is None
    assert found.seconds > 0


def test_cpu_time_of_processes_that_the_op_started_counts(measured):
    """Once they have ended."""
    found = measured('[nodes.a]\nuse = "burn"\nseconds = 0.3\n[nodes.b]\nuse = "numbers"\n')

    assert found["a"].cpu_seconds >= 0.3
    assert found["b"].cpu_seconds < 0.2


def test_records_of_before_it_was_measured_are_read(measured):
    """The field is missing there; every other one may not be."""
    (found,) = measured('[nodes.a]\nuse = "numbers"\n').values()
    fields = json.loads(records.to_bytes(found))
    del fields["peak_bytes"]

    assert records.from_bytes(json.dumps(fields).encode()).peak_bytes is None
    del fields["cpu_seconds"]
    with pytest.raises(ValueError, match="cpu_seconds"):
        records.from_bytes(json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        ([(0, 2), (0, 2)], 2),
        ([(1, 3), (0, 2)], 3),
        ([(0, 5), (1, 2)], 5),
        ([(0, 1), (60, 61)], 2),
        ([], 0),
    ],
)
def test_wall_time_is_that_in_which_anything_was_at_work(spans, seconds):
    """At once, overlapping, one within the other, with a pause between them."""
    assert cost.gone_by(spans) == seconds
