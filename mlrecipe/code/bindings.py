"""Bindings: where a name of a module comes from, and whether a use of it may change what it stands for."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from mlrecipe.code.source import Module, is_import
from mlrecipe.code.touches import FUNCTIONS, READING, Touch, chain, touches
from mlrecipe.code.walk import WHOLE, Symbol, Walk, find_module

Origin = tuple[Module, str, tuple[str, ...]]
"""Module and name that a chain of names leads to, and the attributes that are left."""

_QUIET = {"functools", "logging", "re", "pathlib"}
"""Modules whose objects may be called without a change that counts."""

_LOOKUPS = {"get", "items", "keys", "values"}


def statements(module: Module, name: str) -> Sequence[ast.stmt]:
    """What binds the name; all there is for a whole module."""
    return module.tree.body if name == WHOLE else module.bindings.get(name, [])


def imports(body: Sequence[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that run when a body does; not those for type checkers alone."""
    for statement in body:
        if is_import(statement):
            yield statement
        elif isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.dump(statement.test):
            yield from imports(statement.orelse)
        elif not isinstance(statement, FUNCTIONS):
            inner = [s for s in ast.iter_child_nodes(statement) if isinstance(s, ast.stmt)]
            yield from imports(inner)
            for handler in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
                yield from imports(handler.body)


def find(
    walk: Walk, module: Module, parts: tuple[str, ...], seen: frozenset[Symbol] = frozenset()
) -> Iterator[Origin]:
    """Where a chain of names leads, through imports between the project's modules."""
    if not parts or (module.path, parts[0]) in seen:
        return
    seen |= {(module.path, parts[0])}
    name, rest = parts[0], parts[1:]
    bound = module.bindings.get(name)
    if bound is not None and not module.is_imported(name):
        yield module, name, rest
    inside = [node for n, node in module.local_imports if n in (name, "*")]
    found = [s for s in bound or () if is_import(s)]
    for statement in [*found, *(node for node in inside if node not in found)]:
        yield from _through(walk, module, statement, parts, seen)


def _through(
    walk: Walk, module: Module, statement: ast.Import | ast.ImportFrom, parts: tuple[str, ...],
    seen: frozenset[Symbol],
) -> Iterator[Origin]:  # fmt: skip
    name, rest = parts[0], parts[1:]
    for alias in statement.names:
        if isinstance(statement, ast.Import):
            dotted = alias.name.split(".")
            if (alias.asname or dotted[0]) == name:
                where = find_module(walk, module.path, alias.name, 0)
                left = rest if alias.asname else parts[len(dotted) :]
                if where is not None:
                    yield from find(walk, walk.module(where), left, seen)
            continue
        if alias.name != "*" and (alias.asname or alias.name) != name:
            continue
        base, level = statement.module or "", statement.level
        where = find_module(walk, module.path, base, level)
        below = find_module(walk, module.path, f"{base}.{alias.name}".lstrip("."), level)
        if alias.name == "*" and where is not None:
            yield from find(walk, walk.module(where), parts, seen)
        elif below is not None and (where is None or where.name == "__init__.py"):
            yield from find(walk, walk.module(below), rest, seen)
            if where is not None:
                yield from find(walk, walk.module(where), (alias.name, *rest), seen)
        elif where is not None:
            yield from find(walk, walk.module(where), (alias.name, *rest), seen)


def changed(walk: Walk, module: Module, touch: Touch, *, is_direct: bool) -> Iterator[Symbol]:
    """The names that a touch may change; `is_direct`: it stands at module level."""
    if touch.how == "bound":
        yield module.path, touch.parts[0]
        return
    for where, name, rest in find(walk, module, touch.parts):
        if _may_change(where, name, touch, rest, is_direct):
            yield where.path, name


