"""The graph: nodes bound to their ops, in an order in which each comes after its inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlrecipe.code.catalog import Catalog, Found
from mlrecipe.code.defaults import REQUIRED, Unreadable
from mlrecipe.code.signatures import Signature
from mlrecipe.errors import Problem, did_you_mean
from mlrecipe.graph import externals
from mlrecipe.graph.externals import External
from mlrecipe.recipe.deferred import deferred_in, plain
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
    for name in _order(loaded.recipe.nodes):
        spec = loaded.recipe.nodes[name]
        found = catalog.find("op", spec.use)
        assert found is not None, name  # the recipe was checked
        nodes[name] = _bind(name, spec, found, loaded)
    return Graph(nodes)


def check(tree: Tree, catalog: Catalog) -> list[Problem]:
    """What is wrong with the edges of a recipe's graph: unknown inputs, wrong numbers of them, cycles.

    Works on the plain values, so that these problems come together with all others of the recipe.
    """
    # Inputs of another type are the structure's to report.
    kinds = (str, list, Mapping)
    tables = {n: t for n, t in _tables(tree).items() if isinstance(t.get("inputs", []), kinds)}
    problems: list[Problem] = []
    for name, table in tables.items():
        problems += _check_inputs(name, table, tables, tree, catalog)
    return problems + _check_cycles(tables, tree)


def check_paths(tree: Tree, catalog: Catalog, base: Path) -> list[Problem]:
    """Files and folders that a recipe names and that are not there or not what they should be."""
    problems: list[Problem] = []
    tables: list[tuple[KeyPath, Kind, Any]] = [
        (("nodes", name), "op", table) for name, table in _tables(tree).items()
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


def _tables(tree: Tree) -> dict[str, Mapping[str, Any]]:
    nodes = tree.values.get("nodes")
    if not isinstance(nodes, Mapping):
        return {}
    return {name: table for name, table in nodes.items() if isinstance(table, Mapping)}


def _bind(name: str, spec: NodeSpec, found: Found, loaded: Loaded) -> Node:
    signature = found.signature
    given = _filled(signature, loaded.recipe) | dict(spec.params)
    arguments: dict[str, Any] = {}
    named: dict[str, tuple[External, ...]] = {}
    for key, value in given.items():
        parameter = signature.params.get(key)
        if parameter is None:
            arguments[key] = value
            continue
        arguments[key], outside = externals.resolve(value, parameter.kind, loaded.base)
        if outside:
            named[key] = tuple(outside)
    ignored = signature.options.get("ignore", ())
    params = {k: plain(v) for k, v in arguments.items() if k not in named and k not in ignored}
    return Node(
        name=name, spec=spec, found=found, inputs=_inputs(spec.inputs, signature),
        arguments=arguments, params=params, externals=named,
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
    for slot, text in _slots(written, signature):
        node, _, entry = text.partition(".")
        found.append(Input(slot=slot, node=node, entry=entry))
    return tuple(found)


def _slots(written: Any, signature: Signature | None) -> list[tuple[str, str]]:
    """Slot and text of each input, in the op's own order."""
    if isinstance(written, str):
        written = [written]
    names = signature.inputs if signature else ()
    if not isinstance(written, list) and isinstance(written, Mapping):
        order = {name: i for i, name in enumerate(names)}
        items = [(str(k), v) for k, v in written.items() if isinstance(v, str)]
        return sorted(items, key=lambda item: order.get(item[0], len(order)))
    texts = [text for text in written or [] if isinstance(text, str)]
    padded = [*names, *[f"input{i}" for i in range(len(names), len(texts))]]
    return list(zip(padded, texts, strict=False))


