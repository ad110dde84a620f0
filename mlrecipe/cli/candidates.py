"""Candidates: what may stand in the places of a command line, found without writing or running anything."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mlrecipe.code import kinds
from mlrecipe.code.catalog import Catalog
from mlrecipe.code.kinds import Kind
from mlrecipe.errors import RequestError
from mlrecipe.recipe import evaluation
from mlrecipe.recipe.keys import dotted, parse, table_at
from mlrecipe.recipe.load import Loading, load
from mlrecipe.recipe.project import find_recipe, project_of
from mlrecipe.recipe.schema import Overrides
from mlrecipe.recipe.settable import Settable, Table, keys, tables
from mlrecipe.registry import KINDS

_OWN = ("op", "task", "model", "metric")
"""Kinds whose components are written here, so that reading what they say of themselves is quick."""

_DATA_ONLY = ("prepare", "plan", "train", "cache")
"""Commands that know no evaluation nodes."""

_MANY = 8
"""Recipes that are read when none is named."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing that the word at the cursor may become."""

    text: str
    """The whole word."""

    about: str = ""
    """What it means, for shells that show it."""


@dataclass(kw_only=True)
class Context:
    """What the line says before the cursor."""

    here: Path
    command: str = ""
    arguments: list[str] = field(default_factory=list)
    """Words after the command that are no options."""

    recipe: str | None = None
    """The recipe that is named."""

    options: list[tuple[str, str]] = field(default_factory=list)
    """Options that take a value, with it."""

    @cached_property
    def loadings(self) -> list[Loading]:
        """The recipe that is named; where none is, those that could be."""
        names = [self.recipe] if self.recipe is not None else self._known()
        found = []
        for name in names[:_MANY]:
            try:
                path = find_recipe(name, here=self.here)
                found.append(load(path, self._overrides(), here=self.here))
            except RequestError:
                continue
        return found

    @property
    def loading(self) -> Loading | None:
        """The recipe, where there is no doubt which is meant."""
        return self.loadings[0] if len(self.loadings) == 1 else None

    def given(self, option: str) -> tuple[str, ...]:
        """The values that an option was given."""
        return tuple(value for name, value in self.options if name == option)

    def _known(self) -> list[str]:
        here = [c.text for c in _paths("", self.here, (".toml",)) if c.text != "pyproject.toml"]
        return here or [c.text for c in recipes(self, "")]

    def _overrides(self) -> Overrides:
        return Overrides(
            picks=self.given("--pick"), files=self.given("--set-file"),
            unsets=self.given("--unset"), sets=self.given("--set"),
        )  # fmt: skip


def find(context: Context, metavar: str, word: str) -> list[Candidate]:
    """What `word` may become in a place that the command's help calls `metavar`, each once."""
    if "|" in metavar:
        found: Iterable[Candidate] = [Candidate(choice) for choice in metavar.split("|")]
    else:
        source = SOURCES.get(metavar)
        found = source(context, word) if source is not None else ()
    fitting = {c.text: c for c in found if c.text.startswith(word)}
    return list(fitting.values())


def recipes(context: Context, word: str) -> Iterator[Candidate]:
    """Recipe files here, and the names of those in the project's `recipes/`."""
    for candidate in _paths(word, context.here, (".toml",)):
        is_wanted = word or not candidate.text.endswith("/")
        if is_wanted and candidate.text not in ("pyproject.toml", *context.arguments):
            yield candidate
    folder = project_of(context.here) / "recipes"
    if "/" not in word and folder != context.here:
        for path in sorted(folder.glob("*.toml")):
            yield Candidate(path.stem, f"recipes/{path.name}")


def nodes(context: Context, word: str) -> Iterator[Candidate]:
    """The recipe's nodes."""
    for loading in context.loadings:
        families = [("nodes",)] if context.command in _DATA_ONLY else [("nodes",), evaluation.NODES]
        if context.command == "evaluate":
            families = [evaluation.NODES]
        for family in families:
            for name, table in table_at(loading.tree.values, family).items():
                if name not in context.arguments:
                    yield Candidate(name, _text(table, "use"))


def settings(context: Context, word: str) -> Iterator[Candidate]:
    """Keys of `--set` one level at a time, then their values."""
    key, equals, value = word.partition("=")
    loading = context.loading
    if loading is None:
        return
    if not equals:
        yield from _level(loading, word, "=")
        return
    name = key.rstrip("+-") if key[-1:] in "+-" else key
    found = _settable(loading, name)
    if found is not None:
        for choice in _values(loading, *found, sign=key[len(name) :], word=value):
            yield Candidate(f"{key}={choice}")


def prefixes(context: Context, word: str) -> Iterator[Candidate]:
    """Tables and keys, as `options` takes them."""
    if context.loading is not None:
        yield from _level(context.loading, word, "")


def unsettable(context: Context, word: str) -> Iterator[Candidate]:
    """Keys and tables that the recipe's files say, one level at a time."""
    if (loading := context.loading) is None:
        return
    parent = parse(word.rpartition(".")[0])
    for path, layer in loading.tree.sources.items():
        if len(path) == len(parent) + 1 and path[: len(parent)] == parent:
            if layer.name == "default" or path[0] == "name":
                continue
            yield Candidate(dotted(path))
            if table_at(loading.tree.values, path):
                yield Candidate(f"{dotted(path)}.")


def picks(context: Context, word: str) -> Iterator[Candidate]:
    """Every option of every group of variants."""
    if context.loading is not None:
        for group in context.loading.groups.values():
            for option, at in group.options.items():
                about = "picked" if option == group.picked else at.file
                yield Candidate(f"{group.name}={option}", about)


