"""The walk: what a symbol uses, followed by name through the project's modules."""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlrecipe.code import dynamic
from mlrecipe.code.source import Module, bare, dump, is_import, only

WHOLE = "*"
"""Symbol that stands for all of a module."""

Symbol = tuple[Path, str]
"""File and name."""


@dataclass(slots=True)
class Walk:
    """What has been reached so far."""

    roots: tuple[Path, ...]
    modules: dict[Path, Module] = field(default_factory=dict)
    done: set[Symbol] = field(default_factory=set)
    symbols: dict[Symbol, tuple[str, int]] = field(default_factory=dict)
    libraries: set[str] = field(default_factory=set)
    whole: dict[Path, str] = field(default_factory=dict)
    folders: set[Path] = field(default_factory=set)
    """Folders all of whose modules count: a new one in them counts too."""

    missing: set[Path] = field(default_factory=set)
    """Files that were looked for and are not there."""

    def beside(self) -> Walk:
        """A walk that has reached nothing yet, over the same files."""
        return Walk(roots=self.roots, modules=self.modules, missing=self.missing)

    def is_file(self, path: Path) -> bool:
        """Whether the file is there."""
        if path.is_file():
            return True
        self.missing.add(path)
        return False

    def module(self, path: Path) -> Module:
        """The parsed file."""
        if path not in self.modules:
            self.modules[path] = Module(path)
        return self.modules[path]


def reach(walk: Walk, pending: list[Symbol]) -> None:
    """Add the symbols and, through them, everything that they use."""
    while pending:
        path, name = pending.pop()
        if (path, name) in walk.done:
            continue
        walk.done.add((path, name))
        module = walk.module(path)
        if name != WHOLE and (name not in module.bindings or module.has_star):
            below = _submodule(walk, module, name)
            if below is not None:
                pending.append((below, WHOLE))
            if below is None or module.has_star:
                why = "a star import" if module.has_star else f"no definition of {name!r}"
                walk.whole.setdefault(path, why)  # where the name comes from cannot be told
                pending.append((path, WHOLE))
            continue
        for statement in _note(walk, module, name):
            pending.extend(uses(walk, module, statement))


def _submodule(walk: Walk, module: Module, name: str) -> Path | None:
    """The file of a module of the package whose `__init__` the module is."""
    if module.path.name != "__init__.py":
        return None
    stem = module.path.parent / name
    paths = (stem / "__init__.py", stem.with_suffix(".py"))  # as Python looks
    return next((path for path in paths if walk.is_file(path)), None)


def _note(walk: Walk, module: Module, name: str) -> Sequence[ast.stmt]:
    """Add the digest of what a module binds to a name; returns the statements that do."""
    statements = module.tree.body if name == WHOLE else module.bindings[name]
    line = statements[0].lineno if statements else 1
    if name != WHOLE:
        statements = [only(statement, name) for statement in statements]
    text = "\n".join(dump(s, aliases=module.aliases) for s in statements)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    walk.symbols[module.path, name] = (digest, line)
    return statements


def uses(walk: Walk, module: Module, statement: ast.stmt) -> Iterator[Symbol]:
    """The symbols that a statement of the module uses."""
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
        if isinstance(node, ast.Call):
            yield from _called(walk, module, node)


def _called(walk: Walk, module: Module, call: ast.Call) -> Iterator[Symbol]:
    """What a call reaches by a name that is no part of the syntax."""
    name = dynamic.named(module, call)
    if name == "getattr":
        yield from _package_read(walk, module, call)
        return
    if name != "import_module":
        if name:
            beyond = " beyond this module" if name in ("exec", "eval") else ""
            walk.whole.setdefault(module.path, f"line {call.lineno}: {name}(){beyond}")
            yield module.path, WHOLE
        return
    meant = dynamic.imported(module, call)
    if meant.is_constant:
        where = find_module(walk, module.path, meant.name, meant.level)
        if where is not None:
            yield where, WHOLE
        else:
            _note_library(walk, meant.name, meant.level)
        return
    folder = dynamic.folder(meant, module.path, walk.roots)
    yield from _all_of(walk, folder, meant.start)
    shown = "the project" if folder in walk.roots else f"{folder.name}/"
    why = f"line {call.lineno}: what an import by a computed name takes from outside {shown}"
    walk.whole.setdefault(module.path, why)
    yield module.path, WHOLE


