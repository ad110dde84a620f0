"""Registrations: what runs on import and changes something that an op reaches.

A decorator, a call or a class statement at module level counts, with what it uses, when it or a function that
it calls may change a name that the op reaches. Looked through are the modules reached and all that they import.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mlrecipe.code import bindings, touches
from mlrecipe.code.bindings import find
from mlrecipe.code.source import Module, bound_names
from mlrecipe.code.touches import Effect, Touch
from mlrecipe.code.walk import WHOLE, Symbol, Walk, find_module, reach, uses

_UNDECIDED = ("exec(", "eval(", "globals(", "what an import by")


@dataclass(slots=True)
class _Step:
    """What one symbol, or the head of one statement, uses and may change when it runs."""

    uses: list[Symbol] = field(default_factory=list)
    changes: set[Symbol] = field(default_factory=set)
    is_undecided: bool = False


@dataclass(slots=True, eq=False)
class _Found:
    """An effect, and all that it may change."""

    module: Module
    effect: Effect
    changes: set[Symbol]
    derives: set[Symbol]
    """Classes that it derives one from."""

    runs: set[Path]
    """Modules that it imports."""

    is_undecided: bool


_KEPT: dict[tuple[Path, ...], Looking] = {}
"""By roots, the last modules looked through: many ops of a plan lie in the same ones."""


def looking(roots: tuple[Path, ...]) -> Looking:
    """The project's modules as they are now, read anew only where one has changed since."""
    kept = _KEPT.get(roots)
    if kept is None or not kept.is_current():
        _KEPT.clear()
        kept = _KEPT[roots] = Looking(roots)
    return kept


