"""`mlrecipe options`: what can be set in a recipe."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Annotated, Any

import typer

from mlrecipe.cli import render
from mlrecipe.cli.options import NONE, Json, RecipeArgument
from mlrecipe.cli.session import Session
from mlrecipe.code.defaults import REQUIRED, Unreadable
from mlrecipe.errors import Problem, RecipeError, RequestError, did_you_mean
from mlrecipe.recipe.files import INVALID
from mlrecipe.recipe.keys import dotted, table_at
from mlrecipe.recipe.layers import UNRESOLVED
from mlrecipe.recipe.load import Loading, load
from mlrecipe.recipe.schema import Group, Origin, Overrides
from mlrecipe.recipe.settable import Settable, settable
from mlrecipe.recipe.shape import component_kind

WIDTH = 100
_VALUE = 40
"""Characters of a value that are shown without -v."""

_PROBLEMS = 5
"""Problems of the recipe that are shown."""

Prefix = Annotated[
    str,
    typer.Argument(
        metavar="[PREFIX]",
        help="Only this table or key, such as train.optimizer or nodes.tokens.",
        show_default=False,
    ),
]


def options(
    ctx: typer.Context,
    recipe: RecipeArgument,
    prefix: Prefix = "",
    overrides: Overrides = NONE,
    as_json: Json = False,
) -> None:
    """List what can be set: variants to pick, and every key with its type, value and meaning.

    With -v the whole documentation of each key. Works as far as it can when the recipe has problems.

    Examples: mlrecipe options imdb.toml; mlrecipe options imdb.toml train.optimizer
    """
    session = Session.of(recipe)
    loading = load(session.path, overrides, here=session.here, memo=session.store.memo)
    if any(_hides_all(problem, loading) for problem in loading.problems):
        raise RecipeError(loading.problems, subject=loading.shown)
    _warn(loading)
    every = list(settable(loading))
    keys = [item for item in every if _is_below(item.key, prefix)]
    groups = [g for g in loading.groups.values() if _is_below(f"variant.{g.name}", prefix)]
    if prefix and not keys and not groups:
        raise _unknown(prefix, every)
    if as_json:
        render.document({"groups": [_group(g) for g in groups], "keys": [_key(k) for k in keys]})
        return
    for line in _lines(loading, groups, keys, is_whole=ctx.obj.is_verbose):
        render.out(line)


def _hides_all(problem: Problem, loading: Loading) -> bool:
    """Whether the recipe's own text cannot be read; a plugin that cannot hides only what it has."""
    return problem.file == loading.shown and problem.message.startswith(f"{INVALID} TOML")


def _warn(loading: Loading) -> None:
    for problem in loading.problems[:_PROBLEMS]:
        render.warn(str(problem))
    if loading.problems:
        count = len(loading.problems)
        render.warn(
            f"{loading.shown} has {count} problem{'s'[: count > 1]}, so this may not be all: "
            f"mlrecipe check {loading.shown}"
        )


def _is_below(key: str, prefix: str) -> bool:
    return not prefix or key == prefix or key.startswith(f"{prefix}.")


def _unknown(prefix: str, every: Iterable[Settable]) -> RequestError:
    tables = {dotted(item.path[:depth]) for item in every for depth in range(1, len(item.path))}
    known = tables | ({item.key for item in every} if "." in prefix else set())
    return RequestError(f"nothing below {prefix!r} can be set", hint=did_you_mean(prefix, known))


def _group(group: Group) -> dict[str, Any]:
    options = [{"name": name, "where": _where(at)} for name, at in group.options.items()]
    return {"name": group.name, "options": options, "picked": group.picked}


def _key(item: Settable) -> dict[str, Any]:
    has_default = item.default is not REQUIRED and not isinstance(item.default, Unreadable)
    return {
        "key": item.key,
        "type": str(item.kind),
        "required": item.default is REQUIRED,
        "default": item.default if has_default else None,
        "value": None if item.value is UNRESOLVED else item.value,
        "set": item.is_set,
        "doc": item.doc,
    }


def _lines(
    loading: Loading, groups: Sequence[Group], keys: Sequence[Settable], *, is_whole: bool
) -> Iterator[str]:
    yield f"{loading.shown}: what can be set; values in (parentheses) are defaults"
    if groups:
        yield from ("", f"{render.styled('variants', 'bold')}: --pick group=option")
        yield from render.columns(row for group in groups for row in _rows(group))
    told: set[str] = set()
    for path, members in groupby(keys, key=lambda item: item.path[:-1]):
        yield from ("", _heading(path, loading.tree.values))
        yield from _table(list(members), told, is_whole=is_whole)


def _rows(group: Group) -> Iterator[tuple[str, ...]]:
    for number, (name, at) in enumerate(group.options.items()):
        picked = "picked" if name == group.picked else ""
        yield ("" if number else group.name, name, picked, _where(at))


def _where(at: Origin) -> str:
    return f"{at.file}:{at.line}" if at.line else at.file


def _heading(path: tuple[str, ...], values: Mapping[str, Any]) -> str:
    title = render.styled(f"[{dotted(path)}]" if path else "top level", "bold")
    kind, use = component_kind(path), table_at(values, path).get("use")
    return f"{title}  {kind} {use}" if kind and isinstance(use, str) else title


def _table(members: Sequence[Settable], told: set[str], *, is_whole: bool) -> Iterator[str]:
    """The keys of one table; what `told` has already, such as what `cache` means, is not told again."""
    names = [dotted(item.path[-1:]) for item in members]
    shown = [_cut(_shown(item), is_whole=is_whole) for item in members]
    wide, deep = (max(map(len, cells)) for cells in (names, shown))
    for item, name, value in zip(members, names, shown, strict=True):
        padded = value.ljust(min(deep, _VALUE))
        styled = padded if item.is_set else render.styled(padded, "dim")
        start = f"  {name:<{wide}}  {styled}  "
        room = max(WIDTH - 6 - wide - len(padded), 24)
        first, *rest = textwrap.wrap(str(item.kind), room)
        yield start + first
        yield from (" " * (6 + wide + len(padded)) + line for line in rest)
        doc = "" if item.doc in told else item.doc if is_whole else _sentence(item.doc)
        told.add(item.doc)
        for line in textwrap.wrap(" ".join(doc.split()), WIDTH - 6):
            yield render.styled(f"      {line}", "dim")


def _shown(item: Settable) -> str:
    if item.is_set:
        return "?" if item.value is UNRESOLVED else _toml(item.value)
    if item.default is REQUIRED:
        return "required"
    if item.default in ("${seed}", "${limit}"):
        return f"(the recipe's {item.default[2:-1]})"
    if isinstance(item.default, Unreadable):
        return f"({item.default.source})"
    return f"({_toml(item.value)})"


def _cut(text: str, *, is_whole: bool) -> str:
    return text if is_whole or len(text) <= _VALUE else text[: _VALUE - 1] + "…"


def _toml(value: Any) -> str:
    """The value on one line, nearly as a recipe writes it."""
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {_toml(below)}" for key, below in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value, ensure_ascii=False, default=str)


def _sentence(doc: str) -> str:
    """The first sentence."""
    first, stop, _ = " ".join(doc.split()).partition(". ")
    return first + stop.strip()
