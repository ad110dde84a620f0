"""Overrides: what `--set KEY=VALUE` and `--unset KEY` mean, directed by the type that the key has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import tomli

from mlrecipe.code.catalog import Catalog
from mlrecipe.code.defaults import REQUIRED
from mlrecipe.code.kinds import ANY, Kind, accepts_text, convert, describe, is_text
from mlrecipe.errors import Problem, did_you_mean
from mlrecipe.recipe import keys
from mlrecipe.recipe.compose import FILE_ONLY, near
from mlrecipe.recipe.depth import TOO_DEEP, is_too_deep
from mlrecipe.recipe.layers import COMPONENTS, UNRESOLVED, Layer, Tree, copy, remove
from mlrecipe.recipe.positions import KeyPath
from mlrecipe.recipe.shape import below, default_at, kind_at

DOC = """
Where the key takes a text, the value is taken as it stands; elsewhere it is TOML. A later `--set` wins;
overrides of `use` come first, since they decide what the other keys mean. A key that does not exist is an
error.
"""

FORMS = {
    "--set train.epochs=5": "changes a value",
    "--set 'task.metrics+=[\"f1\"]'": "adds to a list; `-=` takes away what is there",
    "--set nodes.tokens.inputs.0=clean": "changes one item of a list, from 0",
    "--set 'nodes.\"my node\".cache=false'": "quotes a key as TOML does",
    "--set 'limit=${none}'": "a reference; `${none}` for no value",
    "--unset train.scheduler": "takes a key out of the recipe: its default holds",
    "--set-file more.toml": "changes all that a TOML or JSON file has",
    "--pick model=tiny": "chooses a variant",
}
"""Overrides as they are typed, and what they do."""

_OWN_OPTION = {"pick": "--pick GROUP=OPTION", "unset": "--unset KEY"}


@dataclass(frozen=True, slots=True)
class _Edit:
    """One `--set`, taken apart."""

    number: int
    path: tuple[str, ...]
    sign: Literal["", "+", "-"]
    text: str

    @property
    def layer(self) -> str:
        return f"--set #{self.number}"

    @property
    def is_choice(self) -> bool:
        """Whether it says which component a table is of: `model.use=x`, or `model=x`."""
        is_table = self.text.lstrip().startswith("{")
        return self.path[-1] == "use" or (
            self.path in COMPONENTS and not self.sign and not is_table
        )


def unset(layers: Sequence[Layer], texts: Sequence[str]) -> list[Problem]:
    """Take keys out of every layer, so that their defaults hold; returns what is wrong with them."""
    problems = []
    for number, text in enumerate(texts, 1):
        path, where = keys.parse(text), f"--unset #{number}"
        if not path:
            message = f"expected a dotted key, got {text!r}; for example train.scheduler"
        elif path[0] in FILE_ONLY or path[0] in _OWN_OPTION:
            message = "decided by the recipe file alone: change it there"
        elif remove(layers, path):
            continue
        else:
            message = f"the recipe does not set it; {near(layers, path)}"
        problems.append(Problem(message=message, key=text, file=where))
    return problems


def apply(tree: Tree, texts: Sequence[str], catalog: Catalog) -> list[Problem]:
    """Put every `--set` on top of the tree, later ones winning; returns what is wrong with them.

    Those of `use` come first: they decide what types the other keys have.
    """
    problems: list[Problem] = []
    split = [_split(text, number, problems) for number, text in enumerate(texts, 1)]
    edits = [edit for edit in split if edit is not None]
    for edit in sorted(edits, key=lambda edit: not edit.is_choice):
        _apply(tree, edit, catalog, problems)
    return problems


def _apply(tree: Tree, edit: _Edit, catalog: Catalog, problems: list[Problem]) -> None:
    path, depth = edit.path, _list_depth(tree, edit.path, catalog)
    if edit.sign:
        value = _changed(tree, edit, catalog, problems)
    elif depth is not None:
        path, value = path[:depth], _with_item(tree, edit, depth, catalog, problems)
    elif path[-1] == "use":
        value = edit.text
    else:
        value = _value(kind_at(path, tree.values, catalog), edit, problems)
    tree.overlay(_layer(edit.layer, path, value))


def _changed(tree: Tree, edit: _Edit, catalog: Catalog, problems: list[Problem]) -> Any:
    """The list at the edit's path with items added or taken away."""
    old = _list_at(tree, edit, catalog, problems)
    if old is None:
        return UNRESOLVED
    kind = below(kind_at(edit.path, tree.values, catalog), (0,))
    given, error = _toml(edit.text)
    is_list = error is None and isinstance(given, list)
    items = given if is_list else [_value(kind, edit, problems)]
    if UNRESOLVED in items:
        return UNRESOLVED
    if edit.sign == "+":
        return [*old, *items]
    left = list(old)
    for value in items:
        if value not in left:
            known = did_you_mean(str(value), [str(v) for v in old])
            _report(edit, f"has no item {value!r} to take away; {known}", problems)
            return UNRESOLVED
        left.remove(value)
    return left


def _list_at(
    tree: Tree, edit: _Edit, catalog: Catalog, problems: list[Problem]
) -> list[Any] | None:
    """The list that is to be changed: what is set, else the default."""
    found: Any = tree.values
    for key in edit.path:
        found = found.get(key) if isinstance(found, dict) else None
    if found is None:
        default = default_at(edit.path, tree.values, catalog)
        found = None if default is REQUIRED else default
    kind = kind_at(edit.path, tree.values, catalog)
    holds_list = any(k.name == "list" for k in (kind, *kind.args) if isinstance(k, Kind))
    if isinstance(found, (list, tuple)):
        return list(copy(list(found)))
    if found is None and (holds_list or kind == ANY):
        return []
    if isinstance(found, str) and holds_list and "${" not in found:
        return [found]  # `inputs = "a"`
    message = f"{edit.sign}= changes a list, and this is {describe(found)}"
    _report(edit, message, problems)
    return None