class Looking:
    """The modules of a project, and what their statements change on import; op after op looks at them."""

    def __init__(self, roots: tuple[Path, ...]) -> None:
        self.walk = Walk(roots=roots)
        self.steps: dict[Symbol, _Step] = {}
        self.found: dict[Path, list[_Found]] = {}
        self.imported: dict[Path, set[Path]] = {}

    def is_current(self) -> bool:
        """Whether every file is as it was; unknown where all modules of a folder count."""
        walk = self.walk
        is_same = all(module.is_current() for module in walk.modules.values())
        return is_same and not walk.folders and not any(path.is_file() for path in walk.missing)

    def add_registrations(self, walk: Walk) -> None:
        """Reach what registers itself with anything reached, until there is no more."""
        counted: set[_Found] = set()
        while pending := list(self._fresh(walk, counted)):
            reach(walk, pending)
        self.walk.folders |= walk.folders
        walk.folders |= self.walk.folders

    def _fresh(self, walk: Walk, counted: set[_Found]) -> Iterator[Symbol]:
        """Symbols of statements that count by what has been reached now."""
        reached = set(walk.done)
        wholes = {path for path, name in reached if name == WHOLE}
        asks = any(self._asks_for_subclasses(symbol) for symbol in reached)
        items = [item for path in self._executed(walk) for item in self.found[path]]
        for item in items:
            if item in counted or item.module.path in wholes:
                continue
            changes = item.changes | item.derives if asks else item.changes
            if item.is_undecided:
                counted.add(item)
                line = item.effect.statement.lineno
                why = f"line {line}: what it changes on import, within this module or beyond,"
                walk.whole.setdefault(item.module.path, why)
                yield item.module.path, WHOLE
            elif any(symbol in reached or symbol[0] in wholes for symbol in changes):
                counted.add(item)
                yield from _symbols(item)

    def _executed(self, walk: Walk) -> set[Path]:
        """The modules reached and all that they import."""
        pending, done = {path for path, _ in walk.done}, set[Path]()
        while pending:
            path = pending.pop()
            done.add(path)
            if path not in self.found:
                module = self.walk.module(path)
                self.found[path] = [self._found(module, e) for e in touches.effects(module)]
                self.imported[path] = set(_imports(self.walk, module))
                self.imported[path].update(*(item.runs for item in self.found[path]))
            pending |= self.imported[path] - done
        return done

    def _asks_for_subclasses(self, symbol: Symbol) -> bool:
        module = self.walk.module(symbol[0])
        return any(
            isinstance(node, ast.Attribute) and node.attr == "__subclasses__"
            for statement in bindings.statements(module, symbol[1])
            for node in ast.walk(statement)
        )

    def _found(self, module: Module, effect: Effect) -> _Found:
        first = self._head(module, effect)
        pending, done = list(first.uses), set[Symbol]()
        changes, is_undecided = set(first.changes), first.is_undecided
        derives, is_told = set[Symbol](), False
        if isinstance(effect.statement, ast.ClassDef):
            derives, is_told = bindings.bases(self.walk, module, effect.statement)
        if is_told:
            pending += [*derives, *first.uses]
            changes |= derives
        while pending:
            symbol = pending.pop()
            if symbol not in done:
                done.add(symbol)
                step = self._step(symbol)
                changes |= step.changes
                is_undecided = is_undecided or step.is_undecided
                pending += step.uses
        return _Found(
            module=module, effect=effect, changes=changes, derives=derives,
            runs={path for path, name in done if name == WHOLE}, is_undecided=is_undecided,
        )  # fmt: skip

    def _head(self, module: Module, effect: Effect) -> _Step:
        """What runs of the statement itself."""
        head, statement = touches.head(effect, module), effect.statement
        step = _Step()
        for touch in self._direct(module, statement, head):
            step.changes.update(bindings.changed(self.walk, module, touch, is_direct=True))
        if any(isinstance(node, ast.Call) for node in ast.walk(head)):
            self._add_uses(step, module, head)
            for decorator in touches.applied(effect, module):
                self._add_decorator(step, module, decorator, statement)
        return step

    def _direct(self, module: Module, statement: ast.stmt, head: ast.stmt) -> Iterator[Touch]:
        is_value = isinstance(statement, (ast.Assign, ast.AnnAssign))
        has_changer = is_value and any(
            touches.changes_what_it_is_given(function)
            for node in ast.walk(head)
            if isinstance(node, ast.Call)
            for function in self._called(module, node)
        )
        for touch in touches.touches(head):
            if touch.how != "handed" or not is_value or has_changer:
                yield touch
        if is_value and isinstance(statement.value, ast.Name):  # type: ignore[attr-defined]
            yield Touch((statement.value.id,), "handed")  # type: ignore[attr-defined]
        if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
            yield Touch((statement.target.id,), "changed")
        if isinstance(statement, (ast.For, ast.AsyncFor)) and (
            parts := touches.chain(statement.iter)
        ):
            yield Touch(parts, "items")

    def _called(self, module: Module, call: ast.Call) -> Iterator[ast.FunctionDef]:
        for where, name, rest in find(self.walk, module, touches.chain(call.func)):
            for statement in bindings.statements(where, name) if not rest else ():
                if isinstance(statement, ast.FunctionDef):
                    yield statement

    def _add_uses(self, step: _Step, module: Module, statement: ast.stmt) -> None:
        scratch = self.walk.beside()
        step.uses += uses(scratch, module, statement)
        self.walk.folders |= scratch.folders
        reasons = scratch.whole.values()
        step.is_undecided |= any(text in why for why in reasons for text in _UNDECIDED)

    def _add_decorator(
        self, step: _Step, module: Module, decorator: ast.expr, statement: ast.stmt
    ) -> None:
        """Of a function that decorates, only what runs then: what it returns does not."""
        depth = 1
        while isinstance(decorator, ast.Call):
            depth, decorator = depth + 1, decorator.func
        for where, name, rest in find(self.walk, module, touches.chain(decorator)):
            made = bindings.statements(where, name)
            if touches.calls_what_it_is_given(made) and not rest:
                step.uses += uses(self.walk.beside(), module, statement)
                step.changes |= self._changes(module, statement, "")
            if not rest and len(made) == 1 and isinstance(made[0], ast.FunctionDef):
                step.uses[:] = [s for s in step.uses if s != (where.path, name)]
                run = touches.without_results(made[0], depth)
                self._add_uses(step, where, run)
                step.changes |= self._changes(where, run, name)

    def _step(self, symbol: Symbol) -> _Step:
        if symbol not in self.steps:
            module = self.walk.module(symbol[0])
            step = self.steps[symbol] = _Step()
            for statement in bindings.statements(module, symbol[1]):
                if not isinstance(statement, ast.Expr):
                    self._add_uses(step, module, statement)
                    step.changes |= self._changes(module, statement, symbol[1])
        return self.steps[symbol]

    def _changes(self, module: Module, statement: ast.stmt, name: str) -> set[Symbol]:
        """What the functions below a statement may change."""
        found: set[Symbol] = set()
        for function in touches.functions(statement):
            for touch in touches.touches(function):
                found.update(bindings.changed(self.walk, module, touch, is_direct=False))
        if isinstance(statement, ast.ClassDef) and bindings.changes_itself(statement):
            found.add((module.path, name))
        return found


def _symbols(item: _Found) -> list[Symbol]:
    """The symbols whose digests have the statement in them."""
    module, statement = item.module, item.effect.statement
    names = bound_names(statement) & module.bindings.keys()
    names = {n for n in names if any(s is item.effect.outer for s in module.bindings[n])}
    if not names:
        name = ast.unparse(statement).partition("\n")[0][:40]
        bound = module.bindings.setdefault(name, [])  # no identifier: nothing else looks it up
        if not any(statement is item.effect.outer for statement in bound):
            bound.append(item.effect.outer)
        names = {name}
    return [(module.path, name) for name in sorted(names)]


def _imports(walk: Walk, module: Module) -> Iterator[Path]:
    """Modules of the project that are imported when this one is."""
    for statement in bindings.imports(module.tree.body):
        for alias in statement.names:
            names = [alias.name]
            level = 0
            if isinstance(statement, ast.ImportFrom):
                base, level = statement.module or "", statement.level
                names = [base, f"{base}.{alias.name}".lstrip(".")]
            for path in (find_module(walk, module.path, name, level) for name in names):
                if path is not None:
                    yield path
                    yield from _packages(walk, path)


def _packages(walk: Walk, path: Path) -> Iterator[Path]:
    """The `__init__` files that run before a module."""
    for folder in path.parents:
        if folder in walk.roots or not any(folder.is_relative_to(root) for root in walk.roots):
            return
        if (folder / "__init__.py").is_file():
            yield folder / "__init__.py"
