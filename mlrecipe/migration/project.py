"""Where an import puts its files: the recipe, and the ops beside the project that they belong to."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlrecipe.errors import RequestError
from mlrecipe.migration import hydra, old_ops, runway, secrets, source, wrappers
from mlrecipe.migration.ledger import dotted
from mlrecipe.migration.runway import Imported
from mlrecipe.recipe.project import MARKERS, project_of

_MARKER = MARKERS[0]


@dataclass(frozen=True, slots=True)
class Written:
    """What an import gave."""

    imported: Imported
    recipe: Path | None
    """None when it was not to be written."""

    files: Sequence[Path]
    """All that was written, the recipe first."""


def import_runway(
    file: Path, *, recipe: Path | None, ops: Sequence[Path] = (), force: bool = False
) -> Written:
    """Convert an evaluated runway configuration.

    Args:
        file: the configuration, JSON.
        recipe: where to write the recipe; None writes nothing.
        ops: files and folders with the old transforms, for which `runway_ops.py` is written.
        force: whether files that are there may be overwritten.

    Raises:
        RequestError: a file cannot be read, is not what it should be, or is there already.
    """
    values = source.read_json(file)
    if recipe is None:
        if ops:
            hint = "name a file with --output"
            raise RequestError("--ops writes a file beside the recipe", hint=hint)
        return Written(runway.convert(values, file=file.name), None, ())
    _refuse(recipe, force=force)
    transforms = old_ops.find(ops) if ops else {}
    project, is_new = _project(recipe, ops)
    plain = secrets.without_secrets(values)
    imported = runway.convert(values, file=file.name, transforms=transforms)
    files: dict[Path, str] = {}
    if imported.wrappers:
        text = wrappers.text(imported.wrappers, project=project, config=plain)
        path = _free(project / wrappers.FILE, text, recipe, force=force)
        files[path] = text
        plugin = Path(os.path.relpath(path, recipe.resolve().parent)).as_posix()
        imported = runway.convert(values, file=file.name, transforms=transforms, plugin=plugin)
        hidden = ", ".join(map(dotted, secrets.places(values)))
        if hidden and any(map(wrappers.uses_config, imported.wrappers)):
            imported.warnings.append(
                f"{path.name} has {secrets.HIDDEN} for what is secret: {hidden}"
            )
    if is_new:
        (project / _MARKER).mkdir(exist_ok=True)
    return _written(imported, recipe, files)


def import_hydra(file: Path, *, recipe: Path | None, force: bool = False) -> Written:
    """Convert a resolved Hydra configuration; see `import_runway`."""
    values = source.read_yaml(file)
    if recipe is not None:
        _refuse(recipe, force=force)
    imported = hydra.convert(values, file=file.name)
    return _written(imported, recipe, {}) if recipe else Written(imported, None, ())


def _refuse(recipe: Path, *, force: bool) -> None:
    if recipe.exists() and not force:
        hint = "--output FILE writes elsewhere, --force overwrites it"
        raise RequestError(f"{str(recipe)!r} is there already", hint=hint)


def _project(recipe: Path, ops: Sequence[Path]) -> tuple[Path, bool]:
    """The root of the project that recipe and old ops are in, and whether it becomes one only now."""
    folder = recipe.resolve().parent
    project = project_of(folder)
    here = Path.cwd().resolve()
    inside = [place.resolve() for place in (folder, *ops)]
    is_one = any((project / marker).exists() for marker in MARKERS)
    if ops and not is_one and all(place.is_relative_to(here) for place in inside):
        return here, True
    return project, False


def _free(path: Path, text: str, recipe: Path, *, force: bool) -> Path:
    """The path for the ops; another one where a file of other ops is there already."""
    if force or not path.exists() or path.read_text(encoding="utf-8") == text:
        return path
    stem = "".join(char if char.isalnum() else "_" for char in recipe.stem)
    other = path.with_name(f"{path.stem}_{stem}.py")
    if other.exists() and other.read_text(encoding="utf-8") != text:
        message = f"{path.name!r} and {other.name!r} are there already"
        raise RequestError(message, hint=f"--force overwrites {path.name}")
    return other


def _written(imported: Imported, recipe: Path, files: Mapping[Path, str]) -> Written:
    for path, text in {recipe: imported.text, **files}.items():
        if not path.parent.exists():
            raise RequestError(f"no folder {str(path.parent)!r}", hint="make it first")
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise RequestError(f"cannot write {str(path)!r}: {error.strerror}") from error
    return Written(imported, recipe, [recipe, *files])
