"""Projects: which folder a recipe belongs to, and which file a recipe argument means."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import tomli

from mlrecipe.code.catalog import PROJECT_PACKAGE, Plugin
from mlrecipe.errors import RequestError, did_you_mean, suggest

MARKERS = (".mlrecipe", "pyproject.toml")
"""A folder that has one of these is a project."""


def project_of(folder: Path) -> Path:
    """The nearest folder at or above `folder` that is a project, else `folder` itself."""
    folder = Path(os.path.realpath(folder))
    for candidate in (folder, *folder.parents):
        if any((candidate / marker).exists() for marker in MARKERS):
            return candidate
    return folder


def find_recipe(argument: str, *, here: Path) -> Path:
    """The recipe file that an argument means: a file here, or one of the project's `recipes/`.

    Raises:
        RequestError: there is none; the message names the nearest recipe.
    """
    folders = [here, project_of(here) / "recipes"]
    for folder in folders:
        for name in (argument, f"{argument}.toml"):
            path = folder / name
            if path.is_file():
                return path.resolve()
    there = here / argument
    if there.is_dir():
        raise RequestError(f"{argument!r} is a folder, not a recipe")
    if there.is_symlink() or there.exists():
        what = "a link that leads nowhere" if there.is_symlink() else "no regular file"
        raise RequestError(f"{argument!r} is {what}")
    known = [p for folder in folders if folder.is_dir() for p in sorted(folder.glob("*.toml"))]
    names = {p.stem: p.name for p in known if p.name != "pyproject.toml" and p.is_file()}
    near = suggest(Path(argument).stem, names)
    hint = f"did you mean {names[near]!r}?" if near else did_you_mean("", set(names.values()))
    raise RequestError(f"no recipe {argument!r} here", hint=hint)


def recipes_in(folder: Path) -> list[Path]:
    """Every recipe in a folder and below, sorted: no variants, no runs, no parts that others extend."""
    found = [path for path in sorted(folder.rglob("*.toml")) if _is_recipe(path, folder)]
    texts = {path: _values(path) for path in found}
    extended = {below for path, values in texts.items() for below in _extended(path, values)}
    return [p for p in found if "name" in texts[p] or os.path.realpath(p) not in extended]


def _is_recipe(path: Path, folder: Path) -> bool:
    above = path.relative_to(folder).parts[:-1]
    is_ours = any(part.startswith(".") or part in ("variants", "runs", "build") for part in above)
    return (path.is_file() or path.is_symlink()) and path.name != "pyproject.toml" and not is_ours


def _values(path: Path) -> dict[str, Any]:
    try:
        return tomli.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError):  # `check` says what is wrong with it
        return {"name": ""}


def _extended(path: Path, values: dict[str, Any]) -> list[str]:
    names = values.get("extends", [])
    texts = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return [os.path.realpath(path.parent / text) for text in texts if "\0" not in text]


def shown(path: Path, *, here: Path) -> str:
    """A path as the user knows it: relative to where they are, if it lies below."""
    path = Path(os.path.normpath(path))
    try:
        return str(path.relative_to(here.resolve()))
    except ValueError:
        relative = os.path.relpath(path, here)
        return relative if relative.count("..") <= 2 else str(path)


def plugin(name: str, *, base: Path, project: Path) -> Plugin:
    """The plugin file that a recipe names, which must lie inside the project.

    Raises:
        RequestError: it lies outside, also through a symbolic link, or is no Python file.
    """
    if "\0" in name:
        raise RequestError(f"plugin {name!r} is no path")
    if os.path.isabs(name) or name.startswith("~"):
        raise RequestError(
            f"plugin {name!r} must be a path inside the project, not an absolute one"
        )
    path = base / name
    real, root = path.resolve(), project.resolve()
    if not real.is_relative_to(root):
        raise RequestError(
            f"plugin {name!r} lies outside the project {root.name!r}",
            hint="a project is the nearest folder with .mlrecipe/ or pyproject.toml: make it there",
        )
    if not real.is_file():
        near = [str(p.relative_to(base)) for p in base.glob("*.py")]
        raise RequestError(f"no plugin file {name!r}", hint=did_you_mean(name, near))
    relative = real.relative_to(root)
    parts = relative.with_suffix("").parts
    if real.suffix != ".py" or not all(part.isidentifier() for part in parts):
        raise RequestError(f"plugin {name!r} must be a .py file whose path is made of Python names")
    return Plugin(name=name, path=real, module=".".join([PROJECT_PACKAGE, *parts]))
