"""The shape of a recipe: what each of its tables is, and so what type each key has."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mlrecipe.code import signatures
from mlrecipe.code.catalog import Catalog
from mlrecipe.code.defaults import REQUIRED, Unreadable
from mlrecipe.code.kinds import ANY, Kind
from mlrecipe.code.signatures import Parameter, Signature
from mlrecipe.recipe import schema
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.positions import KeyPath
from mlrecipe.registry import Kind as ComponentKind

SPECS: dict[tuple[str, ...], str] = {
    (): "Recipe", ("train",): "TrainSpec", ("test",): "TestSpec", ("evaluate",): "EvaluateSpec",
    ("run",): "RunSpec",
}  # fmt: skip
"""Tables that are dataclasses of `schema`."""

_KINDS: dict[KeyPath, ComponentKind] = {
    ("data",): "datamodule", ("model",): "model", ("task",): "task",
    ("train", "optimizer"): "optimizer", ("train", "scheduler"): "scheduler",
}  # fmt: skip
_FAMILIES: dict[KeyPath, ComponentKind] = {
    ("nodes",): "op", ("evaluate", "nodes"): "op", ("train", "callbacks"): "callback",
    ("train", "loggers"): "logger",
}  # fmt: skip
"""Tables of tables of the user's own naming."""

_NODE_KEYS = ("use", "inputs", "cache", "force", "version", "shards")


def component_kind(path: KeyPath) -> ComponentKind | None:
    """What kind of component the table at `path` is, if it is one."""
    if path in _KINDS:
        return _KINDS[path]
    is_named = bool(path) and isinstance(path[-1], str)
    return _FAMILIES.get(path[:-1]) if is_named else None


def spec(name: str) -> Signature:
    """Fields, kinds, defaults and docs of a dataclass of `schema`, from its source."""
    return _specs()[name]


@cache
def _specs() -> dict[str, Signature]:
    path = Path(schema.__file__)
    return signatures.classes(path.read_text(encoding="utf-8"), str(path))


def kind_at(path: KeyPath, values: Mapping[str, Any], catalog: Catalog) -> Kind:
    """The type of the value at `path` in a recipe of these values; `ANY` where nothing is known."""
    parameter, rest = _parameter_at(path, values, catalog)
    return below(parameter.kind, rest) if parameter else ANY


def default_at(path: KeyPath, values: Mapping[str, Any], catalog: Catalog) -> Any:
    """What holds at `path` where a recipe of these values says nothing; `REQUIRED` where nothing does."""
    parameter, rest = _parameter_at(path, values, catalog)
    found = parameter.default if parameter else REQUIRED
    for step in rest:
        if isinstance(found, (list, tuple)) and str(step).isdigit() and int(step) < len(found):
            found = found[int(step)]
        else:
            found = found.get(step, REQUIRED) if isinstance(found, Mapping) else REQUIRED
    return REQUIRED if isinstance(found, Unreadable) else found


def _parameter_at(
    path: KeyPath, values: Mapping[str, Any], catalog: Catalog
) -> tuple[Parameter | None, KeyPath]:
    """The parameter or field that `path` leads to or into, and what of the path lies inside it."""
    for depth in range(len(path) - 1, -1, -1):
        head, key = path[:depth], str(path[depth])
        component = component_kind(head)
        if component is not None:
            found = _parameter(component, table_at(values, head), key, catalog)
            return found, path[depth + 1 :]
        if head == ("train", "trainer"):
            return catalog.trainer().params.get(key), path[depth + 1 :]
        if (name := SPECS.get(tuple(map(str, head)))) is not None:
            return spec(name).params.get(key), path[depth + 1 :]
    return None, ()


def _parameter(
    component: ComponentKind, table: Mapping[str, Any], key: str, catalog: Catalog
) -> Parameter | None:
    if component == "op" and key in _NODE_KEYS:
        return spec("NodeSpec").params[key]
    if key == "use":
        return Parameter(name="use", kind=Kind("str"))
    found = catalog.find(component, str(table.get("use", "")))
    return found.signature.params.get(key) if found else None


def below(kind: Kind, path: KeyPath) -> Kind:
    """The type of what lies at `path` inside a value of `kind`."""
    for _ in path:
        tables = [
            k for k in (kind, *kind.args) if isinstance(k, Kind) and k.name in ("dict", "list")
        ]
        kind = tables[0].args[0] if tables else ANY
    return kind
