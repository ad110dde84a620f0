"""The code digest: what an op's result depends on in source, followed statically through the project's modules.

Formatting, comments, docstrings and the order of definitions do not count. What cannot be followed (computed
names, `exec`, star imports) makes the whole module count, never a random value.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlrecipe.code import source
from mlrecipe.code.source import Module, bare, dump, is_import, only
from mlrecipe.code.stamps import is_settled, stamp
from mlrecipe.interfaces import Memo

WHOLE = "*"
"""Symbol that stands for all of a module."""

_OWN = (Path(__file__), Path(source.__file__))
"""Files that decide what a digest covers: a remembered one made by other code is of no use."""

_DYNAMIC = {"globals", "locals", "vars", "exec", "eval", "__import__", "import_module"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeDigest:
    """What the code of one op is, now."""

    digest: str
    """SHA-256 in hex over all symbols."""

    symbols: Mapping[str, tuple[str, int]]
    """`file::name` of each symbol reached, with its short digest and its line."""

    libraries: tuple[str, ...]
    """Top-level modules outside the project that the code reaches, sorted."""

    whole: Mapping[str, str]
    """Files that count as a whole, and what in them cannot be followed: `line 12: globals()`."""


@dataclass(slots=True)
class _Walk:
    """What has been reached so far."""

    roots: tuple[Path, ...]
    modules: dict[Path, Module] = field(default_factory=dict)
    symbols: dict[tuple[Path, str], tuple[str, int]] = field(default_factory=dict)
    libraries: set[str] = field(default_factory=set)
    whole: dict[Path, str] = field(default_factory=dict)


def code_digest(
    path: Path, name: str, *, roots: Sequence[Path], memo: Memo | None = None
) -> CodeDigest:
    """The digest of the function or class `name` in the file `path` and of all it reaches below `roots`."""
    found = _remembered(path, name, memo)
    if found is None:
        walk = _Walk(roots=tuple(roots))
        _reach(walk, path, name)
        found = _result(walk, roots[0])
        _remember(path, name, found, [*_OWN, *sorted(walk.modules)], memo)
    return found


def _reach(walk: _Walk, path: Path, name: str) -> None:
    """Add the symbol and, through it, everything that it uses."""
    pending, done = [(path, name)], set()
    while pending:
        path, name = pending.pop()
        if (path, name) in done:
            continue
        done.add((path, name))
        if path not in walk.modules:
            walk.modules[path] = Module(path)
        module = walk.modules[path]
        if name != WHOLE and (name not in module.bindings or module.has_star):
            why = "a star import" if module.has_star else f"no definition of {name!r}"
            walk.whole.setdefault(path, why)  # where the name comes from cannot be told
            pending.append((path, WHOLE))
            continue
        for statement in _note(walk, module, name):
            pending.extend(_uses(walk, module, statement))


def _note(walk: _Walk, module: Module, name: str) -> Sequence[ast.stmt]:
    """Add the digest of what a module binds to a name; returns the statements that do."""
    statements = module.tree.body if name == WHOLE else module.bindings[name]
    line = statements[0].lineno if statements else 1
    if name != WHOLE:
        statements = [only(statement, name) for statement in statements]
    text = "\n".join(dump(s, aliases=module.aliases) for s in statements)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    walk.symbols[module.path, name] = (digest, line)
    return statements


def _uses(walk: _Walk, module: Module, statement: ast.stmt) -> Iterator[tuple[Path, str]]:
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        statement = bare(statement, module.aliases)
    attributes = _attributes(statement)
    for node in ast.walk(statement):
        if isinstance(node, ast.Name) and node.id in module.bindings:
            if module.is_imported(node.id):
                _note(walk, module, node.id)  # what of it is used is followed from here
            else:
                yield module.path, node.id
            yield from _through(walk, module, node.id, attributes.get(node.id))
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from _imported(walk, module, node, attributes)
        if isinstance(node, ast.Call) and (called := _dynamic(node)):
            walk.whole.setdefault(module.path, f"line {node.lineno}: {called}()")
            yield module.path, WHOLE


def _through(
    walk: _Walk, module: Module, name: str, attributes: set[str] | None
) -> Iterator[tuple[Path, str]]:
    """What a use of an imported name reaches in the module that it comes from."""
    for statement in module.bindings[name]:
        if is_import(statement):
            yield from _imported(walk, module, statement, {name: attributes or set()}, only=name)


def _imported(
    walk: _Walk,
    module: Module,
    node: ast.Import | ast.ImportFrom,
    attributes: Mapping[str, set[str]],
    only: str | None = None,
) -> Iterator[tuple[Path, str]]:
    for alias in node.names:
        bound = alias.asname or alias.name.partition(".")[0]
        if only is not None and bound != only and alias.name != "*":
            continue
        if isinstance(node, ast.Import):
            where = _find_module(walk, module.path, alias.name, 0)
            yield from _module_use(walk, where, alias.name, attributes.get(bound))
            continue
        name = node.module or ""
        where = _find_module(walk, module.path, name, node.level)
        below = _find_module(walk, module.path, f"{name}.{alias.name}".lstrip("."), node.level)
        if below is not None and (where is None or where.name == "__init__.py"):
            yield from _module_use(walk, below, alias.name, attributes.get(bound))
        elif where is None:
            _note_library(walk, name, node.level)
        elif alias.name == "*":
            walk.whole.setdefault(where, f"a star import of it in {module.path.name}")
            yield where, WHOLE
        else:
            yield where, alias.name


def _module_use(
    walk: _Walk, where: Path | None, name: str, attributes: set[str] | None
) -> Iterator[tuple[Path, str]]:
    if where is None:
        _note_library(walk, name, 0)
    elif attributes:
        yield from ((where, attribute) for attribute in attributes)
    else:
        yield where, WHOLE


def _note_library(walk: _Walk, name: str, level: int) -> None:
    top = name.partition(".")[0]
    if level == 0 and top and top not in sys.stdlib_module_names and top != "mlrecipe":
        walk.libraries.add(top)


def _find_module(walk: _Walk, importer: Path, name: str, level: int) -> Path | None:
    """The file of a module inside the roots, or None."""
    parts = name.split(".") if name else []
    if level:
        starts = [importer.parents[level - 1]]
    elif parts and parts[0] == "mlrecipe":
        starts = [Path(__file__).parents[2]]
    else:
        starts = [importer.parent, *walk.roots]
    for start in starts:
        stem = start.joinpath(*parts)
        for path in (stem.with_suffix(".py") if parts else stem, stem / "__init__.py"):
            if path.is_file() and any(path.is_relative_to(root) for root in walk.roots):
                return path
    return None


def _attributes(statement: ast.stmt) -> dict[str, set[str]]:
    """Name → attributes read from it; names that are also used bare are left out."""
    found: dict[str, set[str]] = {}
    inner: set[int] = set()
    bare: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            found.setdefault(node.value.id, set()).add(node.attr)
            inner.add(id(node.value))
        elif isinstance(node, ast.Name) and id(node) not in inner:
            bare.add(node.id)
    return {name: attributes for name, attributes in found.items() if name not in bare}


def _dynamic(call: ast.Call) -> str:
    """The called function, if what it does cannot be followed; else empty."""
    function = call.func
    name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
    return name if name in _DYNAMIC else ""


def _result(walk: _Walk, root: Path) -> CodeDigest:
    symbols = {
        f"{_relative(path, root)}::{name}": value for (path, name), value in walk.symbols.items()
    }
    text = json.dumps(sorted((key, digest) for key, (digest, _) in symbols.items()))
    return CodeDigest(
        digest=hashlib.sha256(text.encode()).hexdigest(),
        symbols=dict(sorted(symbols.items())),
        libraries=tuple(sorted(walk.libraries)),
        whole={_relative(path, root): why for path, why in sorted(walk.whole.items())},
    )


def _relative(path: Path, root: Path) -> str:
    return os.path.relpath(path, root).replace(os.sep, "/")


def _remembered(path: Path, name: str, memo: Memo | None) -> CodeDigest | None:
    text = memo.get(f"code:{path}:{name}") if memo is not None else None
    if text is None:
        return None
    data = json.loads(text)
    if any(stamp(Path(file)) != kept for file, kept in data["stamps"].items()):
        return None
    return CodeDigest(
        digest=data["digest"],
        symbols={key: (value[0], value[1]) for key, value in data["symbols"].items()},
        libraries=tuple(data["libraries"]),
        whole=dict(data["whole"]),
    )


def _remember(
    path: Path, name: str, found: CodeDigest, files: Sequence[Path], memo: Memo | None
) -> None:
    stamps = {str(file): stamp(file) for file in files}
    if memo is None or not all(text and is_settled(text) for text in stamps.values()):
        return
    data = {
        "stamps": stamps, "digest": found.digest, "symbols": found.symbols,
        "libraries": found.libraries, "whole": found.whole,
    }  # fmt: skip
    memo.set(f"code:{path}:{name}", json.dumps(data))
