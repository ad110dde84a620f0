"""What can be set: every key that `--set` accepts in a recipe, with its type, default, value and meaning."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mlrecipe.code.defaults import REQUIRED
from mlrecipe.code.kinds import Kind
from mlrecipe.code.signatures import FILLED, Parameter
from mlrecipe.recipe import own
from mlrecipe.recipe.compose import FILE_ONLY
from mlrecipe.recipe.keys import dotted, table_at
from mlrecipe.recipe.load import Loading
from mlrecipe.recipe.schema import DEFAULTS
from mlrecipe.recipe.shape import SPECS, component_kind, spec
from mlrecipe.recipe.trainer import TRAINER, trainer_parameters
from mlrecipe.registry import Kind as ComponentKind

_PLAIN = (bool, int, float, str, list, dict)
_NODE_FIRST, _NODE_LAST = ("use", "inputs"), ("cache", "force", "version", "shards")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table of the recipe whose keys can be set."""

    path: tuple[str, ...]

    component: ComponentKind | None = None
    """What kind of component it sets up, if it does."""

    use: str = ""
    """The component's name, where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settable:
    """One key that `--set` accepts."""

    path: tuple[str, ...]
    kind: Kind

    default: Any = REQUIRED
    """What holds where nothing is said; `REQUIRED` or `Unreadable` where no value can be named. A text such as
    `${seed}` stands for the recipe's own."""

    value: Any = None
    """What holds now; None where nothing does."""

    is_set: bool = False
    """Whether a file or an override says it."""

    doc: str = ""

    @property
    def key(self) -> str:
        """The key as it is typed."""
        return dotted(self.path)


def settable(loading: Loading) -> Iterator[Settable]:
    """Every key that `--set` accepts, table by table; nothing is imported.

    The recipe may have problems: what can be told is told.
    """
    for table in tables(loading):
        yield from keys(loading, table)


def tables(loading: Loading) -> Iterator[Table]:
    """The tables that hold settable keys: those that there are, and those that there may always be."""
    yield from _below((), loading.tree.values)


def keys(loading: Loading, table: Table) -> Iterator[Settable]:
    """The keys of one table. See `settable`."""
    params = _parameters(loading, table)
    written = table_at(loading.tree.values, table.path)
    for name, parameter in params.items():
        path = (*table.path, name)
        default = _default(table, parameter)
        source = loading.tree.sources.get(path)
        yield Settable(
            path=path, kind=parameter.kind, default=default,
            value=written[name] if name in written else _held(loading, default),
            is_set=name in written and source is not None and source.name != "default",
            doc=parameter.doc,
        )  # fmt: skip


def _below(path: tuple[str, ...], values: Mapping[str, Any]) -> Iterator[Table]:
    """The table at `path` and all below it, in the order of the schema."""
    yield Table(path=path)
    for name in spec(SPECS[path]).params:
        inner = (*path, name)
        if inner in SPECS:
            yield from _below(inner, values)
        elif component_kind(inner) is not None:
            yield _component(inner, values)
        elif component_kind((*inner, "")) is not None:
            for below in table_at(values, inner):
                yield _component((*inner, below), values)
        elif inner == TRAINER:
            yield Table(path=inner)


def _component(path: tuple[str, ...], values: Mapping[str, Any]) -> Table:
    use = table_at(values, path).get("use", "")
    return Table(path=path, component=component_kind(path), use=use if isinstance(use, str) else "")


def _parameters(loading: Loading, table: Table) -> dict[str, Parameter]:
    if table.component is not None:
        return _component_parameters(loading, table)
    if table.path == TRAINER:
        return trainer_parameters(loading.catalog)
    return {
        name: parameter
        for name, parameter in own.applicable(
            table.path, spec(SPECS[table.path]).params, loading.tree.values, loading.catalog
        ).items()
        if not _is_table((*table.path, name)) and (table.path or name not in FILE_ONLY)
    }


def _component_parameters(loading: Loading, table: Table) -> dict[str, Parameter]:
    found = loading.catalog.find(table.component, table.use) if table.component else None
    params = dict(found.signature.params) if found else {}
    if found and found.signature.open:  # what it takes beyond what it names is known by use alone
        written = table_at(loading.tree.values, table.path)
        params = {name: Parameter(name=name, default=None) for name in written} | params
    doc = f"The {table.component}; `mlrecipe list {table.component}s` names them all."
    use = Parameter(name="use", kind=Kind("str"), default=REQUIRED, doc=doc)
    if table.component != "op":
        return {"use": use} | params
    node = spec("NodeSpec").params
    params.pop("scratch", None)  # only ever filled in
    first = {name: node[name] for name in _NODE_FIRST} | {"use": use}
    return first | params | {name: node[name] for name in _NODE_LAST}


def _is_table(path: tuple[str, ...]) -> bool:
    """Whether a field of the schema is a table with keys of its own."""
    return path in SPECS or path == TRAINER or any(
        component_kind(p) is not None for p in (path, (*path, ""))
    )  # fmt: skip


def _default(table: Table, parameter: Parameter) -> Any:
    if table.component == "op" and parameter.name in FILLED:
        return f"${{{parameter.name}}}"
    given = table_at(DEFAULTS, table.path)
    if parameter.name in given and table.use in ("", given.get("use", "")):
        return given[parameter.name]
    if parameter.name == "use" and table.path in (("data",), ("model",), ("task",)):
        return None
    return parameter.default


def _held(loading: Loading, default: Any) -> Any:
    """What a key that is not written has: its default, the recipe's own value behind it."""
    if default in ("${seed}", "${limit}"):
        name = default[2:-1]
        fallback = spec("Recipe").params[name].default
        return loading.tree.values.get(name, fallback)
    return default if default is None or isinstance(default, _PLAIN) else None
