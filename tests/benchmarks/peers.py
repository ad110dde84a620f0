"""The engines that are measured side by side: how each is installed, given a graph, and run."""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

DVC = "dvc==3.67.1"
SNAKEMAKE = "snakemake==9.27.1"

OPS = '''from __future__ import annotations
import mlrecipe


@mlrecipe.op("start")
def start(*, amount: int) -> int:
    """A number."""
    return amount


@mlrecipe.op("add")
def add(value: int, *others: int, amount: int) -> int:
    """The sum of all."""
    return amount + value + sum(others)
'''

STEP = """import sys

amount, out, *sources = sys.argv[1:]
total = int(amount)
for source in sources:
    with open(source) as file:
        total += int(file.read())
with open(out, "w") as file:
    file.write(str(total))
"""

SNAKEFILE = """EDGES = {edges!r}

rule all:
    input: [f"out/{{name}}.txt" for name in EDGES]

def sources(wildcards):
    return [f"out/{{name}}.txt" for name in EDGES[wildcards.name]]

rule step:
    input: "step.py", sources
    output: "out/{{name}}.txt"
    params: amount=lambda wildcards: wildcards.name[1:], sources=sources
    shell: "{python} -S step.py {{params.amount}} {{output}} {{params.sources}}"
"""

Edges = Mapping[str, Sequence[str]]
"""Step → the steps that it takes numbers from; those come before it."""


def graph(nodes: int) -> Edges:
    """Chains of ten: n0; n1 and n2 take from it; n3 takes from both; n4 and n5 take from that …"""
    edges: dict[str, list[str]] = {}
    for i in range(nodes):
        place = i % 10
        if place == 0:
            edges[f"n{i}"] = []
        elif place % 3 == 0:
            edges[f"n{i}"] = [f"n{i - 2}", f"n{i - 1}"]
        else:
            edges[f"n{i}"] = [f"n{i - 1 - (place - 1) % 3}"]
    return edges


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took, all its processes together."""

    cpu: float
    wall: float


class Engine(Protocol):
    """Something that runs graphs."""

    name: str
    done: str
    """What it says when there is nothing to do."""

    def write(self, folder: Path, edges: Edges) -> None:
        """Make a project of the graph."""

    def command(self, *, is_quiet: bool) -> list[str]:
        """What runs the graph, in the project's folder."""


class Mlrecipe:
    """This project."""

    name = "mlrecipe"
    done = "all in the store"

    def write(self, folder: Path, edges: Edges) -> None:
        """A recipe and its ops."""
        (folder / ".mlrecipe").mkdir()
        (folder / "ops.py").write_text(OPS)
        lines = ['name = "graph"', 'plugins = ["ops.py"]']
        for name, sources in edges.items():
            inputs = ", ".join(f'"{source}"' for source in sources)
            use = [f'use = "{"add" if sources else "start"}"', f"amount = {name[1:]}"]
            lines += ["", f"[nodes.{name}]", *use, *([f"inputs = [{inputs}]"] if inputs else [])]
        (folder / "graph.toml").write_text("\n".join(lines) + "\n")

    def command(self, *, is_quiet: bool) -> list[str]:
        """See `Engine`."""
        flags = ["--quiet"] if is_quiet else []
        return [sys.executable, "-m", "mlrecipe", *flags, "prepare", "graph.toml"]


