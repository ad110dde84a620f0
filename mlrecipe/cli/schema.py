"""`mlrecipe schema`: the JSON Schema of a project's recipes, for editors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tomli
import typer

from mlrecipe.cli import render
from mlrecipe.code.catalog import Catalog, Plugin
from mlrecipe.errors import Problem, RequestError
from mlrecipe.interfaces import Memo
from mlrecipe.pipeline.places import store_root
from mlrecipe.recipe import evaluation
from mlrecipe.recipe.files import INVALID
from mlrecipe.recipe.json_kinds import Schema
from mlrecipe.recipe.json_schema import FILE, VARIANT_FILE, build, directive, variant_schema
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.load import Loading, load
from mlrecipe.recipe.project import MARKERS, find_recipe, project_of, shown
from mlrecipe.recipe.schema import Overrides
from mlrecipe.recipe.variants import FOLDER
from mlrecipe.runs.run import write_text
from mlrecipe.store.store import Store

_TELLING = {"evaluate", "extends", "model", "nodes", "task", "train", "variant"}
"""A TOML file that has one of these keys is taken for a recipe."""


def schema(
    ctx: typer.Context,
    recipes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RECIPE]...",
            help="Recipes whose plugins and nodes it covers; by default all in this folder, the project's"
            " and its recipes/.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help=f"Where to write it, instead of {FILE}; - is standard output.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write the JSON Schema of this project's recipes: editors complete and check recipes with it.

    One of variants/GROUP/OPTION.toml is written beside it, unless --output names another place.

    It knows every op, task, model, metric, optimizer, scheduler, callback and logger with its parameters and
    their docs, those of your plugins too; nothing is imported. Run it again after a change to a plugin.

    An editor with Tombi (or Taplo) finds it by the first line of a recipe:

    #:schema .mlrecipe/recipe.schema.json

    Examples: mlrecipe schema; mlrecipe schema imdb.toml --output - | jq .definitions
    """
    here = Path.cwd()
    paths = [find_recipe(recipe, here=here) for recipe in recipes or ()]
    project = _project(paths, here)
    paths = paths or _recipes(project, here)
    found = _collect(paths, memo=Store(store_root(project)).memo)
    for warning in dict.fromkeys(found.warnings):
        render.warn(warning)
    if output == "-":
        render.document(found.schema)
        return
    if output is not None:
        _write(found.schema, Path(output))
        render.out(shown(Path(output).resolve(), here=here))
        return
    for path in _write_all(found.schema, project):
        render.out(shown(path.resolve(), here=here))
    if not ctx.obj.is_quiet:
        _say_how(paths, project, here)


def refresh(folder: Path) -> None:
    """Write the schemas of the project of a folder as it is now."""
    project = project_of(folder)
    _write_all(_collect(_recipes(project, folder)).schema, project)


@dataclass(slots=True)
class _Collected:
    """What recipes use, and the schema made of it."""

    plugins: dict[Path, Plugin] = field(default_factory=dict)
    nodes: set[str] = field(default_factory=set)
    warnings: list[str] = field(default_factory=list)
    schema: Schema = field(default_factory=dict)


def _project(paths: Sequence[Path], here: Path) -> Path:
    """The project of the recipes, or the one here.

    Raises:
        RequestError: there are several, or none.
    """
    projects = {project_of(path.parent) for path in paths} or {project_of(here)}
    if len(projects) > 1:
        raise RequestError(
            "these recipes belong to several projects", hint="write a schema for each of them"
        )
    (project,) = projects
    is_project = any((project / marker).exists() for marker in MARKERS)
    if not paths and not is_project and not _recipes(project, here):
        raise RequestError("no recipe and no project here", hint="make one with `mlrecipe new`")
    return project


