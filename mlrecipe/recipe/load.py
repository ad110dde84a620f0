"""Loading: from a recipe file and overrides to a `Loaded` recipe, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlrecipe.code.catalog import Catalog, Plugin
from mlrecipe.errors import Problem, RequestError
from mlrecipe.interfaces import Memo
from mlrecipe.recipe import layers as layering
from mlrecipe.recipe import limits
from mlrecipe.recipe import overrides as overriding
from mlrecipe.recipe.interpolate import interpolate
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.project import plugin, project_of, shown
from mlrecipe.recipe.schema import Loaded
from mlrecipe.recipe.structure import structure


@dataclass(slots=True)
class Loading:
    """What came of loading: the recipe where it could be made, and all problems so far."""

    tree: Tree
    catalog: Catalog
    shown: str
    """The recipe's path as the user knows it."""

    base: Path
    """Folder that the recipe's relative paths start from."""

    loaded: Loaded | None = None
    problems: list[Problem] = field(default_factory=list)


def load(
    path: Path, overrides: Sequence[str] = (), *, here: Path | None = None, memo: Memo | None = None
) -> Loading:
    """Read the recipe at `path` (absolute) with the overrides on top; runs nothing.

    Raises:
        RequestError: the file is not there.
    """
    name = shown(path, here=here or Path.cwd())
    project = project_of(path.parent)
    files, problems = layering.file_layers(path, shown=name)
    base = _base(files[-1].values, path.parent, project)
    plugins, plugin_problems = _plugins(files, base, project)
    catalog = Catalog(plugins, memo)
    broken = any("not valid TOML" in p.message for p in problems)
    layers = [layering.default_layer(), *files]
    tree, override_problems = overriding.apply(layers, overrides, catalog)
    loading = Loading(tree=tree, catalog=catalog, shown=name, base=base, problems=problems)
    if broken:
        return loading
    loading.problems += plugin_problems + catalog.problems + override_problems
    loading.problems += interpolate(tree, recipe_dir=str(base))
    recipe, found = structure(tree, catalog)
    loading.problems += found + limits.check(tree)
    if recipe is not None:
        loading.loaded = Loaded(
            recipe=recipe, path=path, project=project, base=base, values=tree.values,
            overrides=tuple(overrides),
        )  # fmt: skip
    return loading


def _base(values: dict[str, Any], folder: Path, project: Path) -> Path:
    relative = values.get("relative_to", "")
    return (project / relative) if isinstance(relative, str) and relative else folder


def _plugins(
    files: Sequence[layering.Layer], base: Path, project: Path
) -> tuple[list[Plugin], list[Problem]]:
    """Plugins are named by files alone: no override decides which code is read."""
    found: list[Plugin] = []
    problems: list[Problem] = []
    for layer in files:
        names = layer.values.get("plugins", [])
        for index, name in enumerate(names if isinstance(names, list) else []):
            try:
                found.append(plugin(name, base=base, project=project))
            except RequestError as error:
                origin = layer.origin(("plugins", index))
                problems.append(
                    Problem(message=str(error), key=f"plugins[{index}]", file=origin.file,
                            line=origin.line, column=origin.column)
                )  # fmt: skip
            except TypeError:
                continue  # not a text: the structure says so
    return found, problems