class Dvc:
    """DVC, in a folder without version control; it neither phones home nor looks for updates."""

    name = "DVC"
    done = "Data and pipelines are up to date."

    def __init__(self, peers: Path) -> None:
        self._program = _installed(peers / "dvc", DVC) / "dvc"

    def write(self, folder: Path, edges: Edges) -> None:
        """A stage per step."""
        (folder / "step.py").write_text(STEP)
        lines = ["stages:"]
        for name in edges:
            lines += [f"  {name}:", f"    cmd: {_stage(name, edges)}", "    deps:"]
            lines += [f"    - {path}" for path in _needs(name, edges)]
            lines += ["    outs:", f"    - {name}.txt"]
        (folder / "dvc.yaml").write_text("\n".join(lines) + "\n")
        run([str(self._program), "init", "--no-scm", "--quiet"], folder)
        run([str(self._program), "config", "core.check_update", "false"], folder)

    def command(self, *, is_quiet: bool) -> list[str]:
        """See `Engine`."""
        return [str(self._program), "repro", *(["--quiet"] if is_quiet else [])]

    def finish(self, folder: Path, edges: Edges) -> None:
        """Write what running all stages would: outputs, their copies in the cache, the lock file."""
        lines = ["schema: '2.0'", "stages:"]
        for name, sources in edges.items():
            total = int(name[1:]) + sum(int((folder / f"{s}.txt").read_text()) for s in sources)
            data = str(total).encode()
            (folder / f"{name}.txt").write_bytes(data)
            digest = hashlib.md5(data).hexdigest()
            cached = folder / ".dvc" / "cache" / "files" / "md5" / digest[:2] / digest[2:]
            cached.parent.mkdir(parents=True, exist_ok=True)
            if not cached.exists():
                cached.write_bytes(data)
                cached.chmod(0o444)
            lines += [f"  {name}:", f"    cmd: {_stage(name, edges)}", "    deps:"]
            for path in _needs(name, edges):
                lines += _locked(folder, path)
            lines += ["    outs:", *_locked(folder, f"{name}.txt")]
        (folder / "dvc.lock").write_text("\n".join(lines) + "\n")


class Snakemake:
    """Snakemake with one core and one rule for all steps: with a rule per step it takes longer."""

    name = "Snakemake"
    done = "Nothing to be done"

    def __init__(self, peers: Path) -> None:
        self._program = _installed(peers / "snakemake", SNAKEMAKE) / "snakemake"

    def write(self, folder: Path, edges: Edges) -> None:
        """The steps as a table in the Snakefile."""
        (folder / "step.py").write_text(STEP)
        text = SNAKEFILE.format(edges=dict(edges), python=sys.executable)
        (folder / "Snakefile").write_text(text)

    def command(self, *, is_quiet: bool) -> list[str]:
        """See `Engine`."""
        return [str(self._program), "--cores", "1", *(["--quiet", "all"] if is_quiet else [])]


def _stage(name: str, edges: Edges) -> str:
    sources = [f"{source}.txt" for source in edges[name]]
    return " ".join([sys.executable, "-S", "step.py", name[1:], f"{name}.txt", *sources])


def _locked(folder: Path, path: str) -> list[str]:
    """What the lock file says of a file."""
    data = (folder / path).read_bytes()
    digest = hashlib.md5(data).hexdigest()
    fields = ["hash: md5", f"md5: {digest}", f"size: {len(data)}"]
    return [f"    - path: {path}", *(f"      {field}" for field in fields)]


def _needs(name: str, edges: Edges) -> list[str]:
    """What a step reads, sorted as DVC's lock file has it."""
    return sorted(["step.py", *(f"{source}.txt" for source in edges[name])])


def _installed(folder: Path, requirement: str) -> Path:
    """The programs of an environment that has the requirement; it is made where it is missing."""
    marker = folder / f"{requirement}.installed"
    if not marker.exists():
        say(f"installing {requirement}")
        run([sys.executable, "-m", "venv", "--clear", str(folder)], Path.cwd())
        run([str(folder / "bin" / "pip"), "install", "--quiet", requirement], Path.cwd())
        marker.touch()
    return folder / "bin"


def run(command: list[str], folder: Path, *, says: str = "") -> Cost:
    """What the command took. `says`: a text that its output must have."""
    # Bytecode may be kept, as it is for any user.
    strange = ("PYTHONDONTWRITEBYTECODE", "MLRECIPE_")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(strange)}
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, env=environment, text=True, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - began
    if done.returncode or says not in done.stdout:
        sys.exit(f"{' '.join(command)} in {folder}:\n{done.stdout[-2000:]}")
    return Cost(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall)


def say(text: str) -> None:
    """Tell the user how far it is."""
    print(text, file=sys.stderr)