def _recipes(project: Path, folder: Path) -> list[Path]:
    """TOML files of a project that may be recipes: its own, those of its `recipes/` and of a folder.

    A link stands for the file that it leads to, as it does for every command.
    """
    folders = dict.fromkeys([project, project / "recipes", folder.resolve()])
    files = [path for place in folders for path in sorted(place.glob("*.toml"))]
    found = dict.fromkeys(path.resolve() if path.is_file() else path for path in files)
    return [
        path
        for path in found
        if path.name != "pyproject.toml"
        and project_of(path.parent) == project
        and _may_be_recipe(path)
    ]


def _may_be_recipe(path: Path) -> bool:
    """Whether a file looks like a recipe, or cannot be told."""
    try:
        return bool(_TELLING & tomli.loads(path.read_text(encoding="utf-8-sig")).keys())
    except (OSError, ValueError, RecursionError):
        return True


def _collect(paths: Iterable[Path], memo: Memo | None = None) -> _Collected:
    """The plugins and nodes of all variants of the recipes, and the schema that knows them."""
    found = _Collected()
    for path in paths:
        try:
            for loading in _readings(path, memo):
                found.plugins |= {plugin.path: plugin for plugin in loading.catalog.plugins}
                found.nodes |= set(table_at(loading.tree.values, ("nodes",)))
                if judges := evaluation.tables(loading.tree.values):
                    found.nodes |= {*judges, evaluation.PREDICTIONS, evaluation.VALIDATION}
                found.warnings += [str(p) for p in loading.problems if _hides_something(p)]
        except RequestError as error:
            found.warnings.append(str(error))
    catalog = Catalog(list(found.plugins.values()), memo)
    found.warnings += [str(problem) for problem in catalog.problems]
    found.schema = build(catalog, node_names=found.nodes)
    return found


def _readings(path: Path, memo: Memo | None) -> Iterator[Loading]:
    """The recipe as it stands, then with each option that is not picked."""
    loading = load(path, memo=memo)
    yield loading
    for group in loading.groups.values():
        for option in group.options:
            if option != group.picked:
                yield load(path, Overrides(picks=(f"{group.name}={option}",)), memo=memo)


def _hides_something(problem: Problem) -> bool:
    """Whether a problem of a recipe keeps nodes or components out of the schema; others are for `check`."""
    return problem.message.startswith(INVALID) or problem.key.startswith(("plugins", "extends"))


def _write_all(schema: Schema, project: Path) -> list[Path]:
    """Write the project's schemas; returns where they are."""
    files = {project / FILE: schema, project / VARIANT_FILE: variant_schema(schema)}
    for path, what in files.items():
        with _naming(path):
            path.parent.mkdir(exist_ok=True)
        _write(what, path)
    return list(files)


def _write(schema: Schema, target: Path) -> None:
    if not target.parent.exists():
        raise RequestError(f"no folder {str(target.parent)!r}", hint="make it first")
    with _naming(target):
        write_text(target, json.dumps(schema, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


@contextmanager
def _naming(target: Path) -> Iterator[None]:
    """Errors of the file system name the file that was to be written."""
    try:
        yield
    except OSError as error:
        what = error.strerror or str(error)
        raise RequestError(f"cannot write {str(target)!r}: {what}") from error


def _say_how(paths: Sequence[Path], project: Path, here: Path) -> None:
    """Which recipes and variants lack the line that names their schema."""
    lacking: dict[str, list[str]] = {}
    folders = dict.fromkeys(path.parent for path in paths)
    variants = [path for folder in folders for path in sorted(folder.glob(f"{FOLDER}/*/*.toml"))]
    for path in [*paths, *variants]:
        if not _has_directive(path):
            line = directive(path.parent, project, VARIANT_FILE if path in variants else FILE)
            lacking.setdefault(line, []).append(shown(path, here=here))
    if not paths:
        lacking[directive(project, project)] = ["a recipe"]
    for line, names in lacking.items():
        render.say(f"first line of {', '.join(names)}, for editors:\n  {line}")


def _has_directive(path: Path) -> bool:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError):
        return True
    first = next((line for line in lines if line.strip() and not line.startswith("#:tombi")), "")
    return first.startswith("#:schema")
