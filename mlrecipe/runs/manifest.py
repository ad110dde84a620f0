"""What a run directory says of how it came about: recipe, command, environment, inputs, outputs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mlrecipe.recipe.sources import Overrides
from mlrecipe.runs import environment
from mlrecipe.runs.run import Run, folder_digest, write_text
from mlrecipe.secrecy import redact

RECIPE = "recipe.resolved.toml"
"""The resolved recipe: itself a recipe, which gives the same again."""

OUTPUTS = "outputs.json"
"""File of a run: what it produced, with the digest of every file."""

CODE = "code"
"""Folder of a run: the project's own files that the recipe's plugins are made of, as they were."""

COMPONENTS = "components.json"
"""File of a run: of model, task and data module the files that they read and the digest of their code."""


def describe(
    run: Run, *, project: Path, recipe: str, origins: Mapping[str, str], overrides: tuple[str, ...],
    inputs: Mapping[str, Any], recipe_hash: str, lock: str = "",
) -> None:  # fmt: skip
    """Write everything that is known before the work begins; the recipe first.

    Args:
        run: where to.
        project: root of the project.
        recipe: the resolved recipe as TOML.
        origins: key → where its value was written.
        overrides: every `--pick`, `--set-file`, `--unset` and `--set` as typed.
        inputs: node → fingerprint, digest and files of what the run uses.
        recipe_hash: names all that the recipe says.
        lock: the resolved recipe's lock file; empty where it needs none.
    """
    write_text(run.folder / RECIPE, recipe)
    if lock:
        write_text(run.folder / f"{RECIPE}.lock", lock)
    run.write("origin.json", dict(origins))
    typed = list(overrides)
    run.write(
        "command.json",
        {"argv": environment.command(), "overrides": typed, "recipe_hash": recipe_hash},
    )
    git, patch = environment.git_state(project)
    run.write("env.json", {**environment.environment(), "git": git})
    if patch:
        write_text(run.folder / "git.patch", patch)
    run.write("inputs.json", dict(inputs))


def describe_code(
    run: Run, *, project: Path, components: Mapping[str, Any], sources: Iterable[Path]
) -> None:
    """Write what code a run is of, before the work begins.

    Args:
        run: where to.
        project: root of the project.
        components: `model`, `task` … → use, files and code's digest of what the run uses.
        sources: the project's own files that its plugins are made of; they are copied.
    """
    run.write(COMPONENTS, dict(components))
    for path in sources:
        _copy(path, run.folder / CODE / path.relative_to(project))


def conclude(run: Run, *, metrics: Mapping[str, float], outputs: Mapping[str, Path]) -> None:
    """Write the metrics, and the digest of every file that the run produced."""
    run.write("metrics.json", dict(metrics))
    found: dict[str, Any] = {}
    for name, path in outputs.items():
        folder, names = (path, None) if path.is_dir() else (path.parent, {path.name})
        digests = folder_digest(folder) if names is None else {path.name: digest(path)}
        found[name] = {"path": path.relative_to(run.folder).as_posix(), "sha256": digests}
    run.write(OUTPUTS, found)


def inputs_of(run: Run) -> dict[str, Any]:
    """What `describe` wrote of the nodes that a run uses; nothing where it cannot be read."""
    try:
        found: dict[str, Any] = json.loads((run.folder / "inputs.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def overrides_of(run: Run) -> Overrides:
    """What `describe` wrote that a run's command line changed; nothing where it cannot be read."""
    try:
        typed = json.loads((run.folder / "command.json").read_text("utf-8"))["overrides"]
        told = [text.partition(" ") for text in typed]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Overrides()
    picks, files, unsets, sets = (
        tuple(rest for option, _, rest in told if option == wanted)
        for wanted in ("--pick", "--set-file", "--unset", "--set")
    )
    return Overrides(picks=picks, files=files, unsets=unsets, sets=sets)


def digest(path: Path) -> str:
    """SHA-256 of a file's content in hex."""
    import hashlib

    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def _copy(path: Path, to: Path) -> None:
    """Keep a file of the project; one that cannot be read now was read a moment ago, and is left out."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(redact(text), encoding="utf-8", errors="surrogateescape")
    except OSError:
        return
