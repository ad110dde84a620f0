"""The shape of a recipe: what each of its tables is, and so what type each key has."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mlrecipe.code import signatures
from mlrecipe.code.catalog import Catalog
from mlrecipe.code.kinds import ANY, Kind
from mlrecipe.code.signatures import Signature
from mlrecipe.recipe import schema
from mlrecipe.recipe.positions import KeyPath
from mlrecipe.registry import Kind as ComponentKind

SPECS: dict[tuple[str, ...], str] = {(): "Recipe", ("train",): "TrainSpec", ("test",): "TestSpec"}
"""Tables that are dataclasses of `schema`."""

_NODE_KEYS = ("use", "inputs", "cache", "force", "version")


def component_kind(path: KeyPath) -> ComponentKind | None:
    """What kind of component the table at `path` is, if it is one."""
    match path:
        case ("nodes", str()):
            return "op"
        case ("model",):
            return "model"
        case ("task",):
            return "task"
        case ("train", "optimizer"):
            return "optimizer"
        case ("train", "scheduler"):
            return "scheduler"
        case ("train", "callbacks", str()):
            return "callback"
        case ("train", "loggers", str()):
            return "logger"
    return None


def spec(name: str) -> Signature:
    """Fields, kinds, defaults and docs of a dataclass of `schema`, from its source."""
    return _specs()[name]


@cache
def _specs() -> dict[str, Signature]:
    path = Path(schema.__file__)
    return signatures.classes(path.read_text(encoding="utf-8"), str(path))


def kind_at(path: KeyPath, values: Mapping[str, Any], catalog: Catalog) -> Kind:
    """The type of the value at `path` in a recipe of these values; `ANY` where nothing is known."""
    for depth in range(len(path) - 1, -1, -1):
        head, key = path[:depth], path[depth]
        component = component_kind(head)
        if component is not None:
            kind = _component_kind_at(component, _table(values, head), str(key), catalog)
            return _below(kind, path[depth + 1 :])
        if (name := SPECS.get(tuple(map(str, head)))) is not None:
            parameter = spec(name).params.get(str(key))
            return _below(parameter.kind, path[depth + 1 :]) if parameter else ANY
    return ANY


def _component_kind_at(
    component: ComponentKind, table: Mapping[str, Any], key: str, catalog: Catalog
) -> Kind:
    if component == "op" and key in _NODE_KEYS:
        return spec("NodeSpec").params[key].kind
    if key == "use":
        return Kind("str")
    found = catalog.find(component, str(table.get("use", "")))
    parameter = found.signature.params.get(key) if found else None
    return parameter.kind if parameter else ANY


def _below(kind: Kind, path: KeyPath) -> Kind:
    """The type of what lies at `path` inside a value of `kind`."""
    for _ in path:
        tables = [
            k for k in (kind, *kind.args) if isinstance(k, Kind) and k.name in ("dict", "list")
        ]
        kind = tables[0].args[0] if tables else ANY
    return kind


def _table(values: Mapping[str, Any], path: KeyPath) -> Mapping[str, Any]:
    found: Any = values
    for key in path:
        found = found.get(key, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}
