"""Projects: which folder a recipe belongs to, and which file a recipe argument means."""

from __future__ import annotations

import os
from pathlib import Path

import tomli

from mlrecipe.code.catalog import PROJECT_PACKAGE, Plugin
from mlrecipe.errors import RequestError, did_you_mean

MARKERS = (".mlrecipe", "pyproject.toml")
"""A folder that has one of these is a project."""


def project_of(folder: Path) -> Path:
    """The nearest folder at or above `folder` that is a project, else `folder` itself."""
    folder = folder.resolve()
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
    if (here / argument).is_dir():
        raise RequestError(f"{argument!r} is a folder, not a recipe")
    known = [p.name for folder in folders if folder.is_dir() for p in sorted(folder.glob("*.toml"))]
    known = [name for name in known if name not in ("pyproject.toml",)]
    raise RequestError(f"no recipe {argument!r} here", hint=did_you_mean(argument, set(known)))


def recipes_in(folder: Path) -> list[Path]:
    """Every recipe in a folder and below, sorted: no variants, no runs, nothing that another one extends."""
    found = [path for path in sorted(folder.rglob("*.toml")) if _is_recipe(path, folder)]
    extended = {below for path in found for below in _extended(path)}
    return [path for path in found if path.resolve() not in extended]


def _is_recipe(path: Path, folder: Path) -> bool:
    above = path.relative_to(folder).parts[:-1]
    is_ours = any(part.startswith(".") or part in ("variants", "runs", "build") for part in above)
    return path.is_file() and path.name != "pyproject.toml" and not is_ours


def _extended(path: Path) -> list[Path]:
    try:
        names = tomli.loads(path.read_text(encoding="utf-8-sig")).get("extends", [])
    except (OSError, ValueError):  # `check` says what is wrong with it
        return []
    texts = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    return [(path.parent / text).resolve() for text in texts]


def shown(path: Path, *, here: Path) -> str:
    """A path as the user knows it: relative to where they are, if it lies below."""
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
    if os.path.isabs(name) or name.startswith("~"):
        raise RequestError(
            f"plugin {name!r} must be a path inside the project, not an absolute one"
        )
    path = base / name
    real, root = path.resolve(), project.resolve()
    if not real.is_relative_to(root):
        raise RequestError(f"plugin {name!r} lies outside the project {root.name!r}")
    if not real.is_file():
        near = [str(p.relative_to(base)) for p in base.glob("*.py")]
        raise RequestError(f"no plugin file {name!r}", hint=did_you_mean(name, near))
    relative = real.relative_to(root)
    parts = relative.with_suffix("").parts
    if real.suffix != ".py" or not all(part.isidentifier() for part in parts):
        raise RequestError(f"plugin {name!r} must be a .py file whose path is made of Python names")
    return Plugin(name=name, path=real, module=".".join([PROJECT_PACKAGE, *parts]))
