"""The graph: nodes bound to their ops, in an order in which each comes after its inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlrecipe.code.catalog import Catalog, Found
from mlrecipe.code.defaults import REQUIRED, Unreadable
from mlrecipe.code.signatures import Signature
from mlrecipe.errors import Problem
from mlrecipe.graph import edges, externals
from mlrecipe.graph.externals import External
from mlrecipe.recipe import evaluation
from mlrecipe.recipe.deferred import deferred_in, plain
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.positions import KeyPath
from mlrecipe.recipe.schema import Loaded, NodeSpec, Recipe
from mlrecipe.registry import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One input of a node."""

    slot: str
    """Name of the op's parameter that takes it."""

    node: str

    entry: str = ""
    """Which entry of a dict-like output is taken; empty for all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node bound to its op."""

    name: str
    spec: NodeSpec
    found: Found
    """The op."""

    path: KeyPath
    """Where the recipe has it: `("nodes", "split")`."""

    inputs: tuple[Input, ...] = ()

    arguments: Mapping[str, Any] = field(default_factory=dict)
    """What the op is called with by keyword: defaults and the recipe's seed and row limit filled in,
    paths absolute; `scratch` is added when it runs."""

    params: Mapping[str, Any] = field(default_factory=dict)
    """What of `arguments` belongs to the fingerprint, other than externals."""

    externals: Mapping[str, tuple[External, ...]] = field(default_factory=dict)
    """Parameter → what it names outside the recipe."""

    @property
    def is_cached(self) -> bool:
        """Whether the output may be reused."""
        return self.spec.cache and self.found.signature.options.get("cache", True) is True


@dataclass(frozen=True, slots=True)
class Graph:
    """All nodes of a recipe, inputs first."""

    nodes: Mapping[str, Node]

    def upto(self, names: Iterable[str]) -> Graph:
        """The part of the graph that the named nodes need, themselves included."""
        needed: set[str] = set()
        pending = list(names)
        while pending:
            name = pending.pop()
            if name not in needed:
                needed.add(name)
                pending.extend(i.node for i in self.nodes[name].inputs)
        return Graph({name: node for name, node in self.nodes.items() if name in needed})

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())


def build(loaded: Loaded, catalog: Catalog) -> Graph:
    """The graph of a recipe in which `check` and `check_paths` found nothing."""
    nodes: dict[str, Node] = {}
    for name in edges.order(loaded.recipe.nodes):
        nodes[name] = bind(name, loaded.recipe.nodes[name], ("nodes", name), loaded, catalog)
    return Graph(nodes)


def check(tree: Tree, catalog: Catalog) -> list[Problem]:
    """What is wrong with the edges of a recipe's graph: unknown inputs, wrong numbers of them, cycles.

    Works on the plain values, so that these problems come together with all others of the recipe.
    """
    nodes, judges = _tables(tree, ("nodes",)), _tables(tree, evaluation.NODES)
    return [
        *edges.check(("nodes",), nodes, (), tree, catalog),
        *edges.check(evaluation.NODES, judges, [evaluation.PREDICTIONS, *nodes], tree, catalog),
    ]


def check_paths(tree: Tree, catalog: Catalog, base: Path) -> list[Problem]:
    """Files and folders that a recipe names and that are not there or not what they should be."""
    problems: list[Problem] = []
    tables: list[tuple[KeyPath, Kind, Any]] = [
        ((*family, name), "op", table)
        for family in (("nodes",), evaluation.NODES)
        for name, table in table_at(tree.values, family).items()
    ]
    tables += [(("model",), "model", tree.values.get("model"))]
    tables += [(("task",), "task", tree.values.get("task"))]
    tables += [(("data",), "datamodule", tree.values.get("data"))]
    for path, kind, table in tables:
        use = table.get("use") if isinstance(table, Mapping) else None
        found = catalog.find(kind, use) if isinstance(use, str) else None
        for key, parameter in found.signature.params.items() if found else ():
            if deferred_in(table.get(key)):
                continue  # the structure says that it may not be
            outside = externals.resolve(table.get(key), parameter.kind, base)[1]
            wrong = [external.problem for external in outside]
            if (kind, use, key) == ("model", "transformer", "checkpoint"):
                wrong += [externals.without_weights(external) for external in outside]
            problems += [tree.problem((*path, key), message) for message in wrong if message]
    return problems


def _tables(tree: Tree, family: KeyPath) -> dict[str, Mapping[str, Any]]:
    """The tables of nodes at `family`; those whose inputs are of another type are the structure's to report."""
    return {
        name: table
        for name, table in table_at(tree.values, family).items()
        if isinstance(table, Mapping) and isinstance(table.get("inputs", []), (str, list, Mapping))
    }


def bind(name: str, spec: NodeSpec, path: KeyPath, loaded: Loaded, catalog: Catalog) -> Node:
    """The node of a checked recipe that stands at `path`, bound to its op."""
    found = catalog.find("op", spec.use)
    assert found is not None, name  # the recipe was checked
    signature = found.signature
    given = _filled(signature, loaded.recipe) | dict(spec.params)
    arguments: dict[str, Any] = {}
    named: dict[str, tuple[External, ...]] = {}
    shares: dict[str, Any] = {}
    for key, value in given.items():
        parameter = signature.params.get(key)
        if parameter is None:
            arguments[key] = value
            continue
        arguments[key], outside = externals.resolve(value, parameter.kind, loaded.base)
        if outside:
            named[key] = tuple(outside)
            if isinstance(value, dict):
                shares[key] = externals.shares(value, parameter.kind, loaded.base)
    ignored = signature.options.get("ignore", ())
    params = {k: plain(v) for k, v in arguments.items() if k not in named and k not in ignored}
    return Node(
        name=name, spec=spec, path=path, found=found, inputs=_inputs(spec.inputs, signature),
        arguments=arguments, params={**params, **shares}, externals=named,
    )  # fmt: skip


def _filled(signature: Signature, recipe: Recipe) -> dict[str, Any]:
    """Written-out defaults, and the recipe's seed and row limit where the op declares them."""
    values = {
        name: parameter.default
        for name, parameter in signature.params.items()
        if parameter.default is not REQUIRED and not isinstance(parameter.default, Unreadable)
    }
    if "seed" in signature.params:
        values["seed"] = recipe.seed
    if "limit" in signature.params:
        values["limit"] = recipe.limit
    values.pop("scratch", None)
    return values


def _inputs(written: Any, signature: Signature) -> tuple[Input, ...]:
    found = []
    for slot, text in edges.slots(written, signature):
        node, entry = evaluation.taken(text)
        found.append(Input(slot=slot, node=node, entry=entry))
    return tuple(found)
