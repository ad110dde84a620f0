"""How long `mlrecipe report` of 25,000 predictions with their texts takes, and how large the page is.

The whole process, best of several, wall and CPU seconds; the limits are the project's.
Exits with 1 where one is missed.

usage: python -m tests.benchmarks.report [--rows 25000] [--rounds 3] [--seconds 10] [--megabytes 5]
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tests.report import left


def main() -> int:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=25_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--megabytes", type=float, default=5.0)
    given = parser.parse_args()
    is_missed = False
    print("| report of | seconds | CPU s | MB |")
    print("|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / ".mlrecipe").mkdir()
        make(project, given.rows)
        for what, names in {"one test": ["s-000a"], "two tests": ["s-000a", "s-000b"]}.items():
            seconds, cpu = min(spend(project, names) for _ in range(given.rounds))
            size = (project / "report.html").stat().st_size / 1e6
            is_missed |= seconds > given.seconds or size > given.megabytes
            print(f"| {what}, {given.rows:,} rows | {seconds:.1f} | {cpu:.1f} | {size:.2f} |")
    print(f"\nat most {given.seconds:g} s and {given.megabytes:g} MB")
    return int(is_missed)


def make(project: Path, rows: int) -> None:
    """Two tests of the same rows, with texts as long as reviews of films."""
    random = np.random.default_rng(0)
    words = np.array(left.WORDS)
    texts = [" ".join(random.choice(words, length)) for length in random.integers(50, 450, rows)]
    left.leave_training(project, "t-0001")
    for name, noise in (("s-000a", 1), ("s-000b", 2)):
        table = left.one_label(rows, texts=texts, noise=noise)
        left.leave_test(project, name, table, parent="t-0001", metrics={"test/accuracy": 0.85})


def spend(project: Path, names: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of the command."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-m", "mlrecipe", "report", *names, "--output", "report.html"]
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, cwd=project, env=environment, check=True, capture_output=True)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    sys.exit(main())
