"""The resolved recipe: every value written out, so that it gives the same results wherever it is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from mlrecipe.code import kinds
from mlrecipe.code.catalog import Catalog
from mlrecipe.code.defaults import REQUIRED, Unreadable
from mlrecipe.code.signatures import Parameter
from mlrecipe.recipe import own
from mlrecipe.recipe.deferred import Deferred
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.schema import Loaded
from mlrecipe.recipe.shape import SPECS, component_kind, spec

_COMPONENTS = (
    ("data",), ("model",), ("task",), ("train", "optimizer"), ("train", "scheduler"),
)  # fmt: skip
_FAMILIES = (("nodes",), ("evaluate", "nodes"), ("train", "callbacks"), ("train", "loggers"))


def resolved(loaded: Loaded, catalog: Catalog, *, elsewhere: bool = False) -> dict[str, Any]:
    """All values of a recipe, with the defaults of its own tables and of its components.

    Args:
        loaded: the recipe.
        catalog: where the components' defaults are looked up.
        elsewhere: whether it will be kept in another folder; its paths then say where they start from.
    """
    values: dict[str, Any] = {}
    for path, name in SPECS.items():
        table = values
        for key in path:
            table = table.setdefault(key, {})
        given = table_at(loaded.values, path)
        _fill(table, given, own.applicable(path, spec(name).params, loaded.values, catalog))
    if values["train"].get("batching") == "tokens":
        values["train"].pop("batch_size", None)  # its default does not hold there
    for path in _component_paths(loaded.values):
        _fill_component(values, loaded, path, catalog)
    if elsewhere:
        values["relative_to"] = loaded.base.relative_to(loaded.project).as_posix()
    elif not values.get("relative_to"):
        values.pop("relative_to", None)
    return values


def to_toml(values: Mapping[str, Any]) -> str:
    """The values as the TOML of a recipe that says the same."""
    import tomli_w

    return tomli_w.dumps(written(values))


def recipe_hash(loaded: Loaded, catalog: Catalog) -> str:
    """SHA-256 in hex of all that a recipe says, wherever in its project it is kept, however it is written."""
    values = written(resolved(loaded, catalog, elsewhere=True))
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _component_paths(values: Mapping[str, Any]) -> list[tuple[str, ...]]:
    paths: list[tuple[str, ...]] = [p for p in _COMPONENTS if table_at(values, p)]
    for family in _FAMILIES:
        paths += [(*family, name) for name in table_at(values, family)]
    return paths


def _fill(table: dict[str, Any], given: Mapping[str, Any], params: Mapping[str, Parameter]) -> None:
    for name, parameter in params.items():
        if name in given:
            table[name] = kinds.convert(given[name], parameter.kind)[0]
        elif _has_default(parameter) and parameter.default not in (None, {}, []):
            table[name] = parameter.default


def _fill_component(
    values: dict[str, Any], loaded: Loaded, path: tuple[str, ...], catalog: Catalog
) -> None:
    given = dict(table_at(loaded.values, path))
    kind = component_kind(path)
    found = catalog.find(kind, given["use"]) if kind else None
    table: dict[str, Any] = dict(given)
    for name, parameter in (found.signature.params if found else {}).items():
        if name in given:
            table[name] = kinds.convert(given[name], parameter.kind)[0]
        if name in ("seed", "limit", "scratch") and kind == "op":
            continue  # filled in from the recipe's own
        if name not in given and _has_default(parameter) and parameter.default is not None:
            table[name] = parameter.default
    target = values
    for key in path[:-1]:
        target = target.setdefault(key, {})
    target[path[-1]] = table


def _has_default(parameter: Parameter) -> bool:
    return parameter.default is not REQUIRED and not isinstance(parameter.default, Unreadable)


def written(value: Any) -> Any:
    """The value as a recipe writes it: none by its name, and no text that reads as a reference."""
    if isinstance(value, Mapping):
        return {key: written(below) for key, below in value.items()}
    if isinstance(value, (list, tuple)):
        return [written(item) for item in value]
    if isinstance(value, Deferred):
        return str(value)
    if isinstance(value, str):
        return value.replace("${", "$${")
    return "${none}" if value is None else value
