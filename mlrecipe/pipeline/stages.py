"""Stages: what training and testing need of a recipe, and the fingerprints that name their results."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlrecipe.code.catalog import Catalog
from mlrecipe.code.closure import code_digest
from mlrecipe.errors import DataError, Problem, RecipeError, RequestError
from mlrecipe.graph import externals
from mlrecipe.graph.encode import digest
from mlrecipe.interfaces import Memo
from mlrecipe.pipeline.explain import shorten
from mlrecipe.pipeline.judge import watched_facts
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe import own
from mlrecipe.recipe.deferred import plain, reveal
from mlrecipe.recipe.keys import dotted, leaves, table_at
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.positions import KeyPath
from mlrecipe.recipe.resolved import resolved
from mlrecipe.recipe.schema import Component
from mlrecipe.registry import Kind, registries
from mlrecipe.store.records import Record

_PATHS: dict[str, Kind] = {"data": "datamodule", "model": "model", "task": "task"}


def check_trainable(tree: Tree, catalog: Catalog) -> list[Problem]:
    """What a recipe lacks to be trained: what, on what and for what."""
    is_module = own.is_module(tree.values, catalog)
    missing = [
        tree.problem((key,), f"training needs a [{key}] table with `use`")
        for key in (("task",) if is_module else ("model", "task"))
        if key not in tree.values
    ]
    needs_data = not is_module or own.takes_splits(tree.values, catalog)
    if needs_data and not table_at(tree.values, ("train",)).get("data"):
        message = "training needs `data`, the node whose splits it learns from"
        missing.append(tree.problem(("train", "data"), message))
    return missing


def check_trainable_if_meant(tree: Tree, catalog: Catalog) -> list[Problem]:
    """What a recipe lacks to be trained, if it goes beyond data."""
    has_data = bool(table_at(tree.values, ("train",)).get("data"))
    is_meant = has_data or all(key in tree.values for key in ("model", "task"))
    is_meant = is_meant or own.is_module(tree.values, catalog)
    return check_trainable(tree, catalog) if is_meant else []


def make(request: Request, kind: Kind, component: Component) -> Any:
    """The component that the recipe describes; its plugin must have been loaded.

    Raises:
        RecipeError: it refuses its parameters.
    """
    made = registries[kind].get(component.use)
    table = "data" if kind == "datamodule" else kind
    parameters = reveal(request.parameters(kind, component))
    try:
        return made(**parameters)
    except DataError as error:
        key = f"{table}.{error.key}" if error.key else table
        raise placed(DataError(error.message, key=key, hint=error.hint), request) from error


def placed(error: DataError, request: Request) -> RecipeError:
    """An error about a recipe's key, with the key's file and line."""
    path: KeyPath = tuple(error.key.split(".")) if error.key else ()
    message = f"{error.message}; {error.hint}" if error.hint else error.message
    return RecipeError([request.tree.problem(path, message)], subject=request.name)


def train_fingerprint(
    request: Request, records: Mapping[str, Record], memo: Memo | None = None
) -> str:
    """Names a training: equal ones give equal models (on one machine and set of libraries)."""
    recipe = request.loaded.recipe
    values = resolved(request.loaded, request.catalog)
    train = {k: v for k, v in values["train"].items() if k != "loggers"}
    node, _, entry = recipe.train.data.partition(".")
    covered = {
        "data": [records[node].digest, entry] if node else [],
        "seed": recipe.seed if recipe.train.seed is None else recipe.train.seed,
        "train": train,
        **{
            key: component_facts(request, key, values[key], memo) for key in _PATHS if key in values
        },
    }
    if guides := watched_facts(request, memo):
        covered["evaluate"] = guides
    return digest(["train", 1, plain(covered)], path="train")


def test_fingerprint(request: Request, records: Mapping[str, Record], train_run: str) -> str:
    """Names the test of one train run."""
    test = request.loaded.recipe.test
    node, _, entry = (test.data or request.loaded.recipe.train.data).partition(".")
    data = records[node].digest if node else ""
    covered = [data, entry, test.split, test.checkpoint, train_run]
    if test.keep is not None:
        covered.append(test.keep)
    return digest(["test", 1, covered], path="test")


test_fingerprint.__test__ = False  # type: ignore[attr-defined]  # not a test for pytest


def pick(value: Any, data: str) -> Any:
    """The splits that `data` names: a node's output, or one entry of it.

    Raises:
        RequestError: the output has no such entry, or is no table of splits.
    """
    _, _, entry = data.partition(".")
    if entry:
        try:
            value = value[entry]
        except (KeyError, TypeError):
            raise RequestError(f"{data!r}: the output has no entry {entry!r}") from None
    if not isinstance(value, Mapping):
        raise RequestError(
            f"the output of {data!r} is a {type(value).__name__}, not a table of splits",
            hint="put an op `split` between",
        )
    return value


def changes(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """`key old → new` for every value in which two resolved recipes differ, plugins and names left aside."""
    found = sorted(differences(then, now), key=lambda item: not item[0].endswith(".use"))
    return [
        f"{k} {shorten(a)} → {shorten(b)}"
        for k, a, b in found
        if k != "plugins" and not k.startswith("run.")
    ]


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Key, old and new value, sorted, of all in which two resolved recipes differ; None: not set."""
    old = {dotted(path): value for path, value in leaves(then)}
    new = {dotted(path): value for path, value in leaves(now)}
    keys = sorted(old.keys() | new.keys())
    return [
        (key, old.get(key), new.get(key))
        for key in keys
        if old.get(key) != new.get(key) and key != "relative_to"
    ]


def component_facts(
    request: Request, key: str, values: Mapping[str, Any], memo: Memo | None
) -> dict[str, Any]:
    """A component's parameters, the content of what they name, and its code where it is a plugin's."""
    found = request.catalog.find(_PATHS[key], values["use"])
    assert found is not None, key  # the recipe was checked
    given = {name: value for name, value in values.items() if name != "use"}
    bound = request.bound(_PATHS[key], Component(use=values["use"], params=given))
    outside = [
        [name, *pair]
        for name, items in bound.externals.items()
        for external in items
        for pair in externals.digests(external, memo)
    ]
    code = ""
    if found.plugin:
        path = Path(found.signature.file)
        roots = [request.loaded.project.resolve()]
        code = code_digest(path, found.signature.qualname, roots=roots, memo=memo).digest
    left_out = {name for name, *_ in outside} | bound.told.keys()
    shares = {
        key: externals.shares(value, found.signature.params[key].kind, request.loaded.base)
        for key, value in given.items()
        if key in bound.externals and isinstance(value, dict)
    }
    return {
        "params": {k: v for k, v in values.items() if k not in left_out} | shares,
        "files": outside,
        "code": code,
    }
