"""What loading a data set node of 2 GB costs: seconds, and memory, with a limit of 1 GB where one can be set.

Makes the data once in a temporary folder and removes it. Each measurement runs in a process of its own, imports
done; the best counts. `RLIMIT_DATA` bounds what a process allocates (not what it maps from files). Exits with 1
when a limit is missed.

usage: python -m tests.benchmarks.load [--size 2] [--seconds 0.2] [--growth 200] [--folder DIR]
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from mlrecipe.builtin.formats import _arrow
from mlrecipe.builtin.formats.dataset import DatasetFormat

ROWS = {
    "texts of 1.3 kB": ("text", 1300),
    "256 token ids": ("ids", 256),
    "texts of 100 B": ("text", 100),
}
LIMIT = 1 << 30


def main() -> int:
    """Measure and print a Markdown table."""
    options = _options()
    if options.child:
        print(json.dumps(measure(Path(options.child))))
        return 0
    print("| rows | GB | load, s | load, pages dropped, s | a row, ms | anonymous memory, MB |")
    print("|---|---:|---:|---:|---:|---:|")
    missed = False
    for name, (kind, length) in ROWS.items():
        with tempfile.TemporaryDirectory(dir=options.folder) as text:
            folder = Path(text)
            size = make(folder, kind, length, int(options.size * 2**30))
            drop(folder)
            cold = child(folder)
            warm = min((child(folder) for _ in range(options.repeats)), key=lambda f: f["load"])
        print(
            f"| {name} | {size / 2**30:.2f} | {warm['load']:.3f} | {cold['load']:.3f} "
            f"| {warm['row'] * 1000:.2f} | {warm['growth'] / 2**20:.0f} |"
        )
        is_late = warm["load"] > options.seconds
        is_large = max(cold["growth"], warm["growth"]) > options.growth * 2**20
        missed |= is_late or is_large
    return int(missed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=float, default=2.0, help="GB")
    parser.add_argument("--seconds", type=float, default=0.2, help="limit")
    parser.add_argument("--growth", type=float, default=200, help="limit of anonymous memory, MB")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", help="where to write; default: a temporary folder")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    return parser.parse_args()


def make(folder: Path, kind: str, length: int, size: int) -> int:
    """Write a data set as the format does, one piece again and again; gives its bytes."""
    numbers = np.random.default_rng(0)
    rows = _arrow.batch_rows(size // (length + 12 if kind == "text" else 4 * length + 12))
    ends = np.arange(rows + 1, dtype=np.int32) * length
    if kind == "text":
        letters = pa.py_buffer(numbers.integers(97, 123, rows * length, dtype=np.uint8))
        column = pa.Array.from_buffers(pa.string(), rows, [None, pa.py_buffer(ends), letters])
    else:
        ids = numbers.integers(0, 30_000, rows * length, dtype=np.int32)
        column = pa.ListArray.from_arrays(pa.array(ends), pa.array(ids))
    table = pa.table({kind: column, "label": np.zeros(rows, np.int64)})
    path = folder / _arrow.FILE
    content = _arrow.write([table] * (size // table.nbytes), table.schema, path)
    (folder / "dataset.json").write_text(json.dumps({"xxh3_128": content}))
    return path.stat().st_size


def drop(folder: Path) -> None:
    """Have the kernel forget the file's pages, as far as it will."""
    if hasattr(os, "posix_fadvise"):
        with (folder / _arrow.FILE).open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def child(folder: Path) -> dict[str, float]:
    """What another process measures."""
    command = [sys.executable, "-m", "tests.benchmarks.load", "--child", str(folder)]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=root,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT)),
    )  # fmt: skip
    found: dict[str, float] = json.loads(done.stdout)
    return found


def measure(folder: Path) -> dict[str, float]:
    """Load, and look at rows here and there."""
    before, began = anonymous(), time.perf_counter()
    data = DatasetFormat().load(folder)
    load = time.perf_counter() - began
    began = time.perf_counter()
    for row in range(0, len(data), len(data) // 20):
        assert len(data[row]) == 2
    reading = (time.perf_counter() - began) / 20
    return {"load": load, "row": reading, "growth": anonymous() - before}


def anonymous() -> int:
    """Bytes of this process that are no file's."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition("RssAnon:")[2].split()[0]) * 1024


if __name__ == "__main__":
    sys.exit(main())