def _check_inputs(
    name: str, table: Mapping[str, Any], nodes: Mapping[str, Any], tree: Tree, catalog: Catalog
) -> list[Problem]:
    written = table.get("inputs", [])
    found = catalog.find("op", table["use"]) if isinstance(table.get("use"), str) else None
    signature = found.signature if found else None
    problems = []
    for index, (slot, text) in enumerate(_slots(written, signature)):
        node = text.partition(".")[0]
        if node not in nodes:
            key = slot if isinstance(written, Mapping) else index
            path = ("nodes", name, "inputs") + (() if isinstance(written, str) else (key,))
            hint = did_you_mean(node, [n for n in nodes if n != name])
            problems.append(tree.problem(path, f"no node {node!r}; {hint}"))
    message = _arity(written, signature) if signature else ""
    if message:
        path = ("nodes", name, "inputs") if "inputs" in table else ("nodes", name)
        problems.append(tree.problem(path, message))
    return problems


def _arity(written: Any, signature: Signature) -> str:
    """What is wrong with the number or the names of the inputs; empty when nothing is."""
    names = list(signature.inputs)
    takes = ", ".join(names) + (" and any number more" if signature.variadic else "")
    op = f"op {signature.name!r}"
    if isinstance(written, Mapping):
        wrong = [key for key in written if key not in names]
        if wrong:
            return f"{op} has no input {wrong[0]!r}; {did_you_mean(wrong[0], names)}"
        absent = [key for key in names if key not in written]
        return f"{op} also needs the input {absent[0]!r}" if absent else ""
    count = 1 if isinstance(written, str) else len(written or [])
    if signature.variadic:
        least = max(1, len(names))
        return (
            ""
            if count >= least
            else f"{op} needs at least {least} input{'s' * (least > 1)}, got {count}"
        )
    if count == len(names):
        return ""
    if not names:
        return f"{op} takes no inputs, got {count}"
    return f"{op} takes {len(names)} input{'s' * (len(names) > 1)} ({takes}), got {count}"


def _edges(nodes: Mapping[str, Any]) -> dict[str, list[str]]:
    return {
        name: [t.partition(".")[0] for _, t in _slots(table.get("inputs", []), None)]
        for name, table in nodes.items()
    }


def _check_cycles(nodes: Mapping[str, Any], tree: Tree) -> list[Problem]:
    edges = {n: [i for i in inputs if i in nodes] for n, inputs in _edges(nodes).items()}
    problems: list[Problem] = []
    done: set[str] = set()
    for start in edges:
        cycle = _cycle_from(start, edges, done)
        if cycle:
            shown = " → ".join([*cycle, cycle[0]])
            message = f"inputs go in a circle: {shown} (each needs the next)"
            problems.append(tree.problem(("nodes", cycle[0], "inputs"), message))
            done.update(cycle)
    return problems


def _cycle_from(start: str, edges: Mapping[str, list[str]], done: set[str]) -> list[str]:
    """The nodes of a cycle reachable from `start` through nodes not done, or nothing; marks what it visits."""
    path: list[str] = []
    stack: list[tuple[str, Iterator[str]]] = []

    def enter(name: str) -> None:
        path.append(name)
        stack.append((name, iter(edges[name])))

    if start not in done:
        enter(start)
    while stack:
        name, following = stack[-1]
        step = next((n for n in following if n not in done), None)
        if step is None:
            done.add(name)
            path.pop()
            stack.pop()
        elif step in path:
            return path[path.index(step) :]
        else:
            enter(step)
    return []


def _order(specs: Mapping[str, NodeSpec]) -> list[str]:
    """Names with every node after its inputs, otherwise as the recipe has them."""
    edges = {
        n: [t.partition(".")[0] for _, t in _slots(spec.inputs, None)] for n, spec in specs.items()
    }
    ordered: list[str] = []
    seen: set[str] = set()
    for start in edges:
        stack = [(start, False)]
        while stack:
            name, leaving = stack.pop()
            if leaving:
                ordered.append(name)
            elif name not in seen:
                seen.add(name)
                stack.append((name, True))
                stack.extend((i, False) for i in reversed(edges[name]) if i not in seen)
    return ordered
