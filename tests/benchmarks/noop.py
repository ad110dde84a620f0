"""What `mlrecipe prepare` costs when there is nothing to do, for 10, 100 and 1,000 nodes.

CPU seconds (user and system, of the whole child process; the least of several runs) above those of
`python -c "import typer"`. Exits with 1 when a limit is exceeded.

usage: python tests/benchmarks/noop.py [--repeats 9]
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

LIMITS = {10: 0.10, 100: 0.10, 1000: 0.25}
"""Nodes → CPU seconds above `import typer`."""

PLUGIN = '''from __future__ import annotations
import mlrecipe


@mlrecipe.op("start")
def start(*, count: int, seed: int) -> list[int]:
    """Some numbers."""
    return list(range(seed, seed + count))


@mlrecipe.op("add")
def add(values: list[int], *, amount: int) -> list[int]:
    """Add to each."""
    return [value + amount for value in values]
'''


def main() -> int:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        projects = {n: _project(Path(folder) / str(n), n) for n in LIMITS}
        settled = time.monotonic() + 2.5  # after two seconds the files' stamps may be trusted
        base, costs, walls = float("inf"), dict.fromkeys(projects, float("inf")), {}
        while time.monotonic() < settled:
            time.sleep(0.1)
        for path in projects.values():
            _cpu([sys.executable, "-m", "mlrecipe", "prepare", str(path)])
        for _ in range(options.repeats):  # interleaved, so that a busy moment hits all alike
            base = min(base, _cpu([sys.executable, "-c", "import typer"])[0])
            for nodes, path in projects.items():
                cpu, wall = _cpu([sys.executable, "-m", "mlrecipe", "prepare", str(path)])
                costs[nodes] = min(costs[nodes], cpu)
                walls[nodes] = min(walls.get(nodes, wall), wall)
    print("| nodes | CPU s | above `import typer` | limit | wall s |")
    print("|---|---|---|---|---|")
    print(f"| `import typer` | {base:.3f} | | | |")
    for nodes, cost in costs.items():
        cells = f"{cost:.3f} | {cost - base:.3f} | {LIMITS[nodes]:.2f} | {walls[nodes]:.3f}"
        print(f"| {nodes:,} | {cells} |")
    return int(any(cost - base > LIMITS[nodes] for nodes, cost in costs.items()))


def _project(folder: Path, nodes: int) -> Path:
    (folder / ".mlrecipe").mkdir(parents=True)
    (folder / "ops.py").write_text(PLUGIN)
    lines = [
        'name = "chain"',
        'plugins = ["ops.py"]',
        "",
        "[nodes.n0]",
        'use = "start"',
        "count = 5",
    ]
    for i in range(1, nodes):
        lines += ["", f"[nodes.n{i}]", 'use = "add"', f'inputs = ["n{i - 1}"]', f"amount = {i}"]
    path = folder / "chain.toml"
    path.write_text("\n".join(lines))
    subprocess.run([sys.executable, "-m", "mlrecipe", "-q", "prepare", str(path)], check=True)
    return path


def _cpu(command: list[str]) -> tuple[float, float]:
    # Bytecode may be kept, as it is for any user.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    environment["HF_HUB_OFFLINE"] = "1"
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - began
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


if __name__ == "__main__":
    sys.exit(main())
