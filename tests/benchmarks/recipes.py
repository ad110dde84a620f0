"""What each recipe of recipes/ reaches on its own data, in full, with a small encoder.

Every one goes through the command `mlrecipe run`, in a project of its own, as its first lines say; only the
encoder and, where it stands in the command, the rate are others. Prints the table of recipes/README.md; a
recipe whose data are not there is named below it.

    python -m tests.benchmarks.recipes --data FOLDER --model FOLDER [--of RECIPE …] [--set limit=3000]

FOLDER of the data has imdb, sms_spam, glue, conll2003, ud_english_ewt, snips and cora_refs, as the recipes'
first lines describe them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
_RATE = ("--set", "train.optimizer.lr=2e-4")
"""For an encoder as small as MiniLM; the recipes' own rates are for those of BERT's size."""

RUNS = {
    "sms-spam": ("SMS_DIR", "sms_spam", _RATE),
    "imdb": ("IMDB_DIR", "imdb", ()),
    "regression": ("STSB_DIR", "glue/STS-B", _RATE),
    "conll2003-ner": ("CONLL_DIR", "conll2003", _RATE),
    "ewt-pos": ("EWT_DIR", "ud_english_ewt", _RATE),
    "snips-joint": ("SNIPS_DIR", "snips", _RATE),
    "cora-references": ("CORA_DIR", "cora_refs", ()),
}
"""Recipe → the variable that says where its data are, their folder, and what is changed."""


def main() -> int:
    """Run them and print a Markdown table; 0."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the folders of data")
    parser.add_argument("--model", type=Path, required=True, help="folder of the encoder")
    parser.add_argument("--of", nargs="+", choices=RUNS, default=list(RUNS))
    parser.add_argument("--set", action="append", default=[], help="a setting of all of them")
    options = parser.parse_args()
    more = [part for text in options.set for part in ("--set", text)]
    print("| recipe | command | on the test split | seconds |\n|---|---|---|---:|")
    missing = []
    for recipe in options.of:
        if (options.data / RUNS[recipe][1]).is_dir():
            print(_row(recipe, options.data.resolve(), options.model.resolve(), more), flush=True)
        else:
            missing.append(recipe)
    if missing:
        print(f"no data here: {', '.join(missing)}")
    return 0


def _row(recipe: str, data: Path, model: Path, more: list[str]) -> str:
    variable, folder, changed = RUNS[recipe]
    env = {
        **os.environ, variable: str(data / folder), "CHECKPOINT": str(model),
        "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    words = ["mlrecipe", "run", recipe, *changed, *more]
    with tempfile.TemporaryDirectory(prefix="recipes-") as name:
        (Path(name) / ".mlrecipe").mkdir()
        shutil.copy(ROOT / "recipes" / f"{recipe}.toml", name)
        begun = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", *words, "--json"], cwd=name, env=env,
                              stdout=subprocess.PIPE, check=True)  # fmt: skip
        seconds = time.perf_counter() - begun
    metrics = json.loads(done.stdout)[-1]["metrics"]
    found = ", ".join(
        f"{name.removeprefix('test/')} {value:.4f}" for name, value in metrics.items()
    )
    return f"| {recipe} | `{' '.join(words)}` | {found} | {seconds:.0f} |"


if __name__ == "__main__":
    sys.exit(main())