def _may_change(
    module: Module, name: str, touch: Touch, rest: tuple[str, ...], is_direct: bool
) -> bool:
    bound = statements(module, name)
    is_call = touch.how == "called"
    if all(isinstance(s, FUNCTIONS) for s in bound) and bound:
        return touch.how == "changed" or (is_call and bool(rest))
    if any(isinstance(s, ast.ClassDef) for s in bound):
        if is_call:
            return bool(rest) and not any(_has_method(s, rest[0]) for s in bound)
        return touch.how == "changed" or (touch.how == "handed" and is_direct)
    values = [
        getattr(s, "value", None) for s in bound if isinstance(s, (ast.Assign, ast.AnnAssign))
    ]
    is_plain = len(values) == len(bound) and bool(values)
    if is_plain and all(_is_constant(value, ast.Tuple) for value in values):
        return False
    if touch.how == "items":
        return not (is_plain and all(_is_constant(v, ast.Tuple, ast.List, ast.Set) for v in values))
    if is_call and rest:
        is_table = is_plain and all(isinstance(value, ast.Dict) for value in values)
        return rest[-1] not in (READING | _LOOKUPS if is_table else READING)
    return not (is_plain and all(_is_quiet(module, value) for value in values))


def _has_method(statement: ast.stmt, name: str) -> bool:
    return isinstance(statement, ast.ClassDef) and any(
        isinstance(s, FUNCTIONS) and s.name == name for s in statement.body
    )


def _is_constant(node: ast.AST | None, *displays: type) -> bool:
    """Whether a value is written out and nothing in it can change but, perhaps, the display itself."""
    if isinstance(node, (ast.Tuple, ast.List, ast.Set)) and isinstance(node, displays):
        return all(_is_constant(item, ast.Tuple) for item in node.elts)
    if isinstance(node, ast.UnaryOp):
        return _is_constant(node.operand)
    return isinstance(node, ast.Constant)


def _is_quiet(module: Module, node: ast.AST | None) -> bool:
    """Whether a value comes from a module of which no object registers anything."""
    parts = (
        chain(node.func if isinstance(node, ast.Call) else node)
        if isinstance(node, ast.expr)
        else ()
    )
    for statement in module.bindings.get(parts[0], ()) if parts else ():
        if isinstance(statement, ast.ImportFrom):
            return statement.module in _QUIET
        if isinstance(statement, ast.Import):
            return any(alias.name in _QUIET for alias in statement.names)
    return isinstance(node, ast.Lambda)


def bases(walk: Walk, module: Module, statement: ast.ClassDef) -> tuple[set[Symbol], bool]:
    """All classes that one derives from, and whether one of them is told of it.

    It is told by `__init_subclass__`, by a metaclass of the project, or by neither.
    """
    found: set[Symbol] = set()
    is_told = _has_metaclass(walk, module, statement)
    pending = [(module, base) for base in statement.bases]
    while pending:
        at, base = pending.pop()
        for where, name, _ in find(walk, at, chain(base)):
            for parent in statements(where, name):
                if isinstance(parent, ast.ClassDef) and (where.path, name) not in found:
                    found.add((where.path, name))
                    is_told = is_told or _has_method(parent, "__init_subclass__")
                    is_told = is_told or _has_metaclass(walk, where, parent)
                    pending += [(where, base) for base in parent.bases]
    return found, is_told


def _has_metaclass(walk: Walk, module: Module, statement: ast.ClassDef) -> bool:
    given = [k.value for k in statement.keywords if k.arg == "metaclass"]
    return any(True for value in given for _ in find(walk, module, chain(value)))


def changes_itself(statement: ast.ClassDef) -> bool:
    """Whether a method may change what the class, not one object of it, holds."""
    shared = {
        target.id
        for s in statement.body
        if isinstance(s, ast.Assign)
        for target in s.targets
        if isinstance(target, ast.Name)
    }
    for method in (s for s in statement.body if isinstance(s, FUNCTIONS)):
        given = [a.arg for a in (*method.args.posonlyargs, *method.args.args)][:1]
        is_class = given == ["cls"]
        for touch in touches(method):
            if [touch.parts[0]] != given or len(touch.parts) < 2:
                continue
            is_shared = is_class or touch.parts[1] in shared or touch.parts[1] == "__class__"
            is_deep = len(touch.parts) > 2 and touch.parts[-1] not in READING
            if is_class and touch.how == "changed":
                return True
            if is_shared and is_deep and touch.how in ("changed", "called"):
                return True
    return False
