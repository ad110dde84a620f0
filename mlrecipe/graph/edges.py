"""Edges: what nodes say of their inputs, what is wrong with it, and the order that follows from it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from mlrecipe.code.catalog import Catalog
from mlrecipe.code.signatures import Signature
from mlrecipe.errors import Problem, did_you_mean
from mlrecipe.recipe import evaluation
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.positions import KeyPath
from mlrecipe.recipe.schema import NodeSpec


def check(
    family: KeyPath, tables: Mapping[str, Any], known: Collection[str], tree: Tree, catalog: Catalog
) -> list[Problem]:
    """Unknown inputs, wrong numbers of them, and circles among the nodes whose tables stand at `family`.

    Args:
        family: where the tables are: `("nodes",)`.
        tables: name → table.
        known: what inputs may name besides these nodes.
        tree: the recipe.
        catalog: where ops are looked up.
    """
    problems: list[Problem] = []
    for name, table in tables.items():
        problems += _check_inputs((*family, name), table, [*tables, *known], tree, catalog)
    return problems + _check_cycles(family, tables, tree)


def slots(written: Any, signature: Signature | None) -> list[tuple[str, str]]:
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


def order(specs: Mapping[str, NodeSpec]) -> list[str]:
    """Names with every node after those of its inputs that are among them, otherwise as the recipe has them."""
    edges = {
        name: [node for _, text in slots(spec.inputs, None)
               if (node := evaluation.taken(text)[0]) in specs]
        for name, spec in specs.items()
    }  # fmt: skip
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


def _check_inputs(
    path: KeyPath, table: Mapping[str, Any], known: Collection[str], tree: Tree, catalog: Catalog
) -> list[Problem]:
    written = table.get("inputs", [])
    found = catalog.find("op", table["use"]) if isinstance(table.get("use"), str) else None
    signature = found.signature if found else None
    problems = []
    for index, (slot, text) in enumerate(slots(written, signature)):
        if message := _unknown(text, path, known):
            key = slot if isinstance(written, Mapping) else index
            place = (*path, "inputs") + (() if isinstance(written, str) else (key,))
            problems.append(tree.problem(place, message))
    message = _arity(written, signature) if signature else ""
    if message:
        place = (*path, "inputs") if "inputs" in table else path
        problems.append(tree.problem(place, message))
    return problems


def _unknown(text: str, path: KeyPath, known: Collection[str]) -> str:
    """What is wrong with the name of an input; empty when nothing is."""
    is_evaluation = path[: len(evaluation.NODES)] == evaluation.NODES
    node, entry = evaluation.taken(text)
    if is_evaluation and evaluation.is_source(node):
        if entry:
            return f"{node!r} has no entries to choose from: take it whole"
        is_named = not node.startswith(evaluation.RUN) or evaluation.of_run(node)[0]
        return "" if is_named else "name the run: `run:ID`, or `run:ID:SPLIT` for one of its splits"
    if node in known:
        return ""
    if evaluation.is_source(node):
        return f"no node {node!r}: predictions are inputs of nodes in [evaluate.nodes] alone"
    return f"no node {node!r}; {did_you_mean(node, [n for n in known if n != path[-1]])}"


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
        name: [evaluation.taken(t)[0] for _, t in slots(table.get("inputs", []), None)]
        for name, table in nodes.items()
    }


def _check_cycles(family: KeyPath, nodes: Mapping[str, Any], tree: Tree) -> list[Problem]:
    known = {n for n in nodes if family != evaluation.NODES or not evaluation.is_source(n)}
    edges = {n: [i for i in inputs if i in known] for n, inputs in _edges(nodes).items()}
    problems: list[Problem] = []
    done: set[str] = set()
    for start in edges:
        cycle = _cycle_from(start, edges, done)
        if cycle:
            shown = " → ".join([*cycle, cycle[0]])
            message = f"inputs go in a circle: {shown} (each needs the next)"
            problems.append(tree.problem((*family, cycle[0], "inputs"), message))
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
