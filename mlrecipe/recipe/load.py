"""Loading: from recipe files and overrides to a `Loaded` recipe, or to everything that is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mlrecipe.code.catalog import Catalog, Plugin
from mlrecipe.code.kinds import describe, sources
from mlrecipe.errors import Problem, RequestError
from mlrecipe.interfaces import Memo
from mlrecipe.recipe import compose, limits, own, strategies
from mlrecipe.recipe import overrides as overriding
from mlrecipe.recipe.interpolate import interpolate
from mlrecipe.recipe.layers import Layer, Tree, default_layer, merge
from mlrecipe.recipe.positions import KeyPath
from mlrecipe.recipe.project import plugin, project_of, shown
from mlrecipe.recipe.schema import Group, Loaded, Overrides
from mlrecipe.recipe.shape import default_at, kind_at
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

    project: Path
    """Root of the project."""

    groups: Mapping[str, Group] = field(default_factory=dict)
    """Groups of variants by name."""

    files: tuple[str, ...] = ()
    """Every file that it was read from, as the user knows it, lowest first."""

    is_readable: bool = True
    """Whether every file could be read, so that what is missing says something."""

    loaded: Loaded | None = None
    problems: list[Problem] = field(default_factory=list)


def load(
    path: Path,
    overrides: Overrides | Sequence[str] = (),
    *,
    here: Path | None = None,
    memo: Memo | None = None,
) -> Loading:
    """Read the recipe at `path` (absolute) with the overrides on top; runs nothing.

    `overrides` that are plain texts are those of `--set`.

    Raises:
        RequestError: the file is not there.
    """
    if not isinstance(overrides, Overrides):
        overrides = Overrides(sets=tuple(overrides))
    here = here or Path.cwd()
    project = project_of(path.parent)
    composed = compose.compose(path, overrides.picks, here=here, project=project)
    base = composed.base
    layers, problems = _settings(composed, overrides, here)
    plugins, plugin_problems = _plugins(composed.layers, base, project)
    catalog = Catalog(plugins, memo)
    problems += plugin_problems + catalog.problems
    problems += overriding.unset(layers, overrides.unsets)
    tree = merge([default_layer(), *layers])
    loading = Loading(
        tree=tree, catalog=catalog, shown=shown(path, here=here), base=base, project=project,
        groups=composed.variants.groups, files=_names(layers), problems=composed.problems,
        is_readable=composed.is_readable,
    )  # fmt: skip
    if not composed.is_readable:
        return loading
    loading.problems += problems + overriding.apply(tree, overrides.sets, catalog)
    if isinstance(tree.values.get("plugins"), list):
        tree.values["plugins"] = [plugin.name for plugin in plugins]
    is_late = strategies.is_late(tree)
    takes_one = not own.is_module(tree.values, catalog)  # that it does nothing is said elsewhere
    if takes_one and not is_late:
        loading.problems += strategies.apply(tree, base)
    loading.problems += interpolate(
        tree, recipe_dir=str(base), adjust=_Rebased(tree, catalog, base),
        default=lambda key: default_at(key, tree.values, catalog),
        typed=lambda key, text: overriding.read(kind_at(key, tree.values, catalog), text),
    )  # fmt: skip
    if takes_one and is_late:
        loading.problems += strategies.apply(tree, base)
    own.drop_defaults(tree, catalog)
    recipe, found = structure(tree, catalog)
    loading.problems += found + limits.check(tree)
    if recipe is not None:
        loading.loaded = Loaded(
            recipe=recipe, path=path, project=project, base=base, values=tree.values,
            overrides=overrides,
        )  # fmt: skip
    return loading


class _Rebased:
    """Makes the relative paths of other files relative to where the recipe's paths start."""

    def __init__(self, tree: Tree, catalog: Catalog, base: Path) -> None:
        self._tree = tree
        self._catalog = catalog
        self._base = base
        self._is_spread = any(layer.folder not in (None, base) for layer in tree.layers)

    def __call__(self, path: KeyPath, text: str) -> str:
        if not self._is_spread:
            return text
        layer = self._layer(path)
        folder = layer.folder if layer is not None else None
        if folder is None or folder == self._base or not text:
            return text
        source = sources(kind_at(path, self._tree.values, self._catalog))
        if source is None or os.path.isabs(text) or text.startswith("~"):
            return text
        there = os.path.join(folder, text)
        is_path = source == "file" or text.startswith(".") or os.path.isdir(there)
        return os.path.relpath(there, self._base) if is_path else text  # or an id of the hub

    def _layer(self, path: KeyPath) -> Layer | None:
        depths = range(len(path), 0, -1)
        found = (self._tree.sources.get(path[:depth]) for depth in depths)
        return next((layer for layer in found if layer is not None), None)


def _settings(
    composed: compose.Composed, overrides: Overrides, here: Path
) -> tuple[list[Layer], list[Problem]]:
    """The recipe's layers with those of every `--set-file` on top."""
    layers, problems = list(composed.layers), []
    for text in overrides.files:
        layer, found = compose.settings_layer(text, here=here)
        layers.append(layer)
        problems += found
    return layers, problems


def _names(layers: Sequence[Layer]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(layer.name for layer in layers))


def _plugins(
    layers: Sequence[Layer], base: Path, project: Path
) -> tuple[list[Plugin], list[Problem]]:
    """The plugins that files name, each relative to its own: no override decides which code is read."""
    found: dict[Path, Plugin] = {}
    problems: list[Problem] = []
    for layer, index, name in compose.plugin_names(layers):
        if not isinstance(name, str):
            message = f"expected text, got {describe(name)}"
            problems.append(layer.problem(("plugins", index), message))
            continue
        try:
            made = plugin(name, base=layer.folder or base, project=project)
        except RequestError as error:
            problems.append(layer.problem(("plugins", index), str(error)))
            continue
        is_moved = layer.folder not in (None, base)
        there = os.path.join(str(layer.folder), name)
        known = os.path.relpath(there, base) if is_moved else name
        found.setdefault(made.path, replace(made, name=known))
    return list(found.values()), problems
