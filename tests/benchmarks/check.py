"""How long `check` takes, in processes of its own, over recipes of growing size, against its limits.

usage: python tests/benchmarks/check.py [--repeats N]
"""

from __future__ import annotations

import argparse
import gzip
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
LIMITS = {"recipes/imdb.toml": 0.3, "2,000 nodes": 1.5}
"""Seconds of wall time."""

SIZES = (100, 500, 2000)

OPS = '''
import mlrecipe


@mlrecipe.op("make")
def make(*, count: int = 3, name: str = "x", rate: float = 0.5) -> list:
    """Some values."""
    return [name] * count


@mlrecipe.op("merge")
def merge(left, right, *, weight: float = 0.5) -> list:
    """Both, one after the other."""
    return left + right
'''


def main() -> int:
    """Print a table; exit code 1 when a limit is broken or the cost grows faster than the recipe."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / ".mlrecipe").mkdir()
        (folder / "ops.py").write_text(OPS)
        recipes = {"recipes/imdb.toml": _imdb(folder)}
        for size in SIZES:
            recipes[f"{size:,} nodes"] = _write(folder / f"{size}.toml", size)
        seconds = {name: _best(path, folder, repeats) for name, path in recipes.items()}
    print("| recipe | `check`, s | limit, s | ratio |\n|---|---|---|---|")
    for name, took in seconds.items():
        limit = LIMITS.get(name)
        ratio = f"{took / limit:.2f}" if limit else ""
        print(f"| {name} | {took:.3f} | {limit or ''} | {ratio} |")
    growth = seconds["2,000 nodes"] / seconds["500 nodes"]
    print(f"\n2,000 nodes take {growth:.2f} times as long as 500: linear or better is at most 4")
    broken = [name for name, limit in LIMITS.items() if seconds[name] > limit]
    return 1 if broken or growth > 4 else 0


def _imdb(folder: Path) -> Path:
    data = folder / "data" / "imdb"
    data.mkdir(parents=True)
    for name in ("train", "test"):
        (data / f"{name}.csv.gz").write_bytes(gzip.compress(b"text,label\nfine,pos\n"))
    path = folder / "imdb.toml"
    path.write_text((ROOT / "recipes" / "imdb.toml").read_text())
    return path


def _write(path: Path, nodes: int) -> Path:
    """A recipe of so many nodes: pairs that are merged, with references and every kind of value."""
    lines = ['name = "many"', 'plugins = ["ops.py"]', "seed = 3"]
    for number in range(nodes):
        lines.append(f"\n[nodes.n{number}]")
        if number % 3 < 2:
            lines += ['use = "make"', f"count = {number}", f'name = "n-${{seed}}-{number}"']
        else:
            lines += ['use = "merge"', f'inputs = ["n{number - 1}", "n{number - 2}"]', "weight = 1"]
    path.write_text("\n".join(lines) + "\n")
    return path


def _best(path: Path, folder: Path, repeats: int) -> float:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", "mlrecipe", "check", path.name],
            cwd=folder, env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True,
            text=True, check=False,
        )  # fmt: skip
        times.append(time.perf_counter() - began)
        assert done.returncode == 0, done.stderr
    return min(times)


if __name__ == "__main__":
    sys.exit(main())
