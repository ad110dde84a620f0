"""What runs take on disk, and what of it nothing needs any more."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlrecipe.errors import MlrecipeError
from mlrecipe.runs.results import CHECKPOINT, recipe_of
from mlrecipe.runs.run import FOLDER, Run

VALIDATIONS = "validations"
"""Folder of a train run: the predictions of validations, `step-<n>` each."""

_RESUME = "resume"
_STEP = re.compile(r"step-(\d+)")
_UNFINISHED = re.compile(r"\..+\.\d+\.tmp")
_ASIDE = re.compile(r"\..+\.(removed|incoming)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A file or folder that may go."""

    path: Path
    bytes: int
    why: str
    """What it is, in a few words."""


def size_of(path: Path) -> int:
    """Bytes of all files in a folder, or of a file; links are not followed, a file of two names counts once."""
    return sum(_sizes(path, set()))


def parts(folder: Path) -> Iterator[tuple[str, int]]:
    """What lies in a run directory, and how many bytes it has; folders end in a slash."""
    seen: set[tuple[int, int]] = set()
    for path in sorted(folder.iterdir()) if not folder.is_symlink() else ():
        is_folder = path.is_dir() and not path.is_symlink()
        yield f"{path.name}/" if is_folder else path.name, sum(_sizes(path, seen))


def superfluous(run: Run, *, checkpoints: Collection[str] | None = None) -> list[Piece]:
    """What of a run nothing needs: states to resume from when it is finished, old validations, leftovers.

    Args:
        run: the run; of one that goes on nothing is superfluous.
        checkpoints: names of those that are to stay, if others of a finished training may go.
    """
    if run.status == "running":
        return []
    found: list[Piece] = []
    if run.status == "finished":
        found += _pieces(run.folder, [_RESUME], "what --resume needed")
        halves = [p.name for end in ("part", "state") for p in run.folder.glob(f"*.arrow.{end}")]
        found += _pieces(run.folder, halves, "what test --resume needed")
        if checkpoints is not None and run.facts.get("stage") == "train":
            others = [name for name in checkpoint_names(run) if name not in checkpoints]
            found += _pieces(run.folder / "checkpoints", others, "another checkpoint")
    going = {piece.path.name for piece in found if piece.path.parent.name == "checkpoints"}
    found += _pieces(run.folder / VALIDATIONS, _old_validations(run, going), "an old validation")
    halves = [p.name for p in run.folder.glob(".*.tmp") if _UNFINISHED.fullmatch(p.name)]
    return found + _pieces(run.folder, halves, "a file that was never finished")


def leftovers(project: Path) -> list[Piece]:
    """What is left in `runs/` of removals and imports that were interrupted."""
    parent = project / FOLDER
    names = [p.name for p in parent.glob(".*")] if parent.is_dir() else []
    aside = [name for name in sorted(names) if _ASIDE.fullmatch(name)]
    return _pieces(parent, aside, "left of an interrupted command")


def checkpoint_names(run: Run) -> list[str]:
    """The checkpoints that a run has, sorted."""
    folder = run.folder / "checkpoints"
    return sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []


def discard(run: Run, piece: Piece) -> None:
    """Remove a piece of a run; `outputs.json` then says nothing of it any more.

    Raises:
        MlrecipeError: it cannot be removed.
    """
    if piece.path.parent == run.folder / "checkpoints":
        _forget_output(run, piece.path.name)
    remove(piece.path)


def remove(path: Path) -> None:
    """Remove a file or folder; a folder is renamed first, so that no half of it is taken for it.

    Raises:
        MlrecipeError: it cannot be removed.
    """
    aside = path.with_name(f".{path.name.lstrip('.').removesuffix('.removed')}.removed")
    try:
        if path.is_symlink() or not path.is_dir():
            path.unlink()
            return
        if aside != path:
            os.rename(path, aside)
        shutil.rmtree(aside)
    except OSError as error:
        raise MlrecipeError(f"cannot remove {str(path)!r}: {error.strerror}") from error


def _old_validations(run: Run, without: Collection[str]) -> list[str]:
    """Validations other than the newest ones and those of checkpoints that stay, `without` those that go."""
    folder = run.folder / VALIDATIONS
    found = [p.name for p in folder.iterdir()] if folder.is_dir() else []
    steps = {int(match[1]): name for name in found if (match := _STEP.fullmatch(name))}
    kept = recipe_of(run).get("evaluate", {}).get("keep_validations", 1)
    count = kept if isinstance(kept, int) and kept >= 0 else 1
    newest = sorted(steps, reverse=True)[:count]
    stay = [name for name in checkpoint_names(run) if name not in without]
    needed = {_step(run.folder / "checkpoints" / name) for name in stay}
    return [steps[step] for step in sorted(steps) if step not in newest and step not in needed]


def _step(checkpoint: Path) -> Any:
    try:
        return json.loads((checkpoint / CHECKPOINT).read_text(encoding="utf-8")).get("step")
    except (OSError, ValueError, AttributeError):
        return None


def _forget_output(run: Run, name: str) -> None:
    try:
        found = json.loads((run.folder / "outputs.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if isinstance(found, dict) and found.pop(name, None) is not None:
        run.write("outputs.json", found)


def _pieces(parent: Path, names: Collection[str], why: str) -> list[Piece]:
    paths = [parent / name for name in names]
    there = [path for path in paths if path.is_symlink() or path.exists()]
    return [Piece(path=path, bytes=size_of(path), why=why) for path in there]


def _sizes(path: Path, seen: set[tuple[int, int]]) -> Iterator[int]:
    """Bytes of each file that was not seen yet."""
    if path.is_symlink() or not path.is_dir():
        yield _size(path, seen)
        return
    for top, _, names in os.walk(path):
        yield from (_size(Path(top, name), seen) for name in names)


def _size(path: Path, seen: set[tuple[int, int]]) -> int:
    try:
        info = path.lstat()
    except OSError:  # gone meanwhile
        return 0
    if info.st_nlink > 1 and (info.st_dev, info.st_ino) in seen:
        return 0
    seen.add((info.st_dev, info.st_ino))
    return info.st_size
