"""The environment of a run: versions, machine and the state of the project's git repository."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

from mlrecipe.code import libraries

_LIBRARIES = (
    "torch", "pytorch_lightning", "transformers", "tokenizers", "datasets", "torchmetrics",
    "pyarrow", "numpy", "safetensors",
)  # fmt: skip


def environment() -> dict[str, Any]:
    """Python, platform and the versions of the libraries that a run's numbers depend on."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "libraries": {name: libraries.full_version(name) for name in _LIBRARIES},
        "threads": {
            name: os.environ[name]
            for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
            if name in os.environ
        },
    }


def git_state(project: Path) -> tuple[dict[str, Any], str]:
    """Commit and dirtiness of the repository that the project is in, and its patch; empty without one."""
    commit = _git(project, "rev-parse", "HEAD")
    if commit is None:
        return {}, ""
    patch = _git(project, "diff", "HEAD", "--", ".") or ""
    status = _git(project, "status", "--porcelain", "--", ".") or ""
    branch = (_git(project, "rev-parse", "--abbrev-ref", "HEAD") or "").strip()
    untracked = [line[3:] for line in status.splitlines() if line.startswith("??")]
    state = {
        "commit": commit.strip(), "branch": branch, "dirty": bool(status.strip()),
        "untracked": untracked[:50],
    }  # fmt: skip
    return state, patch


def command() -> list[str]:
    """The command line as typed, with the program's bare name."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]


def _git(project: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(project), *arguments], capture_output=True, text=True, timeout=20,
            check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
