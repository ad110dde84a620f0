"""Two settings on real reviews, trained, tested and compared: what the verdict is, and what each step takes.

Trains the IMDb recipe on 2,000 reviews and tests it on 2,000, twice. Then what needs no model is timed, each
as a command of its own: the evaluation nodes, the comparison, the report.

usage: python -m tests.benchmarks.evaluation --data IMDB --model FOLDER [--set train.optimizer.lr=2e-5]
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

ROOT = Path(__file__).parents[2]
NODES = """
[evaluate]
validation = []

[evaluate.nodes.lengths]
use    = "slices"
inputs = ["predictions"]
by     = "length"

[evaluate.nodes.intervals]
use     = "bootstrap"
inputs  = ["predictions"]
metrics = ["accuracy", "f1"]
"""


def main() -> int:
    """Train twice, compare, print; 0."""
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="evaluation-") as name:
        folder = Path(name)
        (folder / ".mlrecipe").mkdir()
        text = (ROOT / "recipes" / "imdb.toml").read_text(encoding="utf-8")
        (folder / "imdb.toml").write_text(text + NODES, encoding="utf-8")
        env = {
            **os.environ, "IMDB_DIR": str(arguments.data.resolve()), "PYTHONPATH": str(ROOT),
            "CHECKPOINT": str(arguments.model.resolve()), "HF_HUB_OFFLINE": "1",
        }  # fmt: skip
        given = [part for text in arguments.sets for part in ("--set", text)]
        common = [part for text in arguments.both for part in ("--set", text)]
        seconds = {
            "first setting": _run(folder, env, "run", "imdb.toml", *common),
            "second setting": _run(folder, env, "run", "imdb.toml", *common, *given),
        }
        tests = [run["run"] for run in _json(folder, env, "runs", "list", "--stage", "test")]
        again = ("--force", "lengths", "--force", "intervals")
        seconds["evaluate again"] = _run(folder, env, "evaluate", "imdb.toml", *again)
        seconds["runs compare"] = _run(folder, env, "runs", "compare", *tests[::-1])
        seconds["report"] = _run(folder, env, "report", tests[0])
        found = _json(folder, env, "runs", "compare", *tests[::-1])
    print(f"| {' | '.join(seconds)} |\n|{' ---: |' * len(seconds)}")
    print(f"| {' | '.join(f'{value:.1f} s' for value in seconds.values())} |\n")
    for metric in found["splits"]["test"]:
        print(f"- {metric['verdict']}")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--set", dest="sets", action="append", default=[])
    parser.add_argument("--both", action="append", default=[], help="a setting of both runs")
    arguments = parser.parse_args()
    arguments.sets = arguments.sets or ["train.optimizer.lr=2e-5"]
    return arguments


def _run(folder: Path, env: dict[str, str], *words: str) -> float:
    """Seconds that a command takes."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "mlrecipe", *words], cwd=folder, env=env, check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    return time.perf_counter() - begun


def _json(folder: Path, env: dict[str, str], *words: str) -> Any:
    done = subprocess.run([sys.executable, "-m", "mlrecipe", *words, "--json"], cwd=folder,
                          env=env, check=True, capture_output=True)  # fmt: skip
    return json.loads(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
