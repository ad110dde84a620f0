"""Kinds: what type a value in a recipe must have, read from annotations, checked without coercion."""

from __future__ import annotations

import ast
import datetime
from dataclasses import dataclass
from typing import Any

from mlrecipe.errors import did_you_mean

SOURCES = {
    "File": "file",
    "DatasetSource": "dataset",
    "TokenizerSource": "tokenizer",
    "ModelSource": "model",
}
"""Marker types of `interfaces` that name something outside the recipe, and the kinds they are."""

NAMES = {"Split": "split", "Column": "column"}
"""Marker types of `interfaces` that name a part of an input, and the kinds they are."""

_SOURCES = frozenset(SOURCES.values())
_TEXTS = ("str", *SOURCES.values(), *NAMES.values())

_SCALARS = {"int", "float", "str", "bool", "None", "Any"}
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,), "float": (float,), "bool": (bool,), "none": (type(None),),
}  # fmt: skip
_LISTS = {"list", "List", "Sequence", "Iterable", "tuple", "Tuple"}
_DICTS = {"dict", "Dict", "Mapping"}


@dataclass(frozen=True, slots=True)
class Kind:
    """The type of a parameter: a name and what it is made of."""

    name: str
    """`int`, `float`, `str`, `bool`, `none`, `any`, `list`, `dict`, `literal`, `union`, `component`, a
    source: `file`, `dataset`, `tokenizer`, `model`, or a name in the input: `split`, `column`."""

    args: tuple[Any, ...] = ()
    """Kinds of the items (`list`), of the values (`dict`), the alternatives (`union`) or values (`literal`)."""

    def __str__(self) -> str:
        if self.name == "union":
            return " | ".join(str(arg) for arg in self.args)
        if self.name == "literal":
            return " | ".join(_toml(arg) for arg in self.args)
        if self.name == "list":
            return f"list of {self.args[0]}"
        if self.name == "dict":
            return f"table of {self.args[0]}"
        return {"str": "text", "int": "integer", "bool": "true or false"}.get(self.name, self.name)


ANY = Kind("any")
_FOREIGN = Kind("any", ("foreign",))
"""The type of something that no recipe can write, such as a tensor."""


def parse(annotation: ast.expr | None) -> Kind:
    """The kind that an annotation means; `ANY` where it says nothing that a recipe could break."""
    match annotation:
        case ast.Constant(value=None):
            return Kind("none")
        case ast.Constant(value=str(text)):
            return _parse_text(text)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _named(name)
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return _union([parse(left), parse(right)])
        case ast.Subscript(value=value, slice=inner):
            return _subscript(_last_name(value), inner)
    return ANY


def convert(value: Any, kind: Kind) -> tuple[Any, list[tuple[str, str]]]:
    """The value as the kind has it, and what is wrong with it as (path below it, message) pairs.

    The only change made is int to float where a float is asked for. Nothing else is coerced: `"3"` is not 3
    and 1 is not true.
    """
    if kind.name == "any" or (kind.name == "none" and value is None):
        return value, []
    if isinstance(value, str) and type(value) is not str:  # a text that is read late
        return value, convert(str(value), kind)[1]
    if kind.name == "union":
        return _convert_union(value, kind)
    if kind.name == "literal":
        fits = any(type(value) is type(arg) and value == arg for arg in kind.args)
        return value, [] if fits else [("", _literal_problem(value, kind))]
    if kind.name == "list" and isinstance(value, list):
        return _convert_items(value, kind.args[0], [f"[{i}]" for i in range(len(value))])
    if kind.name == "dict" and isinstance(value, dict):
        converted, problems = _convert_items(
            list(value.values()), kind.args[0], [f".{key}" for key in value]
        )
        return dict(zip(value, converted, strict=True)), problems
    return _convert_scalar(value, kind)


