"""What can be used by name: one table per kind of component, filled by decorators and by lazy entries."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from mlrecipe.errors import RegistryError, did_you_mean

Kind = Literal[
    "op", "format", "task", "model", "metric", "optimizer", "scheduler", "callback", "logger",
    "datamodule",
]  # fmt: skip
KINDS: tuple[Kind, ...] = (
    "op", "format", "task", "model", "metric", "optimizer", "scheduler", "callback", "logger",
    "datamodule",
)  # fmt: skip

DECORATORS: dict[str, Kind] = {**{kind: kind for kind in KINDS}, "module": "task"}
"""Decorator → kind of what it registers."""

# Built-ins are plugins that come with the package: named here, imported by name, so that nothing below
# `builtin` depends on it.
BUILTIN = "mlrecipe.builtin.catalog"

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One registered component."""

    kind: Kind
    name: str

    target: str
    """`module:attribute` of the object, importable only once its plugin is loaded."""

    types: tuple[str, ...] = ()
    """For a format: qualified names of the types that it saves. For a built-in task or metric: the problem
    types (`Head.problem_type`) that it has or answers for; empty where that is not known."""

    loaded: Any = None
    """The object itself, once its module has been imported."""


class Registry:
    """The components of one kind, by name."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._entries: dict[str, Entry] = {}

    def add(
        self, name: str, target: str, *, types: tuple[str, ...] = (), loaded: Any = None
    ) -> None:
        """Register `target` under `name`.

        Raises:
            RegistryError: the name is taken by another object; the message names both places.
        """
        old = self._entries.get(name)
        if old is not None and old.target != target:
            raise RegistryError(
                f"{self.kind} {name!r} is registered twice: by {_place(old.target)} and by {_place(target)}",
                hint="rename one of them",
            )
        kept = old.types if old is not None and not types else types
        self._entries[name] = Entry(
            kind=self.kind, name=name, target=target, types=kept, loaded=loaded
        )

    def get(self, name: str) -> Any:
        """The object registered under `name`, importing its module if need be.

        Raises:
            RegistryError: nothing has that name.
        """
        entry = self.entry(name)
        if entry.loaded is None:
            entry = replace(entry, loaded=_import(entry.target))
            self._entries[name] = entry
        return entry.loaded

    def entry(self, name: str) -> Entry:
        """The entry of `name`, nothing imported."""
        load_builtin()
        if name not in self._entries:
            raise RegistryError(
                f"unknown {self.kind} {name!r}", hint=did_you_mean(name, self._entries)
            )
        return self._entries[name]

    def names(self) -> list[str]:
        """All names, sorted."""
        load_builtin()
        return sorted(self._entries)

    def __contains__(self, name: object) -> bool:
        load_builtin()
        return name in self._entries

    def __iter__(self) -> Iterator[Entry]:
        load_builtin()
        return iter([self._entries[name] for name in sorted(self._entries)])

    def forget(self, module_prefix: str) -> None:
        """Drop what modules of this prefix registered, so that a changed plugin can load again."""
        for name, entry in list(self._entries.items()):
            if entry.target.startswith(module_prefix):
                del self._entries[name]


registries: dict[Kind, Registry] = {kind: Registry(kind) for kind in KINDS}


def load_builtin() -> None:
    """Make the built-in components known; imports the table of names only."""
    importlib.import_module(BUILTIN)


def _decorate(kind: Kind, name: str, types: tuple[str, ...] = ()) -> Callable[[T], T]:
    def register(component: T) -> T:
        target = f"{component.__module__}:{component.__qualname__}"  # type: ignore[attr-defined]
        registries[kind].add(name, target, types=types, loaded=component)
        return component

    return register


def op(
    name: str,
    *,
    ignore: tuple[str, ...] = (),
    version: str = "",
    cache: bool = True,
    rowwise: bool = False,
) -> Callable[[T], T]:
    """Register a function as an op.

    The function's positional parameters are its inputs, its keyword-only parameters are what a recipe
    may set: the signature is the schema. It is read from source, so the arguments given here must be
    literals. Three keyword-only names are filled in by mlrecipe when a recipe does not set them: `seed`
    (the recipe's), `limit` (the recipe's row limit, or None) and `scratch` (an empty folder).

    Args:
        name: what a recipe writes after `use`.
        ignore: parameters that cannot change the output, such as `num_workers`.
        version: a hand-set part of the fingerprint.
        cache: False for an op that must run every time.
        rowwise: True for an op of which each row of output hangs on one row of its first input alone, in
            their order, so that a recipe may cut that input into `shards`; other inputs are given whole.
    """
    return _decorate("op", name)


def format(name: str, *, types: tuple[str, ...]) -> Callable[[T], T]:
    """Register a class that saves and loads values of the given types (qualified names)."""
    return _decorate("format", name, types)


def task(name: str) -> Callable[[T], T]:
    """Register a class that turns rows into batches and batches into loss and predictions."""
    return _decorate("task", name)


def module(name: str, *, splits: bool = False) -> Callable[[T], T]:
    """Register a `LightningModule` as a task that brings its own network, loss, optimizers and steps.

    Args:
        name: what a recipe writes in `[task]` after `use`.
        splits: True for a module that makes its own loaders of what the recipe prepares: before anything
            else it gets the splits of `train.data` as its attribute `splits`.
    """
    return _decorate("task", name)


def datamodule(name: str, *, splits: bool = False) -> Callable[[T], T]:
    """Register a `LightningDataModule`, for a task that is a `LightningModule`.

    Args:
        name: what a recipe writes in `[data]` after `use`.
        splits: True for one that makes loaders of what the recipe prepares: before anything else it gets
            the splits of `train.data` as its attribute `splits`.
    """
    return _decorate("datamodule", name)


def model(name: str) -> Callable[[T], T]:
    """Register a class that builds an `nn.Module`."""
    return _decorate("model", name)


def metric(name: str) -> Callable[[T], T]:
    """Register a function from a `Head` to a torchmetrics object."""
    return _decorate("metric", name)


def optimizer(name: str) -> Callable[[T], T]:
    """Register a `torch.optim.Optimizer` class."""
    return _decorate("optimizer", name)


def scheduler(name: str) -> Callable[[T], T]:
    """Register a function from an optimizer and the number of steps to a scheduler."""
    return _decorate("scheduler", name)


def callback(name: str) -> Callable[[T], T]:
    """Register a Lightning callback class."""
    return _decorate("callback", name)


def logger(name: str) -> Callable[[T], T]:
    """Register a Lightning logger class."""
    return _decorate("logger", name)


def _import(target: str) -> Any:
    module, _, attribute = target.partition(":")
    found: Any = importlib.import_module(module)
    for part in attribute.split("."):
        found = getattr(found, part)
    return found


def _place(target: str) -> str:
    """The file of an imported target, else the target itself."""
    module = sys.modules.get(target.partition(":")[0])
    return f"{getattr(module, '__file__', None) or target} ({target.partition(':')[2]})"
