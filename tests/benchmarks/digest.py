"""What hashing adds to writing a data set node of 1 GB to the store, and what memory it takes.

The same writer with and without its hashes, in turns in one process: save, fsync and rename, seconds of wall
time, the least of several. Hashing needs a second core that is idle: on a busy machine its CPU time (0.6 s
per GB) shows. Exits with 1 when the limit is exceeded.

usage: python -m tests.benchmarks.digest [--limit 0.15] [--size 1.0] [--repeats 9] [--folder DIR]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pyarrow as pa
from datasets import Dataset

from mlrecipe.builtin.formats import _arrow
from mlrecipe.builtin.formats.dataset import DatasetFormat
from mlrecipe.store import hashing, outputs
from mlrecipe.store.layout import Layout

MB = 1 << 20


def main() -> int:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=float, default=0.15, help="of the time without hashing")
    parser.add_argument("--size", type=float, default=1.0, help="GB of the data set")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--folder", help="where to write; default: a temporary folder")
    options = parser.parse_args()
    sets = {"texts of 1.3 kB": texts, "256 token ids": ids}
    print("| rows | without, s | while writing, s | adds | read again after, s | adds | peak MB |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    worst = 0.0
    for name, make in sets.items():
        data = make(int(options.size * 2**30))
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            worst = max(worst, compare(name, data, Path(folder), options.repeats))
    return int(worst > options.limit)


def compare(name: str, data: Dataset, folder: Path, repeats: int) -> float:
    """Print a row; gives what hashing adds, as a share."""
    contenders = {"without": without, "with": ExitStack, "after": afterwards}
    seconds: dict[str, list[float]] = {contender: [] for contender in contenders}
    save(data, folder)  # so that all has been imported and read once
    with peak() as growth:
        for _ in range(repeats):
            for contender, how in contenders.items():
                os.sync()  # what others left to write is not this one's
                with how():
                    seconds[contender].append(save(data, folder))
    least = {contender: min(found) for contender, found in seconds.items()}
    share = least["with"] / least["without"] - 1
    print(
        f"| {name} | {least['without']:.2f} | {least['with']:.2f} | {share:+.0%} "
        f"| {least['after']:.2f} | {least['after'] / least['without'] - 1:+.0%} | {growth[0]:.0f} |"
    )
    return share


def save(data: Dataset, folder: Path) -> float:
    """Seconds to write the data set as a node's output."""
    with tempfile.TemporaryDirectory(dir=folder) as root:
        began = time.perf_counter()
        paths, draft = Layout(Path(root)), Path(root) / "draft"
        draft.mkdir()
        outputs.save(data, "dataset", DatasetFormat(), draft=draft, paths=paths)
        return time.perf_counter() - began


def plain(self: hashing.HashingFile, piece: memoryview) -> None:
    """What `HashingFile` does, without the hash."""
    while piece:
        piece = piece[self._file.write(piece) :]


@contextmanager
def without() -> Iterator[None]:
    """No byte is hashed."""

    class Nothing:
        def update(self, data: object) -> None:
            pass

        def hexdigest(self) -> str:
            return "0" * 64

    with (
        patch.object(hashing.HashingFile, "_put", plain),
        patch.object(hashing, "read", lambda path: "0" * 64),
        patch.object(_arrow, "xxh3_128", Nothing),
    ):
        yield


@contextmanager
def afterwards() -> Iterator[None]:
    """Every file is read again once it is on the disk, as is usual."""
    real = hashing.read

    class Sealing:
        """Hashes in the caller's thread."""

        def __init__(self, path: Path) -> None:
            self._digest = real(path)

        def result(self) -> str:
            return self._digest

    class Here:
        def __init__(self, workers: int) -> None:
            pass

        def __enter__(self) -> Here:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def submit(self, function: object, path: Path) -> Sealing:
            return Sealing(path)

    with (
        patch.object(hashing.HashingFile, "_put", plain),
        patch.object(hashing.HashingFile, "is_of", lambda self, handle: False),
        patch("concurrent.futures.ThreadPoolExecutor", Here),
    ):
        yield


@contextmanager
def peak() -> Iterator[list[float]]:
    """Growth of anonymous memory in the block, in MB, looked at every 20 ms."""
    growth, done, before = [0.0], threading.Event(), anonymous()

    def watch() -> None:
        while not done.wait(0.02):
            growth[0] = max(growth[0], anonymous() - before)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield growth
    finally:
        done.set()
        watcher.join()


def anonymous() -> float:
    """MB of this process that are no file's."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition("RssAnon:")[2].split()[0]) / 1024


def texts(size: int) -> Dataset:
    """Random letters."""
    length = 1300
    rows = size // (length + 12)
    letters = np.random.default_rng(0).integers(97, 123, rows * length, dtype=np.uint8)
    ends = np.arange(rows + 1, dtype=np.int32) * length
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(letters)]
    column = pa.Array.from_buffers(pa.string(), rows, buffers)
    return Dataset(pa.table({"text": column, "label": np.zeros(rows, np.int64)}))


def ids(size: int) -> Dataset:
    """Lists of token ids."""
    length = 256
    rows = size // (4 * length + 12)
    numbers = np.random.default_rng(0).integers(0, 30_000, rows * length, dtype=np.int32)
    ends = np.arange(rows + 1, dtype=np.int32) * length
    column = pa.ListArray.from_arrays(pa.array(ends), pa.array(numbers))
    return Dataset(pa.table({"input_ids": column, "label": np.zeros(rows, np.int64)}))


if __name__ == "__main__":
    sys.exit(main())
