"""Structure: from a tree of plain values to a `Recipe`, collecting every problem on the way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlrecipe.code import kinds
from mlrecipe.code.catalog import Catalog, Found
from mlrecipe.code.defaults import REQUIRED
from mlrecipe.code.signatures import FILLED, Parameter
from mlrecipe.errors import Problem, did_you_mean, suggest
from mlrecipe.recipe import evaluation
from mlrecipe.recipe.deferred import deferred_in
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.layers import UNRESOLVED, Tree
from mlrecipe.recipe.positions import KeyPath
from mlrecipe.recipe.schema import (
    Component,
    EvaluateSpec,
    NodeSpec,
    Recipe,
    RunSpec,
    TestSpec,
    TrainSpec,
)
from mlrecipe.recipe.shape import component_kind, spec
from mlrecipe.registry import Kind

_NODE_KEYS = {name: p for name, p in spec("NodeSpec").params.items() if name != "params"}


def structure(tree: Tree, catalog: Catalog) -> tuple[Recipe | None, list[Problem]]:
    """The recipe that the tree says, or None, and everything that is wrong with it."""
    work = _Structure(tree, catalog)
    recipe = work.recipe()
    return (None if work.problems else recipe), work.problems


class _Structure:
    def __init__(self, tree: Tree, catalog: Catalog) -> None:
        self._tree = tree
        self._catalog = catalog
        self.problems: list[Problem] = []

    def recipe(self) -> Recipe:
        values = self._fields((), self._tree.values, spec("Recipe").params)
        for key in ("data", "model", "task"):
            if key in values:
                values[key] = self._component((key,), values[key])
        nodes = self._table(("nodes",), values.get("nodes", {}))
        values["nodes"] = {n: self._node(("nodes", n), table) for n, table in nodes.items()}
        values["train"] = self._train(self._table(("train",), values.get("train", {})))
        test = self._table(("test",), values.get("test", {}))
        values["test"] = TestSpec(**self._fields(("test",), test, spec("TestSpec").params))
        values["evaluate"] = self._evaluate(values.get("evaluate", {}))
        run = self._table(("run",), values.get("run", {}))
        values["run"] = RunSpec(**self._fields(("run",), run, spec("RunSpec").params))
        self._check_node_names()
        self._check_metrics(values)
        self.problems += evaluation.problems(self._tree, self._catalog)
        return Recipe(**values) if not self.problems else Recipe(name="")

    def _table(self, path: KeyPath, value: Any) -> Mapping[str, Any]:
        """The value if it is a table; else a problem, and an empty one."""
        if isinstance(value, Mapping):
            return value
        if value is not UNRESOLVED:
            self._add(path, f"expected a table, got {kinds.describe(value)}")
        return {}

    def _train(self, table: Mapping[str, Any]) -> TrainSpec:
        values = self._fields(("train",), table, spec("TrainSpec").params)
        for key in ("optimizer", "scheduler"):
            if key in values:
                values[key] = self._component(("train", key), values[key])
        for key in ("callbacks", "loggers"):
            tables = self._table(("train", key), values.get(key, {}))
            values[key] = {
                name: self._component(("train", key, name), below) for name, below in tables.items()
            }
        return TrainSpec(**values) if not self.problems else TrainSpec()

    def _evaluate(self, value: Any) -> EvaluateSpec:
        path = ("evaluate",)
        values = self._fields(path, self._table(path, value), spec("EvaluateSpec").params)
        nodes = self._table(evaluation.NODES, values.get("nodes", {}))
        values["nodes"] = {
            name: self._node((*evaluation.NODES, name), table) for name, table in nodes.items()
        }
        return EvaluateSpec(**values) if not self.problems else EvaluateSpec()

    def _node(self, path: KeyPath, table: Any) -> NodeSpec:
        name = str(path[-1])
        if not name:
            self._add(path, "a node needs a name")
        if "." in name:
            self._add(
                path, "a node's name may not contain a dot, which chooses one entry of an output"
            )
        if not isinstance(table, Mapping):
            self._add(path, f"expected a table with `use`, got {kinds.describe(table)}")
            return NodeSpec(use="")
        if "use" not in table and self._tree.origin(path).file.startswith("--set"):
            tables = table_at(self._tree.values, path[:-1]).items()
            known = [n for n, t in tables if isinstance(t, Mapping) and "use" in t]
            self._add(path, f"no node of that name; {did_you_mean(name, known)}")
            return NodeSpec(use="")
        own = {key: value for key, value in table.items() if key in _NODE_KEYS}
        values = self._fields(path, own, _NODE_KEYS, missing_near=table.keys() - own.keys())
        params = {key: value for key, value in table.items() if key not in _NODE_KEYS}
        if "use" in values:
            params = self._params(path, values["use"], params)
        return NodeSpec(**{"use": "", **values, "params": params})

    def _component(self, path: KeyPath, table: Any) -> Component:
        if table is UNRESOLVED or (isinstance(table, Mapping) and table.get("use") is UNRESOLVED):
            return Component(use="")
        if not isinstance(table, Mapping):
            self._add(path, f"expected a table with `use`, got {kinds.describe(table)}")
            return Component(use="")
        params = dict(table)
        use = params.pop("use", "")
        if not isinstance(use, str) or not use:
            near = suggest("use", params) if "use" not in table else None
            kind = component_kind(path)
            hint = f"; did you mean it by {near!r}?" if near else ""
            name = str(path[-1])
            if kind and not hint and self._catalog.find(kind, name) is not None:
                hint = f'; write use = "{name}" in this table'
            self._add(path, f"`use` must name a {kind}{hint}")
            return Component(use="")
        return Component(use=use, params=self._params(path, use, params))

    def _params(self, path: KeyPath, use: Any, params: Mapping[str, Any]) -> dict[str, Any]:
        kind = component_kind(path)
        if kind is None or not isinstance(use, str):
            return dict(params)
        found = self._catalog.find(kind, use)
        if found is None:
            self._add((*path, "use"), self._unknown(kind, use))
            return dict(params)
        signature = found.signature
        allowed = {n: p for n, p in signature.params.items() if not _is_filled_only(kind, n)}
        if signature.open:
            named = {k: v for k, v in params.items() if k in allowed}
            rest = {k: v for k, v in params.items() if k not in allowed}
            return rest | self._fields(path, named, allowed, found=found)
        return self._fields(path, params, allowed, found=found)

    def _unknown(self, kind: Kind, use: str) -> str:
        plugins = [plugin.name for plugin in self._catalog.plugins]
        searched = f"; searched mlrecipe and {', '.join(plugins)}" if plugins else ""
        return f"unknown {kind} {use!r}; {did_you_mean(use, self._catalog.names(kind))}{searched}"

    def _fields(
        self,
        path: KeyPath,
        table: Mapping[str, Any],
        allowed: Mapping[str, Parameter],
        *,
        found: Found | None = None,
        missing_near: Iterable[str] = (),
    ) -> dict[str, Any]:
        """The table's values by the kinds of `allowed`; unknown and missing keys are problems."""
        unknown = [key for key in table if key not in allowed]
        missing = [
            name for name, p in allowed.items()
            if p.default is REQUIRED and name not in table and not _is_filled(found, name)
        ]  # fmt: skip
        for key in unknown:
            near = suggest(key, missing)
            if near:  # one slip of the pen is one problem
                missing.remove(near)
                self._add((*path, key), f"unknown key; did you mean {near!r}, which is missing?")
            else:
                self._add((*path, key), self._unknown_key(key, allowed, found))
        for name in missing:
            near = suggest(name, missing_near)
            hint = f"; did you mean it by {near!r}?" if near else _because(allowed[name])
            self._add(path, f"missing key {name!r}{hint}")
        return {
            key: self._value((*path, key), value, allowed[key], is_parameter=found is not None)
            for key, value in table.items()
            if key in allowed
        }

    def _unknown_key(self, key: str, allowed: Mapping[str, Parameter], found: Found | None) -> str:
        owner = f" of {found.signature.component} {found.signature.name!r}" if found else ""
        if allowed is spec("Recipe").params:
            allowed = {**allowed, **spec("Composition").params}
        names = [*allowed, *_NODE_KEYS] if found and found.signature.component == "op" else allowed
        return f"unknown key{owner}; {did_you_mean(key, names)}"

    def _value(self, path: KeyPath, value: Any, parameter: Parameter, *, is_parameter: bool) -> Any:
        if parameter.kind.name == "any" or kinds.is_component(parameter.kind):
            return value  # a table of its own, checked there
        if isinstance(value, Mapping) and kinds.is_free_table(parameter.kind):
            return value  # of tables of their own
        if _has_unresolved(value):
            return UNRESOLVED
        if kinds.sources(parameter.kind) and deferred_in(value):
            self._add(path, "what names a file must be known before the work begins")
            return value
        if not is_parameter and deferred_in(value):
            self._add(path, "a secret or ${run_dir} may stand only where a component takes it")
            return value
        converted, problems = kinds.convert(value, parameter.kind)
        for below, message in problems:
            problem = self._tree.problem(_deeper(path, below), message)
            self.problems.append(problem)
        return converted

    def _check_node_names(self) -> None:
        nodes = self._tree.values.get("nodes")
        known = list(nodes) if isinstance(nodes, Mapping) else []
        for key in ("train", "test"):
            section = self._tree.values.get(key)
            name = section.get("data") if isinstance(section, Mapping) else None
            if not isinstance(name, str) or not isinstance(nodes, Mapping | None):
                continue
            if name and name not in known and name.partition(".")[0] not in known:
                self._add((key, "data"), f"no node {name!r}; {did_you_mean(name, known)}")

    def _check_metrics(self, values: Mapping[str, Any]) -> None:
        task = values.get("task")
        names = task.params.get("metrics", []) if isinstance(task, Component) else []
        for index, name in enumerate(names if isinstance(names, list) else []):
            if isinstance(name, str) and self._catalog.find("metric", name) is None:
                self._add(("task", "metrics", index), self._unknown("metric", name))

    def _add(self, path: KeyPath, message: str) -> None:
        self.problems.append(self._tree.problem(path, message))


def _is_filled_only(kind: Kind, name: str) -> bool:
    """`scratch` is never set by a recipe, only filled in."""
    return kind == "op" and name == "scratch"


def _is_filled(found: Found | None, name: str) -> bool:
    return found is not None and found.signature.component == "op" and name in FILLED


def _because(parameter: Parameter) -> str:
    doc = parameter.doc.split(". ")[0].rstrip(".")
    return f": {doc}" if doc else ""


def _has_unresolved(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_unresolved(below) for below in value.values())
    return (
        any(_has_unresolved(b) for b in value) if isinstance(value, list) else value is UNRESOLVED
    )


def _deeper(path: KeyPath, below: str) -> KeyPath:
    """`[0].x` below a path, as part of the path."""
    parts = below.replace("[", ".").replace("]", "").split(".")
    return (*path, *(int(part) if part.isdigit() else part for part in parts if part))
