"""What a TAB costs: the wall time of the process that answers it, for lines that need more and more.

The best of several processes each, and its ratio to the limit. Exits with 1 when one is over the limit.

usage: python tests/benchmarks/completion.py [--limit 0.3] [--repeats 5]
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mlrecipe.cli.entry import COMPLETE

RECIPE = """
name = "imdb"

[nodes.reviews]
use = "load-files"
train = "train.csv"

[nodes.tokens]
use = "tokenize"
inputs = ["reviews"]
tokenizer = "distilbert-base-uncased"

[model]
use = "transformer"
checkpoint = "distilbert-base-uncased"

[task]
use = "text-classification"

[train]
data = "tokens"

[train.callbacks.stop]
use = "EarlyStopping"
"""

LINES = {
    "commands": "mlrecipe ",
    "recipes": "mlrecipe train ",
    "nodes": "mlrecipe plan imdb.toml ",
    "keys": "mlrecipe train imdb.toml --set train.o",
    "keys of an optimizer": "mlrecipe train imdb.toml --set train.optimizer.",
    "keys of the Trainer": "mlrecipe train imdb.toml --set train.trainer.",
    "keys of a callback": "mlrecipe train imdb.toml --set train.callbacks.stop.",
    "values": "mlrecipe train imdb.toml --set train.mode=",
    "names": "mlrecipe list ops ",
    "option names": "mlrecipe train imdb.toml --",
}


def main() -> int:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--limit", type=float, default=0.3, help="seconds of wall time")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    best = dict.fromkeys(LINES, float("inf"))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "imdb.toml").write_text(RECIPE)
        for _ in range(options.repeats):  # interleaved, so that a busy moment hits all alike
            for name, line in LINES.items():
                best[name] = min(best[name], _seconds(line, folder))
    print("| at the cursor | wall s | of the limit |")
    print("|---|---|---|")
    for name, seconds in best.items():
        print(f"| {name} | {seconds:.3f} | {seconds / options.limit:.0%} |")
    return int(max(best.values()) > options.limit)


def _seconds(line: str, folder: str) -> float:
    command = [sys.executable, "-m", "mlrecipe", COMPLETE, "zsh", line]
    began = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
    seconds = time.perf_counter() - began
    if not done.stdout:
        raise SystemExit(f"nothing is offered for {line!r}")
    return seconds


if __name__ == "__main__":
    sys.exit(main())
