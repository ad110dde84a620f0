"""The catalog: every component a recipe may use, built in or from its plugins, known without importing any."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlrecipe.code import defaults, kinds, signatures
from mlrecipe.code.signatures import Signature
from mlrecipe.code.stamps import is_settled, stamp
from mlrecipe.errors import Problem
from mlrecipe.interfaces import Memo
from mlrecipe.registry import Kind, registries

PROJECT_PACKAGE = "mlrecipe_project"
"""Package under which a project's own files are imported."""

_TRAINER = "pytorch_lightning.trainer.trainer:Trainer"

_GIVEN: dict[str, tuple[str, ...]] = {"optimizer": ("params",)}
"""Parameters of other libraries' classes that mlrecipe passes itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """A Python file of the project that registers components."""

    name: str
    """As the recipe writes it."""

    path: Path
    """Absolute."""

    module: str
    """Name under which it is imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A component, where it is defined and what it accepts."""

    signature: Signature
    target: str
    """`module:attribute`."""

    plugin: str = ""
    """Name of the plugin that it comes from; empty for a built-in."""


class Catalog:
    """Looks components up by kind and name."""

    def __init__(self, plugins: Sequence[Plugin] = (), memo: Memo | None = None) -> None:
        self.plugins = tuple(plugins)
        self.problems: list[Problem] = []
        self._memo = memo
        self._found: dict[tuple[str, str], Found] = {}
        for plugin in plugins:
            self._add_plugin(plugin)

    def names(self, kind: Kind) -> list[str]:
        """All names of a kind, sorted."""
        own = {name for k, name in self._found if k == kind}
        builtin = {entry.name for entry in registries[kind] if not _is_project(entry.target)}
        return sorted(own | builtin)

    def find(self, kind: Kind, name: str) -> Found | None:
        """The component of that kind and name, or None."""
        if (kind, name) not in self._found:
            registry = registries[kind]
            if name not in registry or _is_project(registry.entry(name).target):
                return None
            self._found[kind, name] = self._read_builtin(kind, name, registry.entry(name).target)
        return self._found[kind, name]

    def trainer(self) -> Signature:
        """What Lightning's Trainer accepts; without parameters where Lightning is not installed."""
        path = source_file(_TRAINER)
        if path is None:
            return Signature(component="class", name="Trainer", qualname="Trainer", file="", line=0)
        return self._read_bare(path, "Trainer")

    def _add_plugin(self, plugin: Plugin) -> None:
        try:
            found = self._scan(plugin.path)
        except (SyntaxError, ValueError) as error:  # ValueError: not UTF-8, or null bytes
            self.problems.append(
                Problem(
                    file=plugin.name,
                    line=getattr(error, "lineno", None) or 0,
                    column=getattr(error, "offset", None) or 0,
                    message=f"not valid Python: {getattr(error, 'msg', None) or error}",
                )
            )
            return
        for signature in found:
            self._add(plugin, signature)

    def _add(self, plugin: Plugin, signature: Signature) -> None:
        kind, name = signature.component, signature.name
        place = f"{plugin.name}:{signature.line}"
        old = self._found.get((kind, name))
        registry = registries[kind]  # type: ignore[index]
        is_builtin = name in registry and not _is_project(registry.entry(name).target)
        if old is not None or is_builtin:
            other = old.plugin if old else "mlrecipe itself"
            message = f"{kind} {name!r} is registered twice: here and by {other}; rename one"
            self.problems.append(Problem(file=plugin.name, line=signature.line, message=message))
            return
        self.problems += [
            Problem(file=plugin.name, line=signature.line, message=f"{kind} {name!r}: {problem}")
            for problem in signature.problems
        ]
        target = f"{plugin.module}:{signature.qualname}"
        self._found[kind, name] = Found(signature=signature, target=target, plugin=place)

    def _read_builtin(self, kind: Kind, name: str, target: str) -> Found:
        _, _, qualname = target.partition(":")
        path = source_file(target)
        if path is None:  # its package is not installed: nothing can be said of its parameters
            unknown = Signature(
                component=kind, name=name, qualname=qualname, file="", line=0, open=True
            )
            return Found(signature=unknown, target=target)
        for signature in self._scan(path):
            if signature.component == kind and signature.name == name:
                return Found(signature=signature, target=target)
        bare = self._read_bare(path, qualname)
        given = {n: p for n, p in bare.params.items() if n not in _GIVEN.get(kind, ())}
        return Found(
            signature=replace(bare, component=kind, name=name, params=given), target=target
        )

    def _scan(self, path: Path) -> list[Signature]:
        found = self._remembered(path, "scan")
        if found is None:
            found = signatures.scan(path.read_text(encoding="utf-8"), str(path))
            self._remember(path, "scan", found)
        return found

    def _read_bare(self, path: Path, qualname: str) -> Signature:
        found = self._remembered(path, qualname)
        if found is None:
            read = signatures.of(path.read_text(encoding="utf-8"), str(path), qualname)
            found = [read or Signature(
                component="class", name=qualname, qualname=qualname, file=str(path), line=0, open=True
            )]  # fmt: skip
            self._remember(path, qualname, found)
        return found[0]

    def _remembered(self, path: Path, what: str) -> list[Signature] | None:
        text = self._memo.get(f"signature:{path}:{what}") if self._memo is not None else None
        if text is None:
            return None
        data: dict[str, Any] = json.loads(text)
        if data["stamp"] != stamp(path) or data.get("reader") != _reader():
            return None
        return [signatures.from_json(item) for item in data["found"]]

    def _remember(self, path: Path, what: str, found: list[Signature]) -> None:
        text = stamp(path)
        if self._memo is not None and text is not None and is_settled(text):
            found_json = [signatures.to_json(signature) for signature in found]
            data = {"stamp": text, "reader": _reader(), "found": found_json}
            self._memo.set(f"signature:{path}:{what}", json.dumps(data))


def source_file(target: str) -> Path | None:
    """The source file of `module:attribute`, found without importing; None when there is none.

    Only the top-level package is asked of the import system, which does not run it.
    """
    module = target.partition(":")[0]
    top, *rest = module.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    if not rest:
        return Path(spec.origin)
    stem = os.path.join(os.path.dirname(spec.origin), *rest)
    for path in (f"{stem}.py", os.path.join(stem, "__init__.py")):
        if os.path.isfile(path):
            return Path(path)
    return None


def _reader() -> list[str | None]:
    """Stamps of the code that reads signatures: what other code read is not to be relied on."""
    return [stamp(Path(str(module.__file__))) for module in (signatures, defaults, kinds)]


def _is_project(target: str) -> bool:
    return target.startswith(f"{PROJECT_PACKAGE}.")