def _package_read(walk: Walk, module: Module, call: ast.Call) -> Iterator[Symbol]:
    """What `getattr(package, computed)` may mean: any module of the package."""
    for symbol in list(_module_names(walk, module, call)):
        path = symbol[0]
        if path.name == "__init__.py" and symbol[1] == WHOLE:
            yield from _all_of(walk, path.parent, "")
            why = f"line {call.lineno}: getattr() beyond the modules of {path.parent.name}/"
            walk.whole.setdefault(module.path, why)
            yield module.path, WHOLE


def _module_names(walk: Walk, module: Module, call: ast.Call) -> Iterator[Symbol]:
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Name) and len(call.args) > 1 and not dynamic.constant(call.args[1]):
        inside = [s for n, s in module.local_imports if n == first.id]
        statements = [s for s in module.bindings.get(first.id, []) if is_import(s)]
        for statement in (*statements, *inside):
            yield from _imported(walk, module, statement, {}, only=first.id)


def _all_of(walk: Walk, folder: Path, start: str) -> Iterator[Symbol]:
    """Every module below a folder whose name begins so."""
    for below, files in dynamic.modules_below(folder):
        walk.folders.add(below)
        for path in files:
            if below != folder or path.name.startswith(start):
                yield path, WHOLE


def _through(
    walk: Walk, module: Module, name: str, attributes: set[str] | None
) -> Iterator[Symbol]:
    """What a use of an imported name reaches in the module that it comes from."""
    for statement in module.bindings[name]:
        if is_import(statement):
            yield from _imported(walk, module, statement, {name: attributes or set()}, only=name)


def _imported(
    walk: Walk,
    module: Module,
    node: ast.Import | ast.ImportFrom,
    attributes: Mapping[str, set[str]],
    only: str | None = None,
) -> Iterator[Symbol]:
    for alias in node.names:
        bound = alias.asname or alias.name.partition(".")[0]
        if only is not None and bound != only and alias.name != "*":
            continue
        if isinstance(node, ast.Import):
            where = find_module(walk, module.path, alias.name, 0)
            yield from _module_use(walk, where, alias.name, attributes.get(bound))
            continue
        name = node.module or ""
        where = find_module(walk, module.path, name, node.level)
        below = find_module(walk, module.path, f"{name}.{alias.name}".lstrip("."), node.level)
        if below is not None and (where is None or where.name == "__init__.py"):
            if where is not None and _hides(walk.module(where), alias.name):
                yield where, alias.name
            yield from _module_use(walk, below, alias.name, attributes.get(bound))
        elif where is None:
            _note_library(walk, name, node.level)
        elif alias.name == "*":
            walk.whole.setdefault(where, f"a star import of it in {module.path.name}")
            yield where, WHOLE
        else:
            yield where, alias.name


def _hides(package: Module, name: str) -> bool:
    """Whether a package binds the name itself, not only as its module of that name."""
    return package.has_star or any(
        not (
            isinstance(statement, ast.ImportFrom)
            and statement.level == 1
            and not statement.module
            and any(a.name == name and a.asname in (None, name) for a in statement.names)
        )
        for statement in package.bindings.get(name, ())
    )


def _module_use(
    walk: Walk, where: Path | None, name: str, attributes: set[str] | None
) -> Iterator[Symbol]:
    if where is None:
        _note_library(walk, name, 0)
    elif attributes:
        yield from ((where, attribute) for attribute in attributes)
    else:
        yield where, WHOLE


def _note_library(walk: Walk, name: str, level: int) -> None:
    top = name.partition(".")[0]
    if level == 0 and top and top not in sys.stdlib_module_names and top != "mlrecipe":
        walk.libraries.add(top)


def find_module(walk: Walk, importer: Path, name: str, level: int) -> Path | None:
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
        for path in (stem / "__init__.py", stem.with_suffix(".py") if parts else stem):
            if any(path.is_relative_to(root) for root in walk.roots) and walk.is_file(path):
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
        elif isinstance(node, ast.Call) and (read := dynamic.read(node)):
            found.setdefault(read[0].id, set()).add(read[1])  # getattr(name, "attribute")
            inner.add(id(read[0]))
        elif isinstance(node, ast.Name) and id(node) not in inner:
            bare.add(node.id)
    return {name: attributes for name, attributes in found.items() if name not in bare}
