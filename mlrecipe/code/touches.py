"""Touches: which names a piece of code may change, and what of a module runs when it is imported."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mlrecipe.code.source import Module, bare, is_import

How = Literal["bound", "changed", "called", "handed", "items"]
"""`global name`; a store into it; a call of it or of its attribute; it or its items handed on."""

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

_READERS = {
    name for name in dir(builtins) if name[0].islower() and name not in ("setattr", "delattr")
} - {
    "map",
    "filter",
    "iter",
    "next",
    "super",
    "type",
    "vars",
    "exec",
    "eval",
    "getattr",
    "property",
    "zip",
}

READING = {
    "copy", "count", "endswith", "find", "findall", "finditer", "format", "fullmatch", "index",
    "isdigit", "isalpha", "join", "lower", "lstrip", "match", "partition", "replace", "rpartition",
    "rstrip", "search", "split", "splitlines", "startswith", "strip", "title", "upper",
}  # fmt: skip
"""Methods of texts and patterns: they change nothing."""


@dataclass(frozen=True, slots=True)
class Touch:
    """One use of a name that may change what it stands for."""

    parts: tuple[str, ...]
    """Name and attributes, as far as they are written out."""

    how: How


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """A statement that runs when its module is imported."""

    statement: ast.stmt
    outer: ast.stmt
    """The statement at module level that it is part of."""


def effects(module: Module) -> Iterator[Effect]:
    """What runs when the module is imported, imports and plain constants left out."""
    for outer in module.tree.body:
        for statement in _run(outer):
            yield Effect(statement, outer)


def _run(statement: ast.stmt) -> Iterator[ast.stmt]:
    if is_import(statement):
        return
    bodies = [] if isinstance(statement, Definition) else _bodies(statement)
    if not bodies:
        yield statement
        return
    for body in bodies:
        for inner in body:
            yield from _run(inner)
    yield statement  # what stands in its head


def _bodies(statement: ast.AST) -> list[list[ast.stmt]]:
    bodies = [getattr(statement, name, []) for name in ("body", "orelse", "finalbody")]
    below = [*getattr(statement, "handlers", []), *getattr(statement, "cases", [])]
    return [body for body in bodies if body] + [item.body for item in below]


def applied(effect: Effect, module: Module) -> list[ast.expr]:
    """The decorators that a definition is handed to, mlrecipe's own left out."""
    statement = effect.statement
    if not isinstance(statement, Definition):
        return []
    return list(bare(statement, module.aliases).decorator_list)


def head(effect: Effect, module: Module) -> ast.stmt:
    """What of the statement runs on import, as one statement: no bodies of functions."""
    return ast.Expr(ast.Tuple(list(_head(effect.statement, module)), ast.Load()))


def _head(statement: ast.stmt, module: Module) -> Iterator[ast.expr]:
    if isinstance(statement, Definition):
        for decorator in bare(statement, module.aliases).decorator_list:
            yield ast.Call(decorator, [], [], lineno=decorator.lineno, col_offset=0)
    if isinstance(statement, FUNCTIONS):
        yield from (d for d in (*statement.args.defaults, *statement.args.kw_defaults) if d)
    elif isinstance(statement, ast.ClassDef):
        for inner in statement.body:
            for part in _run(inner):
                yield from _head(part, module)
    else:
        inside = {id(s) for body in _bodies(statement) for s in body}
        for child in ast.iter_child_nodes(statement):
            if isinstance(child, ast.withitem):
                yield child.context_expr
            elif id(child) not in inside and isinstance(child, ast.expr):
                yield child


def touches(node: ast.AST) -> set[Touch]:
    """Names that the code below a node may change, bodies of functions included."""
    found: set[Touch] = set()
    for inner in ast.walk(node):
        found.update(_touches(inner))
    return found


def _touches(node: ast.AST) -> Iterator[Touch]:
    if isinstance(node, ast.Global):
        yield from (Touch((name,), "bound") for name in node.names)
    elif isinstance(node, (ast.Attribute, ast.Subscript)):
        if not isinstance(node.ctx, ast.Load) and (parts := chain(node)):
            yield Touch(parts, "changed")
    elif isinstance(node, ast.Call):
        yield from _call(node)
    elif isinstance(node, (ast.Assign, ast.AnnAssign, ast.NamedExpr, ast.Return, ast.Yield)):
        if node.value is not None:
            yield from _handed(node.value)
    elif isinstance(node, (ast.For, ast.comprehension)):
        if parts := chain(node.iter):
            yield Touch(parts, "items")
    elif isinstance(node, ast.withitem):
        yield from _handed(node.context_expr)


