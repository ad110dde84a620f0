"""Plugins: importing a project's own files, so that what they register can be used."""

from __future__ import annotations

import importlib
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from mlrecipe.code.catalog import PROJECT_PACKAGE, Plugin
from mlrecipe.errors import MlrecipeError, PluginError
from mlrecipe.registry import registries

_lock = threading.RLock()


def load(plugins: Sequence[Plugin], *, project: Path) -> None:
    """Import the plugins of a project anew, as modules of one package whose root is the project.

    Inside it `from .helpers import clean` works; `sys.path` is left alone.

    Raises:
        PluginError: a plugin failed while it was imported; the message has file, line and traceback.
    """
    with _lock:
        _forget()
        if not plugins:
            return
        _package(PROJECT_PACKAGE, project)
        for plugin in plugins:
            _packages_above(plugin, project)
            try:
                importlib.import_module(plugin.module)
            except MlrecipeError:
                raise
            except (
                Exception,
                SystemExit,
            ) as error:  # a plugin does not decide how the command ends
                raise PluginError(
                    _explain(plugin, error, project), hint=_hint(plugin, error)
                ) from error


def loaded() -> dict[str, ModuleType]:
    """The modules of the project whose plugins are loaded, by their names."""
    return {
        n: module for n, module in sys.modules.items() if n.partition(".")[0] == PROJECT_PACKAGE
    }


def are_own(*objects: object) -> bool:
    """Whether one of the objects is of a class of the project's own."""
    modules = (type(each).__module__.partition(".")[0] for each in objects)
    return PROJECT_PACKAGE in modules


@contextmanager
def restored(modules: dict[str, ModuleType]) -> Iterator[None]:
    """Within the block these are the project's modules, for imports as late as a call of a plugin's function.

    Those that are added there are added to `modules` too. Blocks of several threads come one after the other.
    """
    if not modules:
        yield
        return
    with _lock:
        others = loaded()
        _replace(modules)
        try:
            yield
        finally:
            modules.update(loaded())
            _replace(others)


def _replace(modules: Mapping[str, ModuleType]) -> None:
    for name in loaded():
        del sys.modules[name]
    sys.modules.update(modules)


def _forget() -> None:
    _replace({})
    for registry in registries.values():
        registry.forget(f"{PROJECT_PACKAGE}.")
    importlib.invalidate_caches()


def _package(name: str, folder: Path) -> None:
    if name not in sys.modules:
        module = ModuleType(name)
        module.__path__ = [str(folder)]
        sys.modules[name] = module


def _packages_above(plugin: Plugin, project: Path) -> None:
    """Folders between the project and the plugin count as packages, with or without `__init__.py`."""
    name, folder = PROJECT_PACKAGE, project
    for part in plugin.module.split(".")[1:-1]:
        name, folder = f"{name}.{part}", folder / part
        if not (folder / "__init__.py").is_file():
            _package(name, folder)


def _explain(plugin: Plugin, error: BaseException, project: Path) -> str:
    """The error with the frames that are the project's own."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(project)
    ]
    own = [frame.lineno for frame in frames if Path(frame.filename).resolve() == plugin.path]
    if isinstance(error, SyntaxError) and Path(error.filename or "").resolve() == plugin.path:
        own.append(error.lineno)
    place = f"{plugin.name}:{own[-1]}" if own else plugin.name
    lines = [f"plugin {plugin.name!r} failed while it was imported, at {place}"]
    lines += ["  " + line for line in "".join(traceback.format_list(frames)).splitlines()]
    lines.append(f"  {type(error).__name__}: {error}")
    return "\n".join(lines)


def _hint(plugin: Plugin, error: BaseException) -> str | None:
    """What to write when an absolute import names a file of the project."""
    missing = error.name if isinstance(error, ModuleNotFoundError) else None
    if missing and plugin.path.with_name(f"{missing.partition('.')[0]}.py").is_file():
        return f"it lies beside the plugin: write `from .{missing} import …`"
    return None
