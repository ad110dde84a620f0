"""Requests: a recipe and its graph, checked as a whole before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlrecipe.code.catalog import Catalog
from mlrecipe.code.kinds import ANY
from mlrecipe.errors import Problem, RecipeError
from mlrecipe.graph import externals, foresee
from mlrecipe.graph import graph as graphing
from mlrecipe.graph.graph import Graph
from mlrecipe.interfaces import Memo
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.load import load
from mlrecipe.recipe.schema import Component, Loaded, Overrides
from mlrecipe.registry import Kind

Check = Callable[[Tree, Catalog], list[Problem]]
"""Looks for mistakes in a recipe's plain values, which may be of any type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A checked recipe with its graph."""

    loaded: Loaded
    graph: Graph
    catalog: Catalog
    tree: Tree

    name: str
    """The recipe's path relative to its project: under which records and runs know it."""

    @property
    def hub_ids(self) -> list[str]:
        """Ids of the Hugging Face hub that the recipe names: all that may ever be asked of it."""
        found = [e for node in self.graph for items in node.externals.values() for e in items]
        for kind in ("model", "task"):
            component = getattr(self.loaded.recipe, kind)
            if component is not None:
                found += self._resolved(kind, component)[1]
        return sorted({e.text for e in found if e.is_hub})

    def parameters(self, kind: Kind, component: Component) -> dict[str, Any]:
        """The component's parameters as the recipe gives them, paths made absolute."""
        return self._resolved(kind, component)[0]

    def _resolved(
        self, kind: Kind, component: Component
    ) -> tuple[dict[str, Any], list[externals.External]]:
        found = self.catalog.find(kind, component.use)
        known = found.signature.params if found else {}
        values: dict[str, Any] = {}
        outside: list[externals.External] = []
        for key, value in component.params.items():
            parameter = known.get(key)
            kind_of = parameter.kind if parameter else ANY
            values[key], named = externals.resolve(value, kind_of, self.loaded.base)
            outside += named
        return values, outside


def open_request(
    path: Path,
    overrides: Overrides | Sequence[str] = (),
    *,
    here: Path | None = None,
    memo: Memo | None = None,
    name: str | None = None,
    checks: Sequence[Check] = (),
) -> Request:
    """Read and check a recipe and its graph; nothing is run.

    `name` is what records and runs know the recipe by, if not its own path; `checks` are further ones that
    its problems come from.

    Raises:
        RecipeError: with every problem of both.
        RequestError: there is no such file.
    """
    loading = load(path, overrides, here=here, memo=memo)
    tree, catalog, loaded = loading.tree, loading.catalog, loading.loaded
    problems = [*loading.problems, *graphing.check(tree, catalog)]
    problems += graphing.check_paths(tree, catalog, loading.base)
    problems += foresee.check(tree, catalog, loading.base)
    if loading.is_readable:
        problems += [problem for check in checks for problem in check(tree, catalog)]
    if loaded is None or problems:
        raise RecipeError(_without_echoes(problems), subject=loading.shown)
    return Request(
        loaded=loaded, graph=graphing.build(loaded, catalog), catalog=catalog, tree=tree,
        name=name or path.relative_to(loaded.project).as_posix(),
    )  # fmt: skip


def _without_echoes(problems: Sequence[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))
