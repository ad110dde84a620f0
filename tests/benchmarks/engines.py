"""mlrecipe beside DVC and Snakemake on the same graphs: nothing to do, and everything to do.

Each graph is made of chains of ten steps: one that starts it, then three diamonds (two steps on the
same input, one that joins them). A step adds numbers: a Python function for mlrecipe, a Python process
without `site` for the others, which is how they run Python. All figures are CPU seconds (user and
system) of the whole tree of processes: with nothing to do the least of several, taken in turns; first
runs once. DVC needs half an hour for a first run of 1,000 stages: above --cold-nodes its lock file and
cache are written instead. Exits with 1 when a target is missed.

usage: python -m tests.benchmarks.engines [--peers DIR] [--nodes 10 100 1000] [--repeats 7]
           [--cold-nodes 100]
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks.peers import Cost, Dvc, Engine, Mlrecipe, Snakemake, graph, run, say

SETTLING = 2.5
"""Seconds until the stamps of new files may be trusted."""


def main() -> int:
    """Measure and print two Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--peers", type=Path, help="where the peers are installed, and kept")
    parser.add_argument("--nodes", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--cold-nodes", type=int, default=100, help="most for a first run of DVC")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        # What the peers keep outside their projects goes away with the folder.
        os.environ.update(DVC_SITE_CACHE_DIR=str(folder / "dvc"), DVC_NO_ANALYTICS="1")
        os.environ.update(XDG_CACHE_HOME=str(folder / "cache"), XDG_CONFIG_HOME=str(folder / "etc"))
        peers = (options.peers or folder / "peers").absolute()
        engines: list[Engine] = [Mlrecipe(), Dvc(peers), Snakemake(peers)]
        projects = folder / "projects"
        cold = _cold(engines, projects, options.nodes, options.cold_nodes)
        warm = _warm(engines, projects, options.nodes, options.repeats)
        step = min(_step_alone(projects / "DVC" / str(options.nodes[0])) for _ in range(9))
    is_met = _print_warm(engines, warm, options.nodes)
    _print_cold(engines, cold, step)
    return 0 if is_met else 1


def _cold(
    engines: Sequence[Engine], projects: Path, sizes: Sequence[int], most: int
) -> dict[tuple[str, int], Cost]:
    """What a first run took; those that would take too long are left out, their outcome written."""
    costs = {}
    for nodes in sizes:
        edges = graph(nodes)
        for engine in engines:
            folder = projects / engine.name / str(nodes)
            folder.mkdir(parents=True)
            engine.write(folder, edges)
            if isinstance(engine, Dvc) and nodes > most:
                engine.finish(folder, edges)
                continue
            say(f"first run of {nodes:,} nodes with {engine.name}")
            costs[engine.name, nodes] = run(engine.command(is_quiet=True), folder)
    return costs


def _warm(
    engines: Sequence[Engine], projects: Path, sizes: Sequence[int], repeats: int
) -> dict[tuple[str, int], float]:
    """The least CPU time of a run with nothing to do."""
    places = {(e.name, n): (e, projects / e.name / str(n)) for n in sizes for e in engines}
    time.sleep(SETTLING)
    for (name, nodes), (engine, folder) in places.items():
        say(f"{name}: is there nothing to do in {nodes:,} nodes?")
        run(engine.command(is_quiet=False), folder, says=engine.done)
    costs = dict.fromkeys(places, float("inf"))
    for repeat in range(repeats):  # in turns, so that a busy moment hits all alike
        say(f"nothing to do: round {repeat + 1} of {repeats}")
        for key, (engine, folder) in places.items():
            costs[key] = min(costs[key], run(engine.command(is_quiet=True), folder).cpu)
    return costs


def _print_warm(
    engines: Sequence[Engine], costs: Mapping[tuple[str, int], float], sizes: Sequence[int]
) -> bool:
    """Print the table; says whether every target is met."""
    names = [engine.name for engine in engines]
    print("Nothing to do, CPU s:\n")
    print(f"| nodes | {' | '.join(names)} | best peer / mlrecipe | at least |")
    print("|---:|" + "---:|" * (len(names) + 2))
    is_met = True
    for nodes in sizes:
        cpu = [costs[name, nodes] for name in names]
        ratio, target = min(cpu[1:]) / cpu[0], 4 if nodes <= 10 else 5
        is_met = is_met and ratio >= target
        cells = " | ".join(f"{seconds:.3f}" for seconds in cpu)
        print(f"| {nodes:,} | {cells} | {ratio:.1f} | {target} |")
    return is_met


def _print_cold(
    engines: Sequence[Engine], costs: Mapping[tuple[str, int], Cost], step: float
) -> None:
    print("\nFirst run, CPU ms and wall ms per node:\n")
    print("| engine | nodes | CPU ms | wall ms |\n|---|---:|---:|---:|")
    for (name, nodes), cost in sorted(costs.items(), key=lambda item: item[0]):
        each = f"{1000 * cost.cpu / nodes:.1f} | {1000 * cost.wall / nodes:.1f}"
        print(f"| {name} | {nodes:,} | {each} |")
    print(f"\nOf the peers' CPU time {1000 * step:.1f} ms per node is the step's own process.")


def _step_alone(folder: Path) -> float:
    return run([sys.executable, "-S", "step.py", "1", "alone.txt"], folder).cpu


if __name__ == "__main__":
    sys.exit(main())
