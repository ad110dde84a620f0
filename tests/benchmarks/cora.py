"""How well recipes/cora-references.toml learns Cora's references: by its own network and by an encoder.

References are taken once each; of these 100 are drawn to judge by and 399 are learnt from, in several draws,
each with several seeds of training. All goes through the command `mlrecipe run`, in a project of its own.

    python -m tests.benchmarks.cora --data FOLDER --model FOLDER [--draws 5] [--seeds 3] [--of KIND …]

FOLDER has `tagged_references.txt`. Prints a line for each training, then the means. The exit code is 1 unless
all means of `bilstm` and `encoder` are above those of an untuned BiLSTM over words and characters on the same
references, five times 400 and 100: token micro F1 0.955, token macro F1 0.894, span F1 0.879. `each` is the
network of `bilstm` without a CRF, to compare with.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from mlrecipe.cli.app import run as command

RECIPE = Path(__file__).parents[2] / "recipes" / "cora-references.toml"
FLOORS = {"f1-micro": 0.955, "f1-macro": 0.894, "span-f1": 0.879}
KINDS = {
    "bilstm": (),
    "each": ("--set", "task.crf=false"),
    "encoder": ("--pick", "model=encoder"),
}


def main() -> int:
    """Train all of it and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the references")
    parser.add_argument("--model", type=Path, required=True, help="folder of the encoder")
    parser.add_argument("--draws", type=int, default=5, help="of the references to judge by")
    parser.add_argument("--seeds", type=int, default=3, help="of training, for each draw")
    parser.add_argument("--of", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--set", action="append", default=[], help="a setting of the recipe")
    options = parser.parse_args()
    os.environ["CORA_DIR"] = str(options.data.resolve())
    os.environ["CHECKPOINT"] = str(options.model.resolve())
    warnings.simplefilter("ignore")
    changes = [part for text in options.set for part in ("--set", text)]
    print("| | draw | seed | " + " | ".join(FLOORS) + " | seconds |")
    print("|---|---:|---:|" + "---:|" * (len(FLOORS) + 1))
    means = {}
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        Path(".mlrecipe").mkdir()
        shutil.copy(RECIPE, ".")
        for kind in options.of:
            found = [
                judged((*KINDS[kind], *changes), kind, draw=draw, seed=seed)
                for draw in range(1, options.draws + 1)
                for seed in range(1, options.seeds + 1)
            ]
            means[kind] = [
                statistics.mean(each[place] for each in found) for place in range(len(FLOORS))
            ]
            ranges = [
                f"{min(column):.3f} to {max(column):.3f}" for column in zip(*found, strict=True)
            ]
            print(row(kind, "all", "all", [f"**{mean:.4f}**, {reach}" for mean, reach in
                                           zip(means[kind], ranges, strict=True)]), flush=True)  # fmt: skip
    missed = [kind for kind, found in means.items() if kind != "each" and not is_above(found)]
    print(f"floors: {FLOORS}; not above: {', '.join(missed) or 'none'}")
    return int(bool(missed))


def judged(settings: Sequence[str], kind: str, *, draw: int, seed: int) -> list[float]:
    """The metrics of one training."""
    started = time.perf_counter()
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO()) as wrong:
        code = command([
            "run", RECIPE.name, *settings, "--json", "--set", f"nodes.parts.seed={draw}",
            "--set", f"train.seed={seed}",
        ])  # fmt: skip
    if code:
        raise SystemExit(wrong.getvalue())
    metrics = json.loads(said.getvalue())[-1]["metrics"]
    found = [float(metrics[f"test/{name}"]) for name in FLOORS]
    seconds = f"{time.perf_counter() - started:.0f}"
    cells = [f"{value:.4f}" for value in found]
    print(row(kind, str(draw), str(seed), [*cells, seconds]), flush=True)
    return found


def row(*cells: str | Sequence[str]) -> str:
    """A line of the table."""
    flat = [cell for each in cells for cell in ([each] if isinstance(each, str) else each)]
    return f"| {' | '.join(flat)} |"


def is_above(means: Sequence[float]) -> bool:
    """Whether all means are above the floors."""
    return all(mean > floor for mean, floor in zip(means, FLOORS.values(), strict=True))


if __name__ == "__main__":
    sys.exit(main())
