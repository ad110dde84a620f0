"""The pictures of the documentation: a report, and what `runs compare` prints, of runs of the demo.

usage: python -m tests.tools.pictures [--project FOLDER] (with two tests of the demo; made if it is not there)
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.tools import browser

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"

_COLUMNS = 112
"""Of the terminal."""


def main() -> int:
    """Make both pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path, default=ROOT / "build" / "pictures")
    project: Path = parser.parse_args().project
    try:
        browser.chromium()
    except browser.NoBrowser as error:
        print(f"no pictures: {error}", file=sys.stderr)
        return 3
    if not project.is_dir():
        make(project)
    tests = [run["run"] for run in json.loads(call(project, "runs", "list", "--json"))
             if run["stage"] == "test" and run["status"] == "finished"]  # fmt: skip
    second, first, *_ = tests
    IMAGES.mkdir(exist_ok=True)
    page = project / "report.html"
    call(project, "report", second, "--output", str(page))
    browser.picture(page, IMAGES / "report.png", width=1000, height=1500)
    ends = [name.rpartition("-")[2] for name in (first, second)]
    shown = call(project, "runs", "compare", *ends)
    lines = [
        part
        for line in shown.splitlines()
        for part in textwrap.wrap(line, _COLUMNS, drop_whitespace=False) or [""]
    ]
    command = f"mlrecipe runs compare {' '.join(ends)}"
    browser.terminal(command, "\n".join(lines), IMAGES / "compare.png",
                     width=_COLUMNS * 9 + 60, height=len(lines) * 22 + 70)  # fmt: skip
    for path in (IMAGES / "report.png", IMAGES / "compare.png"):
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")
    return 0


def make(project: Path) -> None:
    """The demo, trained for a shorter and for a longer time."""
    shutil.rmtree(project, ignore_errors=True)
    call(project.parent, "new", str(project))
    call(project, "run", "demo.toml", "--set", "train.epochs=2")
    call(project, "run", "demo.toml")


def call(folder: Path, *arguments: str) -> str:
    """What a command prints."""
    folder.mkdir(parents=True, exist_ok=True)
    environment = {k: v for k, v in os.environ.items() if k != "MLRECIPE_STORE"}
    environment |= {"PYTHONPATH": str(ROOT), "COLUMNS": "150"}
    command = [sys.executable, "-m", "mlrecipe", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
