"""Looking at one component's names of splits and columns, and reporting those that cannot be there."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlrecipe.code import kinds
from mlrecipe.code.defaults import REQUIRED, Unreadable
from mlrecipe.code.kinds import Kind
from mlrecipe.code.signatures import FILLED, RESERVED, Signature
from mlrecipe.errors import Problem, did_you_mean, suggest
from mlrecipe.graph import externals
from mlrecipe.graph.headers import FORMATS, Headers, ending
from mlrecipe.graph.known import Known
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.positions import KeyPath

_SHAPING = ("splits", "split", "target", "sizes", "columns", "drop", "keep")
"""Parameters that decide which splits and columns come out: after a mistake in one, nobody can know."""

_MOST_LISTED = 20


@dataclass(slots=True, kw_only=True)
class Look:
    """One table of the recipe that names a component, and what was found wrong with it."""

    tree: Tree
    path: KeyPath
    """Where the table is: `("nodes", "split")`."""

    signature: Signature
    params: Mapping[str, Any]
    """Parameter → value, defaults filled in."""

    written: Collection[str]
    """Keys that the recipe has in the table."""

    base: Path
    headers: Headers
    problems: list[Problem] = field(default_factory=list)
    is_shaken: bool = False
    """Whether it is not known any more what comes out."""

    def paths(self, key: str, value: Any) -> list[str]:
        """The data files that a value of the parameter names; none where one cannot be read."""
        found: list[str] = []
        for external in externals.resolve(value, self.signature.params[key].kind, self.base)[1]:
            if external.problem:
                return []
            is_folder = os.path.isdir(external.path)
            found += [p for _, p in external.files if not is_folder or ending(p) in FORMATS]
        return sorted(found)

    def names(self, key: str) -> list[str]:
        """The texts that a parameter holds: it alone, the items of a list, the keys of a table."""
        return [name for _, name in _texts(self.params.get(key), (key,))]

    def check_splits(self, key: str, data: Known, place: str = "") -> None:
        """Report each name of the parameter that is no split of the data."""
        for below, name in _texts(self.params.get(key), (key,)):
            self.check_split(below, name, data, place)

    def check_columns(self, key: str, data: Known, place: str = "") -> None:
        """Report each name of the parameter that is a column of no split of the data."""
        for below, name in _texts(self.params.get(key), (key,)):
            self.check_column(below, name, data, place)

    def check_every(self, key: str, data: Known, splits: Iterable[str] | None = None) -> None:
        """Report each name of the parameter that is not a column of every split, or of each of those named."""
        splits = data.splits if splits is None else splits
        parts = [data.only([split]) for split in splits or ()] or [data]
        for below, name in _texts(self.params.get(key), (key,)):
            for part in parts:
                if self.check_column(below, name, part):
                    break

    def check_free(self, key: str, data: Known) -> None:
        """Report each name of the parameter that is a split of the data already."""
        for below, name in _texts(self.params.get(key), (key,)):
            if name in (data.splits or ()):
                message = f"there is a split {name!r}{self._default(key)} already in {data.place}"
                self.report(below, message)

    def check_numbers(self, key: str, wrong: Callable[[float], str]) -> None:
        """Report each number of the parameter of which `wrong` says what is wrong with it."""
        value = self.params.get(key)
        items = value.items() if isinstance(value, dict) else [(None, value)]
        for name, number in items:
            if isinstance(number, int | float) and (message := wrong(number)):
                self.report((key,) if name is None else (key, name), message)

    def check_split(self, below: KeyPath, name: str, data: Known, place: str = "") -> bool:
        """Report the name, and say so, if it is no split of the data."""
        if data.splits is None or name in data.splits:
            return False
        what = f"no split {name!r}{self._default(below[0])} in {place or data.place}"
        self.report(below, f"{what}; {did_you_mean(name, data.splits)}")
        return True

    def check_column(self, below: KeyPath, name: str, data: Known, place: str = "") -> bool:
        """Report the name, and say so, if it is a column of no split of the data."""
        if data.union is None or name in data.union:
            return False
        what = f"no column {name!r}{self._default(below[0])} in {place or data.place}"
        near = suggest(name, data.union)
        hint = f"; did you mean {near!r}?" if near else ""
        self.report(below, f"{what} ({_listed(data.union)}){hint}")
        return True

    def check_any(
        self, below: KeyPath, what: str, fits: Callable[[Iterable[str]], bool], data: Known
    ) -> bool:
        """Report, and say so, if none of the data's columns can be what is looked for."""
        if data.union is None or fits(data.union):
            return False
        self.report(below, f"no column is like {what} in {data.place} ({_listed(data.union)})")
        return True

    def report(self, below: KeyPath, message: str) -> None:
        """Add a problem with the value at a path below the table."""
        self.problems.append(self.tree.problem((*self.path, *below), message))
        self.is_shaken = self.is_shaken or below[0] in _SHAPING

    def _default(self, key: object) -> str:
        return "" if key in self.written else " (the default)"


def parameters(table: Mapping[str, Any], signature: Signature) -> dict[str, Any] | None:
    """Every parameter's value; None when one is missing, unknown, not resolved or of another type."""
    known = signature.params
    given = {key: value for key, value in table.items() if key not in RESERVED}
    for key, value in given.items():
        if key not in known or _is_late(value) or kinds.convert(value, known[key].kind)[1]:
            return None
    for key, parameter in known.items():
        if key in given or key in FILLED:
            continue
        if parameter.default is REQUIRED or isinstance(parameter.default, Unreadable):
            return None
        given[key] = parameter.default
    return given


def marked(value: Any, kind: Kind, path: KeyPath) -> Iterator[tuple[KeyPath, str, str]]:
    """Path, `split` or `column`, and text of each name in a value that its type marks as one."""
    if type(value) is str and kind.name in kinds.NAMES.values():
        yield path, kind.name, value
    elif kind.name == "union":
        # A text that is allowed as it stands, such as Literal["auto"] | Column, is no name.
        plain = Kind("union", tuple(a for a in kind.args if a.name in ("str", "literal")))
        if not plain.args or kinds.convert(value, plain)[1]:
            for arg in kind.args:
                yield from marked(value, arg, path)
    elif isinstance(value, list) and kind.name == "list":
        for number, item in enumerate(value):
            yield from marked(item, kind.args[0], (*path, number))
    elif isinstance(value, dict) and kind.name == "dict":
        for key, item in value.items():
            yield from marked(item, kind.args[0], (*path, key))


def _listed(columns: tuple[str, ...]) -> str:
    if not columns:
        return "there are no columns"
    left = len(columns) - _MOST_LISTED
    more = f" and {left} more" if left > 0 else ""
    return f"the columns are {', '.join(columns[:_MOST_LISTED])}{more}"


def _is_late(value: Any) -> bool:
    """Whether a text in the value, such as a secret, is only read when it is used."""
    if isinstance(value, dict):
        return any(_is_late(below) for below in value.values())
    if isinstance(value, list):
        return any(_is_late(below) for below in value)
    return isinstance(value, str) and type(value) is not str


def _texts(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, list):
        yield from (((*path, i), item) for i, item in enumerate(value) if isinstance(item, str))
    elif isinstance(value, dict):
        yield from (((*path, key), key) for key in value)
