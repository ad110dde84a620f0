"""Evaluation nodes: what their inputs may name, and which of them are computed after a validation too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import Problem, did_you_mean
from mlrecipe.recipe import own
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.positions import KeyPath

NODES: KeyPath = ("evaluate", "nodes")
"""Where a recipe has its evaluation nodes."""

PREDICTIONS = "predictions"
"""The input that is what is evaluated."""

VALIDATION = "validation"
"""The input that is the predictions of the tested checkpoint's validation."""

RUN = "run:"
"""How an input begins that is the predictions of another run."""


def is_source(name: str) -> bool:
    """Whether an input is predictions of a run, rather than a node's output."""
    return name in (PREDICTIONS, VALIDATION) or name.startswith(RUN)


def taken(text: str) -> tuple[str, str]:
    """Node and entry that an input names: of `split.train` `split` and `train`; a run's id may have dots."""
    if text.startswith(RUN):
        return text, ""
    node, _, entry = text.partition(".")
    return node, entry


def of_run(name: str) -> tuple[str, str]:
    """Id and split, if one is named, of an input `run:ID` or `run:ID:SPLIT`."""
    run_id, _, split = name.removeprefix(RUN).partition(":")
    return run_id, split


def tables(values: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The tables of the evaluation nodes in a recipe's plain values."""
    nodes = table_at(values, NODES)
    return {name: table for name, table in nodes.items() if isinstance(table, Mapping)}


def on_validation(values: Mapping[str, Any]) -> list[str]:
    """Evaluation nodes whose metrics every validation has: those named, else all that can."""
    named = table_at(values, ("evaluate",)).get("validation")
    able = _able(values)
    return able if not isinstance(named, list) else [name for name in able if name in named]


def needed(values: Mapping[str, Any], name: str) -> list[str]:
    """An evaluation node and the evaluation nodes that it needs, inputs first."""
    found: list[str] = []
    _visit(name, tables(values), found, ())
    return found


def why_not(values: Mapping[str, Any], name: str) -> str:
    """Why an evaluation node cannot be computed after a validation; empty where it can."""
    known = tables(values)
    for each in needed(values, name):
        for text in inputs(known[each]):
            node, _ = taken(text)
            if node != PREDICTIONS and node not in known:
                where = "" if each == name else f" of {each!r}, which it needs,"
                return f"its input {text!r}{where} is not there after a validation"
    return "" if name in _able(values) else "it does not hang on `predictions`"


def inputs(table: Mapping[str, Any]) -> Iterator[str]:
    """The texts of a node's inputs, however they are written."""
    found = places({"evaluate": {"nodes": {"": table}}})
    yield from (text for _, text in found)


def places(values: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Where an input of an evaluation node is written, and its text."""
    for name, table in tables(values).items():
        written, path = table.get("inputs", []), (*NODES, name, "inputs")
        if isinstance(written, str):
            yield path, written
        elif isinstance(written, Mapping | list):
            items = written.items() if isinstance(written, Mapping) else enumerate(written)
            yield from (((*path, key), text) for key, text in items if isinstance(text, str))


def watched(values: Mapping[str, Any]) -> list[str]:
    """Evaluation nodes whose metrics decide over a training: `monitor`, and callbacks that watch one."""
    train = table_at(values, ("train",))
    callbacks = table_at(train, ("callbacks",)).values()
    monitors = [train, *(table for table in callbacks if isinstance(table, Mapping))]
    names = [str(table.get("monitor", "")).split("/") for table in monitors]
    known = on_validation(values)
    return list(dict.fromkeys(p[1] for p in names if len(p) > 1 and p[1] in known))


def problems(tree: Tree, catalog: Catalog) -> list[Problem]:
    """What is wrong with the names of evaluation nodes, and of those that validations are to have."""
    data = table_at(tree.values, ("nodes",))
    metrics = _metrics(tree.values, catalog)
    found = [
        tree.problem((*NODES, name), message)
        for name in tables(tree.values)
        if (message := _name_problem(name, data, metrics))
    ]
    for name in (PREDICTIONS, VALIDATION):
        if name in data and tables(tree.values):
            message = f"in [evaluate] {name!r} means the predictions of a run; rename this node"
            found.append(tree.problem(("nodes", name), message))
    return found + _check_validation(tree)


def _name_problem(name: str, data: Mapping[str, Any], metrics: list[str]) -> str:
    if name in data:
        return f"there is a node {name!r} in [nodes] too; their names may not be the same"
    if is_source(name):
        return f"{name!r} is an input of evaluation nodes: give this node another name"
    if "/" in name:
        return "the name of an evaluation node may not have a '/', which its metrics' names have"
    if name == "loss" or name in metrics:
        return f"{name!r} is a metric of the task already: give this node another name"
    return ""


def _metrics(values: Mapping[str, Any], catalog: Catalog) -> list[str]:
    """Names of the task's metrics, as far as they are known."""
    task = own.task_of(values, catalog)
    default = task.signature.params.get("metrics") if task is not None else None
    found = table_at(values, ("task",)).get("metrics", default.default if default else [])
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _check_validation(tree: Tree) -> list[Problem]:
    named = table_at(tree.values, ("evaluate",)).get("validation")
    known = tables(tree.values)
    found = []
    for index, name in enumerate(named if isinstance(named, list) else []):
        path = ("evaluate", "validation", index)
        if isinstance(name, str) and name not in known:
            message = f"no evaluation node {name!r}; {did_you_mean(name, known)}"
            found.append(tree.problem(path, message))
        elif isinstance(name, str) and (why := why_not(tree.values, name)):
            message = f"{name!r} cannot be computed after a validation: {why}"
            found.append(tree.problem(path, message))
    return found


def _able(values: Mapping[str, Any]) -> list[str]:
    """Evaluation nodes that hang on `predictions` alone, as the recipe has them."""
    known = tables(values)
    able: set[str] = set()
    while True:
        more = {
            name for name, table in known.items()
            if name not in able and (texts := list(inputs(table)))
            and all(text == PREDICTIONS or taken(text)[0] in able for text in texts)
        }  # fmt: skip
        if not more:
            return [name for name in known if name in able]
        able |= more


def _visit(
    name: str, known: Mapping[str, Mapping[str, Any]], found: list[str], above: tuple[str, ...]
) -> None:
    if name in found or name in above or name not in known:  # in a circle: said elsewhere
        return
    for text in inputs(known[name]):
        _visit(taken(text)[0], known, found, (*above, name))
    found.append(name)
