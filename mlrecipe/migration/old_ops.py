"""Transforms of a runway project, read from its source files; nothing is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlrecipe.code import defaults, kinds
from mlrecipe.code.kinds import Kind
from mlrecipe.errors import RequestError

_REGISTER = ("register_transform_functor", "register_transform", "register_to")
_LOADER = "DataLoader"


@dataclass(frozen=True, slots=True)
class Setting:
    """A parameter of a transform's `setup`."""

    kind: Kind = kinds.ANY

    default: ast.expr | None = None
    """As it is written; None when there is none."""

    @property
    def is_literal(self) -> bool:
        """Whether the default can be written into another file."""
        value = defaults.literal(self.default) if self.default is not None else None
        return not isinstance(value, defaults.Unreadable)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform:
    """A class that runway's data pipeline runs."""

    name: str
    file: Path
    line: int
    doc: str = ""
    """First line of its docstring."""

    settings: Mapping[str, Setting] = field(default_factory=dict)
    """What `setup` takes by name."""

    is_open: bool = False
    """Whether `setup` takes any other name too."""

    uses: frozenset[str] = frozenset()
    """Names and attributes in the class, its bases, and what is no class in their files."""

    makes_loaders: bool = False
    """Whether the class makes torch's DataLoaders."""


_INHERITED = {"HFDatasetTransform": ("rename_col_dict", "splits_to_process", "_num_proc")}
"""What the `setup` of runway's own base classes takes."""


_UNSET = Setting(default=ast.Constant(None))


def find(places: Iterable[Path]) -> dict[str, Transform]:
    """The registered transforms in files and folders, by name.

    Raises:
        RequestError: a place is not there, a file is not Python, or two classes have one name.
    """
    classes: dict[str, tuple[ast.ClassDef, Path, frozenset[str]]] = {}
    registered: list[str] = []
    for path in _files(places):
        tree = _parse(path)
        rest = [node for node in tree.body if not isinstance(node, ast.ClassDef)]
        around = {name for node in rest for name in _names(node)}
        for node in tree.body:
            if not isinstance(node, ast.ClassDef):
                continue
            if _is_registered(node):
                if node.name in registered:
                    other = classes[node.name][1]
                    message = f"transform {node.name!r} is there twice: in {other} and {path}"
                    raise RequestError(f"{path}:{node.lineno}: {message}")
                registered.append(node.name)
            classes[node.name] = (node, path, frozenset(around | set(_names(node))))
    return {name: _transform(name, classes) for name in registered}


def _files(places: Iterable[Path]) -> Iterator[Path]:
    done: set[Path] = set()
    for place in places:
        if not place.exists():
            raise RequestError(f"no file or folder {str(place)!r}")
        found = sorted(place.rglob("*.py")) if place.is_dir() else [place]
        for path in found:
            if path.resolve() not in done:
                done.add(path.resolve())
                yield path


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    except (SyntaxError, ValueError) as error:  # ValueError: not UTF-8, or null bytes
        line = getattr(error, "lineno", None) or 1
        what = getattr(error, "msg", None) or error
        raise RequestError(f"{path}:{line}: not valid Python: {what}") from error


def _is_registered(node: ast.ClassDef) -> bool:
    for decorator in node.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if _last(called) in _REGISTER:
            return True
    return False


def _last(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Name, ast.Attribute)):
            yield _last(node)


def _transform(
    name: str, classes: Mapping[str, tuple[ast.ClassDef, Path, frozenset[str]]]
) -> Transform:
    node, path, names = classes[name]
    doc = (ast.get_docstring(node) or "").partition("\n")[0].strip()
    found = Transform(
        name=name, file=path, line=node.lineno, doc=doc, uses=names,
        makes_loaders=_LOADER in set(_names(node)),
    )  # fmt: skip
    seen: set[str] = set()
    while node.name not in seen:
        seen.add(node.name)
        setup = _setup(node)
        base = next((_last(b) for b in node.bases), "")
        if setup is not None:
            found = replace(found, settings={**found.settings, **_added(found, setup)})
            if setup.args.kwarg is None:  # what its bases take it does not
                return replace(found, is_open=False)
            found = replace(found, is_open=True)
        if base in _INHERITED:
            inherited = {n: _UNSET for n in _INHERITED[base] if n not in found.settings}
            return replace(found, settings={**found.settings, **inherited})
        if base not in classes:
            break
        node = classes[base][0]
        found = replace(found, uses=found.uses | classes[base][2])
    return found


def _added(found: Transform, setup: ast.FunctionDef) -> dict[str, Setting]:
    """What a `setup` takes that is not known yet; a base's own defaults are left to it."""
    new = {n: s for n, s in _settings(setup).items() if n not in found.settings}
    if found.settings or found.is_open:
        return {n: s if s.default is None else _UNSET for n, s in new.items()}
    return new


def _setup(node: ast.ClassDef) -> ast.FunctionDef | None:
    functions = [item for item in node.body if isinstance(item, ast.FunctionDef)]
    return next((item for item in functions if item.name == "setup"), None)


def _settings(setup: ast.FunctionDef) -> dict[str, Setting]:
    arguments = setup.args
    positional = [*arguments.posonlyargs, *arguments.args][1:]
    missing: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    pairs: list[tuple[ast.arg, ast.expr | None]] = list(
        zip(positional, [*missing, *arguments.defaults], strict=True)
    )
    pairs += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return {arg.arg: Setting(_kind(arg.annotation, default), default) for arg, default in pairs}


def _kind(annotation: ast.expr | None, default: ast.expr | None) -> Kind:
    """The type that an annotation asks for, with none where the default is none; any where they disagree."""
    kind = kinds.parse(annotation)
    value: Any = defaults.literal(default) if default is not None else None
    if default is None or not kinds.convert(value, kind)[1]:
        return kind
    if value is None:
        return Kind("union", (*(kind.args if kind.name == "union" else [kind]), Kind("none")))
    return kinds.ANY