def runs(context: Context, word: str) -> Iterator[Candidate]:
    """Runs of the project, the newest first; for `test` those that can be tested."""
    from mlrecipe.runs.run import FOLDER, read

    folder = project_of(context.here) / FOLDER
    names = sorted((e.name for e in os.scandir(folder)), reverse=True) if folder.is_dir() else []
    for name in names:
        is_wanted = name.startswith(word) and name[0] != "." and name not in context.arguments
        run = read(folder / name) if is_wanted else None
        if run is not None and (context.command != "test" or run.facts.get("stage") == "train"):
            yield Candidate(name, f"{run.facts.get('recipe', '')}, {run.facts['status']}")


def listed(context: Context, word: str) -> Iterator[Candidate]:
    """Kinds of components, as `list` takes them."""
    yield from (Candidate(f"{kind}s") for kind in KINDS)


def names(context: Context, word: str) -> Iterator[Candidate]:
    """Components of the kind that the argument before names."""
    kind = next((k for k in KINDS if context.arguments[-1:] in ([k], [f"{k}s"])), None)
    if kind is None:
        return
    catalog = context.loading.catalog if context.loading is not None else Catalog()
    for name in catalog.names(kind):
        found = catalog.find(kind, name) if kind in _OWN and name.startswith(word) else None
        yield Candidate(name, found.signature.doc.partition("\n")[0] if found else "")


def files(context: Context, word: str) -> Iterator[Candidate]:
    """Files and folders."""
    yield from _paths(word, context.here)


SOURCES: Mapping[str, Callable[[Context, str], Iterable[Candidate]]] = {
    "RECIPE": recipes, "NODE": nodes, "KEY=VALUE": settings, "KEY": unsettable,
    "GROUP=OPTION": picks, "ID": runs, "RUN": runs, "WHAT": listed, "NAME": names,
    "PREFIX": prefixes, "OTHER": recipes, "FILE": files, "TABLE": files, "FOLDER": files, "PATH": files,
    "INPUT": files, "OUTPUT": files, "RECIPE|RUN": recipes,
}  # fmt: skip
"""What a command's help calls an argument → what may stand there."""


def _paths(word: str, base: Path, endings: Sequence[str] = ("",)) -> Iterator[Candidate]:
    """Files of some endings, and folders with a slash behind, below `base` or wherever `word` leads."""
    folder, slash, start = word.rpartition("/")
    root = base / os.path.expanduser(folder + slash)
    if not root.is_dir():
        return
    for entry in sorted(os.scandir(root), key=lambda e: e.name):
        if not entry.name.startswith(start) or (entry.name.startswith(".") and not start):
            continue
        if entry.is_dir():
            yield Candidate(f"{folder}{slash}{entry.name}/")
        elif entry.name.endswith(tuple(endings)):
            yield Candidate(f"{folder}{slash}{entry.name}")


def _level(loading: Loading, word: str, end: str) -> Iterator[Candidate]:
    """Tables and keys just below the tables that `word` names already."""
    parent = parse(word.rpartition(".")[0])
    for table in tables(loading):
        if table.path == parent:
            for item in keys(loading, table):
                yield Candidate(f"{item.key}{end}", _about(item))
        elif table.path[: len(parent)] == parent:
            is_next = len(table.path) == len(parent) + 1
            yield Candidate(
                f"{dotted(table.path[: len(parent) + 1])}.", table.use if is_next else ""
            )


def _settable(loading: Loading, key: str) -> tuple[Table, Settable] | None:
    path = parse(key)
    for table in tables(loading):
        if table.path == path[:-1]:
            for item in keys(loading, table):
                if item.path == path:
                    return table, item
    return None


def _values(
    loading: Loading, table: Table, item: Settable, *, sign: str, word: str
) -> Iterable[str]:
    """What may follow `key=`; after `+=` and `-=` the items of a list."""
    if sign == "-" and isinstance(item.value, list):
        return map(str, item.value)
    if item.path[-1] == "use" and table.component is not None:
        return loading.catalog.names(table.component)
    if item.path in (("train", "data"), ("test", "data")) or item.path[0::2] == ("nodes", "inputs"):
        return table_at(loading.tree.values, ("nodes",))
    if item.path[:2] == evaluation.NODES and item.path[-1] == "inputs":
        own = evaluation.tables(loading.tree.values)
        return [evaluation.PREDICTIONS, evaluation.VALIDATION, *own,
                *table_at(loading.tree.values, ("nodes",))]  # fmt: skip
    if item.path == ("evaluate", "validation"):
        return evaluation.tables(loading.tree.values) if sign else ()
    if item.path == ("task", "metrics"):
        return loading.catalog.names("metric") if sign else ()
    if kinds.sources(item.kind) is not None:
        return (c.text for c in _paths(word, loading.base))
    return _choices(item.kind, is_item=bool(sign))


def _choices(kind: Kind, *, is_item: bool) -> list[str]:
    """The values of a kind that has few: those of a literal, or true and false."""
    if kind.name == "literal":
        return [str(value) for value in kind.args]
    if kind.name == "bool":
        return ["true", "false"]
    inner = kind.args if kind.name == "union" or (kind.name == "list" and is_item) else ()
    return [text for arg in inner for text in _choices(arg, is_item=is_item)]


def _about(item: Settable) -> str:
    return f"{item.kind}; {item.doc}" if item.doc else str(item.kind)


def _text(table: Any, key: str) -> str:
    found = table.get(key) if isinstance(table, Mapping) else None
    return found if isinstance(found, str) else ""
