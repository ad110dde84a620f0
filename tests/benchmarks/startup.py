"""How long `mlrecipe train` of a prepared recipe takes to its first step, beside what nobody can avoid.

Unavoidable: a process that imports torch, pytorch_lightning and transformers and loads the checkpoint. Both in
turns, best of several; CPU seconds (which other work on the machine does not change much) and wall seconds.
Exits with 1 when the limit is missed.

usage: python -m tests.benchmarks.startup --model FOLDER [--rounds 5] [--limit 1.2]
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

UNAVOIDABLE = """
import torch, pytorch_lightning, transformers
transformers.AutoModelForSequenceClassification.from_pretrained({model!r})
"""
PLUGIN = """
import os

import pytorch_lightning as pl

import mlrecipe


@mlrecipe.callback("leave")
class Leave(pl.Callback):
    def on_train_batch_start(self, *found):
        os._exit(0)
"""
RECIPE = """
name = "startup"
plugins = ["leave.py"]

[nodes.table]
use = "load-files"
train = "rows.csv"
valid = "rows.csv"

[nodes.tokens]
use = "tokenize"
inputs = ["table"]
tokenizer = "{model}"

[model]
use = "transformer"
checkpoint = "{model}"

[task]
use = "text-classification"

[train]
data = "tokens"
trainer = {{ accelerator = "cpu" }}

[train.callbacks.leave]
use = "leave"
"""


def main() -> int:
    """Measure both in turns and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder of an encoder")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--limit", type=float, default=1.2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        write(project, options.model.resolve())
        mlrecipe = [sys.executable, "-m", "mlrecipe"]
        spend([*mlrecipe, "prepare", "startup.toml"], project)
        commands = {
            "imports and checkpoint": [
                sys.executable, "-c", UNAVOIDABLE.format(model=str(options.model.resolve())),
            ],
            "mlrecipe train": [*mlrecipe, "train", "startup.toml"],
        }  # fmt: skip
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for _ in range(options.rounds):
            for name, command in commands.items():
                found[name].append(spend(command, project))
    print("| to the first step | CPU s | wall s |")
    print("|---|---:|---:|")
    least = {
        name: [min(column) for column in zip(*times, strict=True)] for name, times in found.items()
    }
    for name, (cpu, wall) in least.items():
        print(f"| {name} | {cpu:.2f} | {wall:.2f} |")
    (cpu, wall), (own_cpu, own_wall) = least.values()
    print(f"\nratio: CPU {own_cpu / cpu:.2f}, wall {own_wall / wall:.2f}, at most {options.limit}")
    return int(own_wall / wall > options.limit)


def write(project: Path, model: Path) -> None:
    """A project of 64 rows whose training ends at its first step."""
    rows = "".join(f"a short text of row {i},{'yes' if i % 2 else 'no'}\n" for i in range(64))
    (project / "rows.csv").write_text("text,label\n" + rows, encoding="utf-8")
    (project / "leave.py").write_text(PLUGIN, encoding="utf-8")
    (project / "startup.toml").write_text(RECIPE.format(model=model), encoding="utf-8")


def spend(command: list[str], folder: Path) -> tuple[float, float]:
    """CPU and wall seconds of a process."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
