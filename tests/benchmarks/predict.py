"""What predicting a large file costs: rows per second and peak memory, of 2,500 reviews and of 25,000.

Trains a small model for a few steps in a temporary folder, then runs `mlrecipe predict`, each in a process.
Exits with 1 when the large file takes more than 200 MB more memory than the small one.

usage: python -m tests.benchmarks.predict --data DIR [--model DIR] [--rows 2500 25000] [--growth 200]
       DIR has train.csv.gz and test.csv.gz with the columns text and label
"""

from __future__ import annotations

import argparse
import csv
import gzip
import itertools
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "mlrecipe" / "data" / "tiny"
RECIPE = """
name = "reviews"

[nodes.reviews]
use = "load-files"
train = "{data}/train.csv.gz"

[nodes.some]
use = "select"
inputs = ["reviews"]
per_class = 100

[nodes.split]
use = "split"
inputs = ["some"]
source = "train"
target = "valid"
size = 0.2

[nodes.tokens]
use = "tokenize"
inputs = ["split"]
tokenizer = "{model}"
text = "text"
max_length = 128

[model]
use = "transformer"
{start} = "{model}"

[task]
use = "text-classification"
labels = ["neg", "pos"]

[train]
data = "tokens"
max_steps = 2
"""


def main() -> int:
    """Measure and print a Markdown table."""
    options = _options()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        model = options.model or TINY
        start = "checkpoint" if options.model else "config"
        recipe = RECIPE.format(data=options.data.resolve(), model=model.resolve(), start=start)
        (folder / "recipe.toml").write_text(recipe)
        call(folder, "train", "recipe.toml", "--quiet")
        print("| rows | s in all | rows/s in all | peak memory, MB |")
        print("|---:|---:|---:|---:|")
        peaks = []
        for rows in options.rows:
            write(options.data / "test.csv.gz", folder / f"{rows}.csv", rows)
            names = ("--input", f"{rows}.csv", "--output", f"{rows}-out.csv")
            seconds, peak = call(folder, "predict", "recipe.toml", "--quiet", *names)
            peaks.append(peak)
            print(f"| {rows:,} | {seconds:.1f} | {rows / seconds:,.0f} | {peak / 2**20:,.0f} |")
        return int(max(peaks) - peaks[0] > options.growth * 2**20)


def write(source: Path, target: Path, rows: int) -> None:
    """The first rows of a file, again from its beginning where there are not so many."""
    with target.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["text", "label"])
        left = rows
        while left > 0:
            with gzip.open(source, "rt", newline="", encoding="utf-8") as file:
                for row in itertools.islice(csv.DictReader(file), left):
                    writer.writerow([row["text"], row["label"]])
                    left -= 1


def call(folder: Path, *arguments: str) -> tuple[float, int]:
    """Seconds and peak memory in bytes of a command in a process of its own."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "mlrecipe", *arguments],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise SystemExit(f"mlrecipe {arguments[0]} failed")
    return time.perf_counter() - started, usage.ru_maxrss * 1024


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--rows", type=int, nargs="+", default=[2_500, 25_000])
    parser.add_argument("--growth", type=float, default=200, help="MB")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
