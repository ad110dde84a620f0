"""Requests: a recipe and its graph, checked as a whole before anything is done."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from mlrecipe.code.catalog import Catalog
from mlrecipe.code.kinds import ANY, sources
from mlrecipe.code.signatures import Parameter
from mlrecipe.errors import Problem, RecipeError
from mlrecipe.graph import evaluation as judging
from mlrecipe.graph import externals, foresee, rowwise
from mlrecipe.graph import graph as graphing
from mlrecipe.graph.externals import External
from mlrecipe.graph.graph import Graph
from mlrecipe.interfaces import Memo
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.load import load
from mlrecipe.recipe.positions import KeyPath
from mlrecipe.recipe.schema import Component, Loaded, Overrides
from mlrecipe.registry import Kind

if TYPE_CHECKING:
    from mlrecipe.pipeline.lockfile import Pins

_STAGES: dict[str, Kind] = {"data": "datamodule", "model": "model", "task": "task"}

Check = Callable[[Tree, Catalog], list[Problem]]
"""Looks for mistakes in a recipe's plain values, which may be of any type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A checked recipe with its graph."""

    loaded: Loaded
    graph: Graph
    catalog: Catalog
    tree: Tree

    here: Path
    """Folder that paths on the command line start from."""

    name: str
    """The recipe's path relative to its project: under which records and runs know it."""

    pins: Pins = field(default_factory=dict)
    """What its lock file says of the hub."""

    @property
    def hub_ids(self) -> list[str]:
        """Ids of the Hugging Face hub that the recipe names: all that may ever be asked of it."""
        return sorted({external.text for _, external in self.on_hub()})

    def on_hub(
        self, nodes: Collection[str] = (), *, with_stages: bool = True
    ) -> list[tuple[KeyPath, External]]:
        """What the recipe names on the hub, and where.

        Args:
            nodes: only what these nodes and those that they need name; none means all nodes, of evaluation too.
            with_stages: also what model and task name.
        """
        graph = self.graph.upto(nodes) if nodes else self.graph
        tables: list[tuple[KeyPath, Mapping[str, Sequence[External]]]] = [
            (node.path, node.externals) for node in graph
        ]
        if not nodes:
            loaded, catalog = self.loaded, self.catalog
            judges = [judging.node(n, loaded, catalog) for n in loaded.recipe.evaluate.nodes]
            tables += [
                (node.path, node.externals) for node in judges if node.name not in graph.nodes
            ]
        for key, kind in _STAGES.items() if with_stages else ():
            component = getattr(self.loaded.recipe, key)
            if component is not None:
                tables.append(((key,), self.bound(kind, component).externals))
        return [
            ((*path, key), external)
            for path, named in tables
            for key, items in named.items()
            for external in items
            if external.is_hub
        ]

    def parameters(self, kind: Kind, component: Component) -> dict[str, Any]:
        """The component's parameters as the recipe gives them: paths made absolute, ids of the hub pinned."""
        bound = self.bound(kind, component)
        return {**bound.values, **bound.told}

    def bound(self, kind: Kind, component: Component) -> Bound:
        """The component's parameters, and what they name outside the recipe."""
        found = self.catalog.find(kind, component.use)
        known = found.signature.params if found else {}
        values: dict[str, Any] = {}
        named: dict[str, tuple[External, ...]] = {}
        for key, value in {**_named_by_default(known), **component.params}.items():
            parameter = known.get(key)
            kind_of = parameter.kind if parameter else ANY
            values[key], outside = externals.resolve(value, kind_of, self.loaded.base)
            if outside:
                named[key] = tuple(outside)
        if not any(external.is_hub for items in named.values() for external in items):
            return Bound(values, named)
        from mlrecipe.graph.pins import pin

        told, named = pin(values, named, known, _commits(self.pins))
        return Bound(values, named, told)

    def over(self, graph: Graph) -> Request:
        """The same request with another graph, its ids of the hub at their commits."""
        from mlrecipe.graph.pins import pin_graph

        return replace(self, graph=pin_graph(graph, _commits(self.pins)))

    def pinned(self, pins: Pins) -> Request:
        """The same request with these answers of the hub."""
        from mlrecipe.graph.pins import pin_graph

        graph = pin_graph(graphing.build(self.loaded, self.catalog), _commits(pins))
        return replace(self, graph=graph, pins=pins)


class Bound(NamedTuple):
    """The parameters of a model or task."""

    values: dict[str, Any]
    """As the recipe gives them, paths made absolute."""

    externals: dict[str, tuple[External, ...]]
    """Parameter → what it names outside the recipe."""

    told: Mapping[str, str] = MappingProxyType({})
    """Parameter → the commit of the hub that it is given instead of a revision."""


def open_request(
    path: Path,
    overrides: Overrides | Sequence[str] = (),
    *,
    here: Path | None = None,
    memo: Memo | None = None,
    name: str | None = None,
    checks: Sequence[Check] = (),
    needs_files: bool = True,
) -> Request:
    """Read and check a recipe and its graph; nothing is run.

    `name` is what records and runs know the recipe by, if not its own path; `checks` are further ones that
    its problems come from. Without `needs_files` what it names need not be there: not all will be used.

    Raises:
        RecipeError: with every problem of both.
        RequestError: there is no such file, or its lock file cannot be read.
    """
    here = here or Path.cwd()
    loading = load(path, overrides, here=here, memo=memo)
    tree, catalog, loaded = loading.tree, loading.catalog, loading.loaded
    problems = list(loading.problems)
    if (
        loading.is_readable
    ):  # else values still have their `${…}`, and what is missing may be elsewhere
        problems += graphing.check(tree, catalog)
        if needs_files:
            problems += graphing.check_paths(tree, catalog, loading.base)
        problems += rowwise.check(tree, catalog)
        problems += foresee.check(tree, catalog, loading.base)
        problems += [problem for check in checks for problem in check(tree, catalog)]
    if loaded is None or problems:
        raise RecipeError(_without_echoes(problems), subject=loading.shown)
    request = Request(
        loaded=loaded, graph=graphing.build(loaded, catalog), catalog=catalog, tree=tree, here=here,
        name=name or path.relative_to(loaded.project).as_posix(),
    )  # fmt: skip
    if not request.on_hub():
        return request
    from mlrecipe.pipeline import lockfile

    return request.pinned(lockfile.read(lockfile.place(path)))


def _named_by_default(parameters: Mapping[str, Parameter]) -> dict[str, str]:
    """What a component names outside the recipe where the recipe does not say otherwise."""
    return {
        name: parameter.default
        for name, parameter in parameters.items()
        if isinstance(parameter.default, str) and sources(parameter.kind)
    }


def _commits(pins: Pins) -> dict[tuple[str, str, str], str]:
    return {asked: pin.commit for asked, pin in pins.items()}


def _without_echoes(problems: Sequence[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))
