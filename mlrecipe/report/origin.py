"""Where a result comes from: recipe, command, environment, inputs with their digests, files."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from mlrecipe.report.source import Source, read
from mlrecipe.runs.manifest import RECIPE, inputs_of
from mlrecipe.runs.run import Run

_MOST_FILES = 60
"""Files of a run that are listed."""


def facts(told: Source) -> dict[str, Any]:
    """All of it, as the run directories have it."""
    return {
        "recipe": _text(told.first, RECIPE),
        "commands": {run.id: _command(run) for run in told.runs},
        "environment": _environment(read(told.first, "env.json")),
        "differs": _differs(told),
        "inputs": {name: _input(one) for name, one in sorted(_inputs(told).items())},
        "files": {run.id: _files(run) for run in told.runs},
    }


def _text(run: Run, name: str) -> str:
    try:
        return (run.folder / name).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _command(run: Run) -> str:
    argv = read(run, "command.json").get("argv", [])
    return shlex.join(map(str, argv)) if isinstance(argv, list) else ""


def _environment(found: Mapping[str, Any], start: str = "") -> dict[str, str]:
    """The facts of the environment, flat: `libraries/torch` → version."""
    flat: dict[str, str] = {}
    for name, value in found.items():
        if isinstance(value, Mapping):
            flat |= _environment(value, f"{start}{name}/")
        elif value not in (None, "", []):
            shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            flat[f"{start}{name}"] = shown
    return flat


def _differs(told: Source) -> dict[str, tuple[str, str]]:
    """In what the test's environment is not the training's: name → both."""
    if told.training is None or told.test is None:
        return {}
    ours, theirs = (_environment(read(run, "env.json")) for run in (told.training, told.test))
    return {
        name: (ours.get(name, ""), theirs.get(name, "")) for name in {**ours, **theirs}
        if ours.get(name) != theirs.get(name)
    }  # fmt: skip


def _inputs(told: Source) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for run in told.runs:
        found |= inputs_of(run)
    return {name: one for name, one in found.items() if isinstance(one, Mapping)}


def _input(one: Mapping[str, Any]) -> dict[str, Any]:
    files = one.get("files", {})
    return {
        "op": one.get("op"), "digest": one.get("digest"), "fingerprint": one.get("fingerprint"),
        "files": {
            str(pair[0]): str(pair[1])
            for pairs in files.values() if isinstance(pairs, list)
            for pair in pairs if isinstance(pair, list) and len(pair) == 2
        } if isinstance(files, Mapping) else {},
    }  # fmt: skip


def _files(run: Run) -> dict[str, int]:
    """Path → bytes, the first in order; nothing that is made while the run goes on."""
    found = [
        path for path in sorted(run.folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".") and path.name != "report.html"
    ]  # fmt: skip
    return {p.relative_to(run.folder).as_posix(): p.stat().st_size for p in found[:_MOST_FILES]}
