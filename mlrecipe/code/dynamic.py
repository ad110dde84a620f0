"""Names that the syntax does not have: calls that make them up, and what those may mean."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlrecipe.code.source import Module

_DYNAMIC = {"globals", "locals", "vars", "exec", "eval", "getattr"}

_IMPORTS = {"__import__", "import_module"}

_HERE = {"__package__", "__name__"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """What an import by a computed name may mean."""

    name: str
    """The dotted name as far as it is known."""

    level: int
    """Leading dots."""

    is_constant: bool
    """Whether that is all of it."""

    @property
    def start(self) -> str:
        """What the last part begins with."""
        return self.name.rpartition(".")[2]


def named(module: Module, call: ast.Call) -> str:
    """The called function, if it makes up names: `import_module` for each way to import; else empty."""
    function = call.func
    name = function.id if isinstance(function, ast.Name) else getattr(function, "attr", "")
    if name in _IMPORTS or (isinstance(function, ast.Name) and _is_import_module(module, name)):
        return "import_module"
    return name if name in _DYNAMIC else ""


def _is_import_module(module: Module, name: str) -> bool:
    """Whether the name is `import_module` under another."""
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module == "importlib"
        and any(a.name == "import_module" and (a.asname or a.name) == name for a in node.names)
        for bound, node in module.local_imports
        if bound == name
    )


def read(call: ast.Call) -> tuple[ast.Name, str] | None:
    """Name and attribute of `getattr(name, "attribute")`."""
    if isinstance(call.func, ast.Name) and call.func.id == "getattr" and len(call.args) > 1:
        first, attribute = call.args[0], constant(call.args[1])
        if isinstance(first, ast.Name) and attribute:
            return first, attribute
    return None


def constant(node: ast.expr) -> str:
    """The text that is written out there; empty where none is."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def imported(module: Module, call: ast.Call) -> Meant:
    """What a call of `import_module` or `__import__` may import."""
    named = [k.value for k in call.keywords if k.arg == "name"]
    first = next(iter([*call.args, *named]), None)
    parts = [None] if first is None else _parts(module, first)
    known: list[str] = []
    for part in parts:
        if part is None:
            break
        known.append(part)
    text = "".join(known)
    name = text.lstrip(".")
    level = len(text) - len(name)
    anchor = [*call.args[1:2], *(k.value for k in call.keywords if k.arg == "package")]
    is_moved = len(call.args) > 4 or any(k.arg == "level" for k in call.keywords)
    if is_moved or (level and any(not _is_here(node) for node in anchor)):
        return Meant(name="", level=0, is_constant=False)  # relative to who knows what
    return Meant(name=name, level=level, is_constant=len(known) == len(parts))


def _parts(module: Module, node: ast.expr) -> list[str | None]:
    """The pieces of a text in order; None: not written out. `__package__` is where a dot leads."""
    if isinstance(node, ast.JoinedStr):
        return [p for value in node.values for p in _parts(module, value)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [*_parts(module, node.left), *_parts(module, node.right)]
    if isinstance(node, ast.FormattedValue):
        return _parts(module, node.value)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.Name) and node.id == "__package__":
        return [""]
    if isinstance(node, ast.Name) and len(module.bindings.get(node.id, ())) == 1:
        [statement] = module.bindings[node.id]
        if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            return _parts(module, statement.value)
    return [None]


def _is_here(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in _HERE


def folder(meant: Meant, importer: Path, roots: Sequence[Path]) -> Path:
    """Where the modules lie that may be meant: the package that the known part names, else the root."""
    root = next((root for root in roots if importer.is_relative_to(root)), roots[0])
    start = importer.parents[meant.level - 1] if meant.level else root
    found = start.joinpath(*meant.name.split(".")[:-1])
    return found if found.is_dir() and found.is_relative_to(root) else root


def modules_below(folder: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Each folder that may hold modules, with them; not those below a folder that has none."""
    for place, folders, files in os.walk(folder):
        modules = [Path(place, name) for name in sorted(files) if name.endswith(".py")]
        is_package = bool(modules) and "pyvenv.cfg" not in files
        if not is_package and Path(place) != folder:
            folders.clear()
        folders[:] = sorted(name for name in folders if name.isidentifier() and name[:2] != "__")
        yield Path(place), modules if is_package else []