def _call(node: ast.Call) -> Iterator[Touch]:
    if parts := chain(node.func):
        yield Touch(parts, "called")
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    if name in ("setattr", "delattr") and node.args and (parts := chain(node.args[0])):
        yield Touch(parts, "changed")
    elif name not in _READERS:
        for argument in (*node.args, *(k.value for k in node.keywords)):
            yield from _handed(argument)


def _handed(node: ast.expr) -> Iterator[Touch]:
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)):
        for item in node.elts:
            yield from _handed(item)
    elif isinstance(node, ast.Dict):
        for item in node.values:
            yield from _handed(item)
    elif isinstance(node, (ast.Starred, ast.Await)):
        yield from _handed(node.value)
    elif isinstance(node, ast.IfExp):
        yield from (*_handed(node.body), *_handed(node.orelse))
    elif isinstance(node, ast.BoolOp):
        for item in node.values:
            yield from _handed(item)
    elif parts := chain(node):
        yield Touch(parts, "handed")


def chain(node: ast.expr) -> tuple[str, ...]:
    """`("a", "b")` of `a.b[0].c`, `[]` for items; empty where it does not start with a name."""
    parts: list[str] = []
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        parts.append(node.attr if isinstance(node, ast.Attribute) else "[]")
        node = node.value
    return (node.id, *reversed(parts)) if isinstance(node, ast.Name) else ()


def functions(statement: ast.stmt) -> list[ast.AST]:
    """Functions and lambdas below a statement, the outermost of each."""
    found: list[ast.AST] = []
    pending: list[ast.AST] = [statement]
    while pending:
        node = pending.pop()
        if isinstance(node, (*FUNCTIONS, ast.Lambda)):
            found.append(node)
        else:
            pending += ast.iter_child_nodes(node)
    return found


def calls_what_it_is_given(statements: Sequence[ast.stmt]) -> bool:
    """Whether a function in them calls one of its parameters itself, not in a function that it makes."""
    for function in (f for s in statements for f in functions(s)):
        for inner in ast.walk(function):
            if isinstance(inner, FUNCTIONS) and _calls_own(inner):
                return True
    return False


def _calls_own(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    given = {a.arg for a in (*function.args.posonlyargs, *function.args.args)}
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in given:
            return True
        if not isinstance(node, (*FUNCTIONS, ast.Lambda)):
            pending += ast.iter_child_nodes(node)
    return False


def changes_what_it_is_given(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function may change one of its arguments."""
    given = {a.arg for a in (*function.args.posonlyargs, *function.args.args)}
    return any(
        touch.parts[0] in given
        and (touch.how == "changed" or (touch.how == "called" and touch.parts[-1] not in READING))
        and (touch.how == "changed" or len(touch.parts) > 1)
        for touch in touches(function)
    )


def without_results(function: ast.FunctionDef, depth: int) -> ast.FunctionDef:
    """A function as far as it runs when it, and `depth - 1` times what it gives, is called.

    What it defines and only returns does not run.
    """
    names = [n.id for s in function.body for n in ast.walk(s) if isinstance(n, ast.Name)]
    ends = [s.value for s in function.body if isinstance(s, ast.Return)]
    returned = [value.id for value in ends if isinstance(value, ast.Name)]
    body: list[ast.stmt] = []
    for statement in function.body:
        if isinstance(statement, ast.FunctionDef) and _is_result(statement, names, returned):
            if depth > 1:
                body.append(without_results(statement, depth - 1))
        else:
            body.append(statement)
    fields: Mapping[str, Any] = dict(ast.iter_fields(function)) | {"body": body or [ast.Pass()]}
    return ast.FunctionDef(**fields)


def _is_result(made: ast.FunctionDef, names: Sequence[str], returned: Sequence[str]) -> bool:
    """Whether a function is defined to be returned and for nothing else."""
    outside = [chain(d.func if isinstance(d, ast.Call) else d) for d in made.decorator_list]
    is_plain = all(parts[:1] in (("functools",), ("wraps",)) for parts in outside)
    return is_plain and 0 < returned.count(made.name) == names.count(made.name)