def describe(value: Any) -> str:
    """A value as an error message shows it, with its type where the type is what is wrong."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        shown = value if len(value) <= 60 else value[:57] + "..."
        return f"the text {shown!r}"
    if isinstance(value, (datetime.date, datetime.time)):
        return f"the date {value}"
    return repr(value)


def sources(kind: Kind) -> str | None:
    """Which source (`file`, `dataset`, `tokenizer`, `model`) texts of this kind name, if any."""
    if kind.name in _SOURCES:
        return kind.name
    for arg in kind.args:
        if isinstance(arg, Kind) and (found := sources(arg)):
            return found
    return None


def to_json(kind: Kind) -> Any:
    """The kind as JSON values; `from_json` gives it back."""
    return [kind.name, [to_json(a) if isinstance(a, Kind) else {"v": a} for a in kind.args]]


def from_json(data: Any) -> Kind:
    """The kind that `to_json` wrote."""
    name, args = data
    return Kind(name, tuple(a["v"] if isinstance(a, dict) else from_json(a) for a in args))


def accepts_text(kind: Kind) -> bool:
    """Whether a plain text is a value of this kind."""
    if kind.name == "union":
        return any(accepts_text(arg) for arg in kind.args)
    if kind.name == "literal":
        return any(isinstance(arg, str) for arg in kind.args)
    return kind.name == "component" or kind.name in _TEXTS


def is_text(kind: Kind) -> bool:
    """Whether only texts (and none) are values of this kind."""
    if kind.name == "union":
        return all(is_text(arg) for arg in kind.args if arg.name != "none")
    if kind.name == "literal":
        return all(isinstance(arg, str) for arg in kind.args)
    return kind.name in _TEXTS


def is_free_table(kind: Kind) -> bool:
    """Whether values of this kind are tables of whatever else."""
    return kind.name == "dict" and kind.args[0].name == "any"


def is_component(kind: Kind) -> bool:
    """Whether values of this kind are tables that name a component."""
    if kind.name == "component":
        return True
    # A loop: `any` over a generator takes three times as long, and this is asked for every value.
    for arg in kind.args:  # noqa: SIM110
        if isinstance(arg, Kind) and is_component(arg):
            return True
    return False


def _parse_text(text: str) -> Kind:
    try:
        return parse(ast.parse(text, mode="eval").body)
    except SyntaxError:
        return ANY


def _named(name: str) -> Kind:
    if name in SOURCES or name in NAMES:
        return Kind(SOURCES.get(name) or NAMES[name])
    if name == "Component":
        return Kind("component")
    if name in _LISTS:
        return Kind("list", (ANY,))
    if name in _DICTS:
        return Kind("dict", (ANY,))
    if name in _SCALARS:
        return {"None": Kind("none"), "Any": ANY}.get(name, Kind(name))
    # A private name is that of other types: Lightning's `_LITERAL_WARN` is the text "warn".
    return ANY if name.startswith("_") else _FOREIGN


def _subscript(outer: str, inner: ast.expr) -> Kind:
    items = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if outer == "Literal":
        return _literal(items)
    if outer in ("tuple", "Tuple"):
        return Kind("list", (_union([parse(item) for item in items if not _is_dots(item)]),))
    if outer == "Optional":
        return _union([parse(inner), Kind("none")])
    if outer == "Union":
        return _union([parse(item) for item in items])
    if outer == "Annotated":
        return parse(items[0])
    if outer in _LISTS:
        return Kind("list", (parse(items[0]),))
    if outer in _DICTS:
        return Kind("dict", (parse(items[-1]),))
    return ANY


def _literal(items: list[ast.expr]) -> Kind:
    """The values that are written out; `ANY` where one is not, such as a member of an enum."""
    try:
        return Kind("literal", tuple(ast.literal_eval(item) for item in items))
    except ValueError:
        return ANY


def _is_dots(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _union(kinds: list[Kind]) -> Kind:
    flat: list[Kind] = []
    for kind in kinds:
        flat.extend(kind.args if kind.name == "union" else [kind])
    # `float | Tensor`: a recipe cannot give the tensor.
    known = [kind for kind in dict.fromkeys(flat) if kind != _FOREIGN]
    if ANY in known or all(kind.name == "none" for kind in known):
        return ANY
    return known[0] if len(known) == 1 else Kind("union", tuple(known))


def _last_name(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _convert_scalar(value: Any, kind: Kind) -> tuple[Any, list[tuple[str, str]]]:
    if kind.name == "float" and type(value) is int:
        return float(value), []
    if type(value) in _python_types(kind):
        return value, []
    return value, [("", f"expected {_article(kind)}, got {describe(value)}")]


def _convert_union(value: Any, kind: Kind) -> tuple[Any, list[tuple[str, str]]]:
    tries = []
    for arg in kind.args:
        tries.append(convert(value, arg))
        if not tries[-1][1] and type(tries[-1][0]) is type(value):
            return tries[-1]
    fitting = [t for t in tries if not t[1]]
    if fitting:
        return fitting[0]
    deeper = [t for t in tries if t[1][0][0]]
    if deeper:
        return deeper[0]
    literals = [arg for arg in kind.args if arg.name == "literal"]
    if literals and isinstance(value, str):
        return value, [("", _literal_problem(value, literals[0]))]
    return value, [("", f"expected {_article(kind)}, got {describe(value)}")]


def _convert_items(
    values: list[Any], kind: Kind, paths: list[str]
) -> tuple[list[Any], list[tuple[str, str]]]:
    converted: list[Any] = []
    problems: list[tuple[str, str]] = []
    for value, path in zip(values, paths, strict=True):
        item, found = convert(value, kind)
        converted.append(item)
        problems.extend((path + below, message) for below, message in found)
    return converted, problems


def _python_types(kind: Kind) -> tuple[type, ...]:
    if kind.name in _TEXTS:
        return (str,)
    return _PYTHON_TYPES.get(kind.name, ())


def _literal_problem(value: Any, kind: Kind) -> str:
    texts = [arg for arg in kind.args if isinstance(arg, str)]
    message = f"expected {kind}, got {describe(value)}"
    return f"{message}; {did_you_mean(value, texts)}" if isinstance(value, str) else message


def _article(kind: Kind) -> str:
    words = {
        "str": "text", "int": "an integer", "float": "a number", "bool": "true or false",
        "none": "none", "file": "the path of a file", "dataset": "a folder or a hub id",
        "tokenizer": "a folder or a hub id", "model": "a folder or a hub id",
        "split": "the name of a split", "column": "the name of a column",
        "component": "a name or a table with `use`",
    }  # fmt: skip
    if kind.name == "union":
        kinds = [k for k in kind.args if k.name != "none"]
        return " or ".join(dict.fromkeys(_article(k) for k in kinds))
    if kind.name == "list":
        return "a list" if kind.args[0].name == "any" else f"a list of {kind.args[0]}"
    if kind.name == "dict":
        return "a table"
    return words.get(kind.name, str(kind))


def _toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()
