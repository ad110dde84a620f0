"""How long `mlrecipe runs list` takes in a project of many runs, beside one of few.

Wall seconds of the whole process, best and median of several: with the index, and without it once. Exits with 1
when the limit is missed.

usage: python -m tests.benchmarks.runs [--runs 2000] [--rounds 7] [--limit 0.5]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mlrecipe.runs.index import PLACE
from mlrecipe.runs.run import create

RECIPE = """\
name = "sweep"
seed = {seed}
relative_to = "."

[nodes.table]
use = "load-files"
train = "data/reviews.csv"
format = "auto"
header = true

[nodes.tokens]
use = "tokenize"
inputs = ["table"]
tokenizer = "models/tiny"
max_length = 64
batch_rows = 1000

[model]
use = "transformer"
config = "models/tiny"

[task]
use = "text-classification"
labels = ["negative", "positive"]
metrics = ["accuracy", "f1"]

[train]
data = "tokens"
epochs = {epochs}
batch_size = {batch}
monitor = "valid/accuracy"
train_split = "train"
valid_split = "valid"
eval_batch_size = 64
batching = "bucket"

[train.optimizer]
use = "AdamW"
lr = {lr}
weight_decay = 0.01
betas = [0.9, 0.999]
eps = 1e-08

[test]
split = "test"
batch_size = 64
checkpoint = "best"
"""
COMMANDS = {
    "list": ["runs", "list"],
    "list --limit 20": ["runs", "list", "--limit", "20"],
    "list --where": ["runs", "list", "--where", "accuracy>0.95 and batch_size=16", "--sort", "accuracy-"],
    "list --json": ["runs", "list", "--json"],
}  # fmt: skip


def main() -> int:
    """Measure projects of few and of many runs and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--limit", type=float, default=0.5)
    options = parser.parse_args()
    print("| command | runs | without index s | best s | median s |")
    print("|---|---:|---:|---:|---:|")
    slowest = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for count in (10, options.runs):
            project = Path(folder) / str(count)
            write(project, count)
            time.sleep(2.1)  # files that were just written are read again
            for name, arguments in COMMANDS.items():
                (project / PLACE).unlink(missing_ok=True)
                first = spend(arguments, project)
                times = [spend(arguments, project) for _ in range(options.rounds)]
                best, middle = min(times), statistics.median(times)
                if name == "list":
                    slowest = max(slowest, middle)
                print(f"| `{name}` | {count:,} | {first:.3f} | {best:.3f} | {middle:.3f} |")
    print(f"\n`runs list`: {slowest:.3f} s, at most {options.limit}")
    return int(slowest > options.limit)


def write(project: Path, count: int) -> None:
    """A project of so many runs, trainings of a sweep and their tests."""
    (project / ".mlrecipe").mkdir(parents=True)
    parent = ""
    for number in range(count):
        is_test = number % 2 == 1
        facts = {"parent": parent, "rows": 160} if is_test else {"steps": 175, "best_step": 175}
        run = create(
            project, name="sweep", stage="test" if is_test else "train", recipe="sweep.toml",
            fingerprint=f"{number:064d}", **facts,
        )  # fmt: skip
        parent = parent if is_test else run.id
        kind = number // 2
        text = RECIPE.format(
            seed=kind, epochs=kind % 5, batch=2 ** (kind % 6), lr=0.001 * (kind % 7)
        )
        (run.folder / "recipe.resolved.toml").write_text(text, encoding="utf-8")
        place = "test" if is_test else "valid"
        run.write(
            "metrics.json", {f"{place}/accuracy": 0.9 + kind % 90 / 1000, f"{place}/loss": 0.3}
        )
        run.write("env.json", {"git": {"commit": f"{kind % 9:040d}", "dirty": False}})
        run.write("outputs.json", json.loads('{"best": {"path": "checkpoints/best"}}'))
        run.finish("finished", seconds=2.7, splits={"train": 560, "valid": 80})


def spend(arguments: list[str], folder: Path) -> float:
    """Wall seconds of a process."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "mlrecipe", *arguments], cwd=folder, check=True,
        capture_output=True, env=environment,
    )  # fmt: skip
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
