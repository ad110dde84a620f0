"""The environment of a run: versions, machine and the state of the project's git repository."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from mlrecipe.code import libraries

LIBRARIES = (
    "mlrecipe", "torch", "pytorch_lightning", "transformers", "tokenizers", "datasets", "torchmetrics",
    "pyarrow", "numpy", "safetensors",
)  # fmt: skip
"""What a run's numbers depend on."""

_GPUS = Path("/proc/driver/nvidia")
"""What the driver says of itself and its devices, without waking any."""


def environment() -> dict[str, Any]:
    """Python, platform, the versions of all that is installed, and what the numbers depend on beside."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "libraries": {name: libraries.full_version(name) for name in LIBRARIES},
        "packages": libraries.every_version(),
        "accelerator": _accelerator(),
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


def _accelerator() -> dict[str, Any]:
    """CUDA's version, driver and devices, as far as there are any; nothing is imported for it."""
    found: dict[str, Any] = {}
    torch = sys.modules.get("torch")  # a training has imported it; a recipe's name need not
    if torch is not None and torch.version.cuda:
        found["cuda"] = torch.version.cuda
    with suppress(OSError):
        text = (_GPUS / "version").read_text(encoding="utf-8", errors="replace")
        found["driver"] = text.partition("\n")[0].partition(":")[2].strip()
    texts = [_text(path) for path in sorted(_GPUS.glob("gpus/*/information"))]
    models = [re.search(r"^Model:\s*(.+?)\s*$", text, re.MULTILINE) for text in texts]
    if names := [model[1] for model in models if model]:
        found["devices"] = names
    if visible := os.environ.get("CUDA_VISIBLE_DEVICES"):
        found["visible"] = visible
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _git(project: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(project), *arguments], capture_output=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    # Not as `text`: a patch keeps its line ends, and files need not be UTF-8.
    return done.stdout.decode("utf-8", "replace") if done.returncode == 0 else None
