"""Source files: what each statement of a module binds, and what of it counts, as text."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from mlrecipe.code import signatures
from mlrecipe.errors import PluginError


class Module:
    """One parsed file: which statements bind which names.

    Raises:
        PluginError: the file is not valid Python.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree, self.text = _parse(path)
        self.aliases = signatures.aliases_of(self.tree)
        self.bindings: dict[str, list[ast.stmt]] = {}
        for statement in self.tree.body:
            for bound in bound_names(statement):
                self.bindings.setdefault(bound, []).append(statement)
        self.local_imports: list[tuple[str, ast.Import | ast.ImportFrom]] = []
        """Name → import, of every import in the file, also inside functions."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Global):  # a function binds it
                for name in node.names:
                    self.bindings.setdefault(name, [])
            elif is_import(node):
                names = (a.asname or a.name.partition(".")[0] for a in node.names)
                self.local_imports += [(name, node) for name in names]
        self.has_star = "*" in self.bindings

    def is_imported(self, name: str) -> bool:
        """Whether the name is bound by imports alone."""
        statements = self.bindings[name]
        return bool(statements) and all(is_import(statement) for statement in statements)

    def is_current(self) -> bool:
        """Whether the file still has the text that was parsed."""
        try:
            return self.path.read_text(encoding="utf-8") == self.text
        except (OSError, ValueError):
            return False


def _parse(path: Path) -> tuple[ast.Module, str]:
    try:
        text = path.read_text(encoding="utf-8")
        return ast.parse(text, filename=str(path)), text
    except (SyntaxError, ValueError) as error:  # ValueError: not UTF-8, or null bytes
        line = getattr(error, "lineno", None)
        place = f"{path.name}:{line}" if line else path.name
        reason = getattr(error, "msg", None) or str(error)
        raise PluginError(f"{place}: not valid Python: {reason}") from error


def bound_names(statement: ast.stmt) -> set[str]:
    """Names that a top-level statement defines or changes."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    names: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names |= {a.asname or a.name.partition(".")[0] for a in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
            names.add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store):
            names |= _root_name(node)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            call = node.value  # TABLE.update(…) and fill(TABLE) change TABLE
            values = [call.func, *call.args, *(k.value for k in call.keywords)]
            names = names.union(*map(_root_name, values))
    return names


def _root_name(node: ast.expr) -> set[str]:
    """The name at the start of `name.a[0].b`."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return {node.id} if isinstance(node, ast.Name) else set()


def is_import(statement: ast.AST) -> TypeGuard[ast.Import | ast.ImportFrom]:
    """Whether the statement is an import."""
    return isinstance(statement, (ast.Import, ast.ImportFrom))


def only(statement: ast.stmt, name: str) -> ast.stmt:
    """Of an import what binds the name; any other statement as it is."""
    if not is_import(statement):
        return statement
    names = [a for a in statement.names if (a.asname or a.name.partition(".")[0]) == name]
    fields = dict(ast.iter_fields(statement)) | {"names": names}
    return type(statement)(**fields)


def dump(node: ast.AST, *, aliases: Mapping[str, str]) -> str:
    """A node's meaning as text: no positions, docstrings, type comments or decorators of mlrecipe."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)):
        node = bare(node, aliases)
    parts = []
    for name, value in ast.iter_fields(node):
        if name not in ("type_comment", "kind", "type_ignores") and value not in (None, []):
            parts.append(f"{name}={_dump_value(value, aliases)}")
    return f"{type(node).__name__}({','.join(parts)})"


def _dump_value(value: Any, aliases: Mapping[str, str]) -> str:
    if isinstance(value, ast.AST):
        return dump(value, aliases=aliases)
    if isinstance(value, list):
        return f"[{','.join(_dump_value(item, aliases) for item in value)}]"
    return repr(value)


def bare(node: Any, aliases: Mapping[str, str]) -> Any:
    """A definition without its docstring and the decorators of mlrecipe."""
    body = [s for s in node.body if not _is_text(s)]
    fields = dict(ast.iter_fields(node)) | {"body": body}
    if "decorator_list" in fields:
        fields["decorator_list"] = [
            d for d in node.decorator_list if not signatures.is_decorator(d, aliases)
        ]
    return type(node)(**fields)


def _is_text(statement: ast.stmt) -> bool:
    """A bare string: a docstring, of the function or of the line above it."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
