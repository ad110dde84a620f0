"""The evaluation graph: evaluation nodes over the predictions of runs, beside the data nodes they name."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from mlrecipe.code.catalog import Catalog
from mlrecipe.graph import edges
from mlrecipe.graph.graph import Graph, Node, bind
from mlrecipe.recipe import evaluation
from mlrecipe.recipe.schema import Loaded, NodeSpec

READS = "load-predictions"
"""The op whose output is the predictions of a file."""


def sources(loaded: Loaded, names: Iterable[str]) -> list[str]:
    """The predictions that evaluation nodes take, and what they need: `predictions`, `run:ID` …, each once."""
    specs, found = loaded.recipe.evaluate.nodes, dict[str, None]()
    pending, seen = list(names), set[str]()
    while pending:
        name = pending.pop(0)
        if name in specs and name not in seen:
            seen.add(name)
            used = [evaluation.taken(text)[0] for _, text in edges.slots(specs[name].inputs, None)]
            found.update(dict.fromkeys(node for node in used if evaluation.is_source(node)))
            pending += used
    return list(found)


def build(
    loaded: Loaded, catalog: Catalog, data: Graph, *, files: Mapping[str, Path], prefix: str = ""
) -> Graph:
    """The evaluation nodes of a recipe in which `check` found nothing, with all that they need.

    Args:
        loaded: the recipe.
        catalog: where ops are looked up.
        data: its data graph.
        files: the file of each input that is predictions, as `sources` names them.
        prefix: goes before the names of evaluation nodes and of predictions: `dev/`.
    """
    nodes = {
        f"{prefix}{name}": _source(f"{prefix}{name}", path, loaded, catalog)
        for name, path in files.items()
    }
    own = {name: f"{prefix}{name}" for name in (*files, *loaded.recipe.evaluate.nodes)}
    for name in edges.order(loaded.recipe.evaluate.nodes):
        bound = node(name, loaded, catalog)
        inputs = tuple(replace(i, node=own.get(i.node, i.node)) for i in bound.inputs)
        nodes[own[name]] = replace(bound, name=own[name], inputs=inputs)
    named = [i.node for each in nodes.values() for i in each.inputs if i.node not in nodes]
    return Graph({**data.upto(named).nodes, **nodes})


def node(name: str, loaded: Loaded, catalog: Catalog) -> Node:
    """An evaluation node, with its inputs as the recipe names them."""
    spec = loaded.recipe.evaluate.nodes[name]
    return bind(name, spec, (*evaluation.NODES, name), loaded, catalog)


def _source(name: str, path: Path, loaded: Loaded, catalog: Catalog) -> Node:
    """The node that reads a file of predictions."""
    spec = NodeSpec(use=READS, params={"path": os.path.relpath(path, loaded.base)})
    return bind(name, spec, ("evaluate", name), loaded, catalog)