def _with_item(
    tree: Tree, edit: _Edit, depth: int, catalog: Catalog, problems: list[Problem]
) -> Any:
    """The list at the first `depth` keys of the edit's path, with what the rest points at replaced."""
    whole = _list_of(tree, edit.path[:depth], catalog)
    value = _value(kind_at(_numbered(edit.path, depth), tree.values, catalog), edit, problems)
    target: Any = whole
    for position, key in enumerate(edit.path[depth:], depth):
        if isinstance(target, list):
            if not key.isdigit():
                _report(edit, f"expected the number of an item, got {key!r}", problems)
                return UNRESOLVED
            if int(key) >= len(target):
                message = f"there is no item {key}: the list has {_count(len(target))}, from 0"
                _report(edit, message, problems)
                return UNRESOLVED
        place: Any = int(key) if isinstance(target, list) else key
        if position == len(edit.path) - 1:
            target[place] = value
        elif isinstance(inner := _inside(target, place), (list, dict)):
            target = inner
        else:
            _report(edit, f"nothing below {key!r} can be set", problems)
            return UNRESOLVED
    return whole


def _inside(target: Any, place: Any) -> Any:
    """What is at a place of a list or table; None where a table has none."""
    return target.get(place) if isinstance(target, dict) else target[place]


def _count(length: int) -> str:
    return f"{length} item{'s' * (length != 1)}"


def _numbered(path: tuple[str, ...], depth: int) -> KeyPath:
    return tuple(int(k) if i >= depth and k.isdigit() else k for i, k in enumerate(path))


def _list_depth(tree: Tree, path: tuple[str, ...], catalog: Catalog) -> int | None:
    """How many keys of the path lead to a list, set or by default, that the rest of it goes into."""
    lengths = range(1, len(path))
    return next((n for n in lengths if _list_of(tree, path[:n], catalog) is not None), None)


def _list_of(tree: Tree, path: tuple[str, ...], catalog: Catalog) -> list[Any] | None:
    """A copy of the list that holds at a path; None where there is none."""
    found: Any = tree.values
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    if found is None:
        found = default_at(path, tree.values, catalog)
    return list(copy(list(found))) if isinstance(found, (list, tuple)) else None


def _split(text: str, number: int, problems: list[Problem]) -> _Edit | None:
    """Key, sign and value; at the first `=` that is not inside quotes."""
    if not text.isprintable() and not _is_unicode(text):
        problems.append(Problem(message="not valid UTF-8", file=f"--set #{number}"))
        return None
    key, equals, value = _at_equals(text)
    sign: Any = key[-1:] if key[-1:] in ("+", "-") else ""
    path = keys.parse(key[: len(key) - len(sign)])
    if path and path[0] in FILE_ONLY:
        message = "read from the recipe file alone: write it there"
        problems.append(Problem(message=message, key=path[0], file=f"--set #{number}"))
        return None
    if path and path[0] in _OWN_OPTION:
        message = f"has an option of its own: {_OWN_OPTION[path[0]]}"
        problems.append(Problem(message=message, key=path[0], file=f"--set #{number}"))
        return None
    if equals and path:
        return _Edit(number, path, sign, value)
    message = f"expected KEY=VALUE with a dotted key, got {text!r}; for example train.batch_size=32"
    if not key.isascii():
        message += '; parts with other letters than a to z stand in quotes: nodes."ü".use=…'
    problems.append(Problem(message=message, file=f"--set #{number}"))
    return None


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _at_equals(text: str) -> tuple[str, str, str]:
    quote = ""
    for position, char in enumerate(text):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        elif char == "=":
            return text[:position], "=", text[position + 1 :]
    return text, "", ""


def _layer(name: str, path: KeyPath, value: Any) -> Layer:
    for key in reversed(path):
        value = {key: value}
    return Layer(name=name, values=value)


def _value(kind: Kind, edit: _Edit, problems: list[Problem]) -> Any:
    text = edit.text
    if text.startswith("${"):
        return text
    if is_text(kind):
        return _text(text)
    parsed, error = _toml(text)
    if error is None:
        return parsed
    if kind.name == "any" or accepts_text(kind):
        return text
    _report(edit, convert(text, kind)[1][0][1] + _dot_hint(text), problems)
    return UNRESOLVED


def read(kind: Kind, text: str) -> Any:
    """A text from outside as the kind has it: TOML where no text is taken, else as it stands."""
    if is_text(kind) or accepts_text(kind) or kind.name == "any":
        return text
    parsed, error = _toml(text)
    return parsed if error is None else text


def _report(edit: _Edit, message: str, problems: list[Problem]) -> None:
    problems.append(Problem(message=message, key=keys.dotted(edit.path), file=edit.layer))


def _text(text: str) -> str:
    """The text as it stands, unless all of it is one quoted TOML string."""
    if len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'":
        parsed, error = _toml(text)
        if error is None and isinstance(parsed, str):
            return parsed
    return text


def _toml(text: str) -> tuple[Any, str | None]:
    """The one TOML value that `text` is; a newline cannot smuggle in a second key."""
    try:
        table = tomli.loads(f"value = {text}")
    except (ValueError, RecursionError) as error:
        return None, str(error)
    if is_too_deep(table):
        return None, TOO_DEEP
    return (table["value"], None) if list(table) == ["value"] else (None, "more than one value")


def _dot_hint(text: str) -> str:
    return f"; write 0{text}" if text.startswith(".") and text[1:].isdigit() else ""
