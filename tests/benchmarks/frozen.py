"""How much faster epochs are from the kept outputs of a frozen encoder than with the encoder run in each.

Trains a head on RTE, all layers frozen, in a project of its own: without the store, with it, and once more.
An epoch's time is from its first batch to the end of its validation, checkpoints included; `training` leaves
out what checkpoints take. The best epoch of each counts. Exits with 1 when the limit is missed.

usage: python -m tests.benchmarks.frozen --data GLUE/RTE --model FOLDER [--rows 400] [--epochs 3] [--limit 20]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

RECIPE = """
name = "frozen"
plugins = ["clock.py"]
{limit}

[nodes.table]
use = "load-files"
train = "{data}/train.tsv"
valid = "{data}/dev.tsv"

[nodes.tokens]
use = "tokenize"
inputs = ["table"]
text = "sentence1"
text_pair = "sentence2"
tokenizer = "{model}"
max_length = 256

[model]
use = "transformer"
checkpoint = "{model}"
freeze_layers = "all"

[task]
use = "text-classification"
labels = ["entailment", "not_entailment"]

[train]
data = "tokens"
epochs = {epochs}
optimizer = {{ use = "AdamW", lr = 1e-3 }}
callbacks.clock = {{ use = "clock" }}
trainer = {{ accelerator = "cpu" }}
"""
PLUGIN = '''
import json
import time
from pathlib import Path

import pytorch_lightning as pl

import mlrecipe


@mlrecipe.callback("clock")
class Clock(pl.Callback):
    """Notes the seconds from the first batch to the last one's end, and to the next epoch's first."""

    def __init__(self):
        self.epochs = []

    def on_train_epoch_start(self, trainer, module):
        now = time.perf_counter()
        if self.epochs:
            self.epochs[-1]["epoch"] = now - self.began
        self.began, self.paused = now, 0.0
        self.epochs.append({})

    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        if batch_idx == 0:
            self.first = time.perf_counter()

    def on_validation_start(self, trainer, module):
        self.validating = time.perf_counter()
        self.learnt = self.validating - self.first

    def on_validation_epoch_end(self, trainer, module):
        self.epochs[-1]["training"] = self.learnt + time.perf_counter() - self.validating

    def on_fit_end(self, trainer, module):
        self.epochs[-1]["epoch"] = time.perf_counter() - self.began
        Path("epochs.json").write_text(json.dumps(self.epochs))
'''


def main() -> int:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of RTE")
    parser.add_argument("--model", type=Path, required=True, help="folder of the encoder")
    parser.add_argument("--rows", type=int, help="of each split; all by default")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--limit", type=float, default=20.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        limit = f"limit = {options.rows}" if options.rows else ""
        text = RECIPE.format(
            data=options.data.resolve(), model=options.model.resolve(), epochs=options.epochs,
            limit=limit,
        )  # fmt: skip
        (folder / ".mlrecipe").mkdir()
        (folder / "frozen.toml").write_text(text, encoding="utf-8")
        (folder / "clock.py").write_text(PLUGIN, encoding="utf-8")
        plain = trained(folder, "train.cache_frozen=false")
        found = {"encoder in every epoch": plain, "outputs kept": trained(folder),
                 "outputs kept, second training": trained(folder)}  # fmt: skip
    print("| | training, s an epoch | epoch with checkpoints, s | whole command, s |")
    print("|---|---:|---:|---:|")
    for label, times in found.items():
        print(f"| {label} | {times['training']:.3f} | {times['epoch']:.3f} | {times['all']:.1f} |")
    ratio = plain["training"] / found["outputs kept"]["training"]
    with_checkpoints = plain["epoch"] / found["outputs kept"]["epoch"]
    print(
        f"\nfaster by {ratio:.1f}, at least {options.limit}; {with_checkpoints:.1f} with checkpoints"
    )
    return int(ratio < options.limit)


def trained(folder: Path, *settings: str) -> dict[str, float]:
    """Train in a process of its own: the best epoch's seconds, and those of the command."""
    sets = [part for setting in settings for part in ("--set", setting)]
    command = [sys.executable, "-m", "mlrecipe", "train", "frozen.toml", *sets]
    root = str(Path(__file__).parents[2])
    began = time.perf_counter()
    subprocess.run(
        command, cwd=folder, check=True, env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    seconds = time.perf_counter() - began
    epochs: list[dict[str, Any]] = json.loads((folder / "epochs.json").read_text(encoding="utf-8"))
    best = {key: min(epoch[key] for epoch in epochs) for key in ("training", "epoch")}
    return {**best, "all": seconds}


if __name__ == "__main__":
    sys.exit(main())
