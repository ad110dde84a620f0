"""The shim: transforms of a runway project as ops, their files as they are, without runway_for_ml.

What `mlrecipe import runway --ops` writes calls `old_code` and `run`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from mlrecipe import events
from mlrecipe.code.catalog import PROJECT_PACKAGE
from mlrecipe.migration import stand_ins
from mlrecipe.migration.stand_ins import Config, attributes

_RUNWAY = "runway_for_ml"
_MODULES = (
    "", ".data_module", ".data_module.data_transforms", ".data_ops", ".data_ops.data_transforms",
    ".utils", ".utils.global_variables", ".utils.util",
)  # fmt: skip
_INSTALLED = ("site-packages", "dist-packages")


@contextmanager
def old_code(
    ops: str, old: str, *, folder: str = "", watched: tuple[str, ...] = ()
) -> Iterator[None]:
    """Let an old file be imported relative to the file of the ops, and what it imports by name.

    Packages above the old file count as empty: the `__init__.py` of runway's projects imports all
    that lies beside it. Modules of the project that were imported by their old names are forgotten
    at the end, so that the next one gets them fresh.

    Args:
        ops: `__file__` of the ops.
        old: path of the old file, relative to the folder of `ops`, which is the project.
        folder: one more folder of the project from which modules are imported, such as `src`.
        watched: names of modules in it whose code is part of the op's code digest.
    """
    root = Path(ops).resolve().parent
    install()
    _packages(root, Path(old).parts[:-1])
    paths, before = list(sys.path), set(sys.modules)
    sys.path += [str(root / folder), str(root)]
    try:
        yield
    finally:
        sys.path[:] = paths
        _forget(root, folder, watched, before)


def run(
    transform: Any,
    settings: Mapping[str, Any],
    data: Any = None,
    *,
    scratch: Path,
    config: Mapping[str, Any] | None = None,
    limit: int | None = None,
) -> Any:
    """Set a transform up, call it, and return what it gives as values that can be stored.

    Args:
        transform: the class.
        settings: arguments of its `setup`.
        data: what the node's inputs give: None, one value, or a list.
        scratch: empty folder, which the transform knows as `cache_dir`.
        config: what it knows as `global_config`.
        limit: the recipe's row limit; with one, `use_dummy_data` is true.
    """
    made = transform(
        use_dummy_data=limit is not None,
        global_config=Config(config or {}),
        transform_id=transform.__name__,
        transform_hash="",
        cache_dir=str(scratch),
    )
    made.setup(**{name: attributes(value) for name, value in settings.items()})
    return plain(made(attributes(data)))


def given(**settings: Any) -> dict[str, Any]:
    """The settings that a recipe has set: for the others the old code has its own defaults."""
    return {name: value for name, value in settings.items() if value is not None}


def plain(value: Any) -> Any:
    """The value with dicts for dicts with attributes, and a `DatasetDict` for a dict of data sets."""
    if isinstance(value, dict) and not type(value).__module__.startswith("datasets."):
        library = sys.modules.get("datasets")
        if library and value and all(isinstance(v, library.Dataset) for v in value.values()):
            return library.DatasetDict(value)
        return {key: plain(below) for key, below in value.items()}
    if type(value) in (list, tuple):
        return type(value)(plain(item) for item in value)
    return value


def install() -> None:
    """Make `runway_for_ml` importable where it is not installed."""
    if _RUNWAY in sys.modules or _is_installed():
        return
    for suffix in _MODULES:
        module = _StandIn(_RUNWAY + suffix)
        module.__path__ = []
        sys.modules[module.__name__] = module
        above, _, name = module.__name__.rpartition(".")
        if above:
            setattr(sys.modules[above], name, module)


class _StandIn(ModuleType):
    """A module of runway_for_ml, as far as old ops need it."""

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return stand_ins.star()
        return stand_ins.lookup(self.__name__, name)


def _is_installed() -> bool:
    """Whether it is installed, rather than a folder of the project, whose requirements nobody installed."""
    spec = PathFinder.find_spec(_RUNWAY, [p for p in sys.path if Path(p).name in _INSTALLED])
    return spec is not None


def _packages(root: Path, folders: tuple[str, ...]) -> None:
    name, path = PROJECT_PACKAGE, root
    for folder in folders:
        name, path = f"{name}.{folder}", path / folder
        if name not in sys.modules:
            module = ModuleType(name)
            module.__path__ = [str(path)]
            sys.modules[name] = module


def _forget(root: Path, folder: str, watched: tuple[str, ...], before: set[str]) -> None:
    """Drop the project's modules that were imported by their old names; say which are not watched."""
    unwatched: list[str] = []
    for name in sorted(set(sys.modules) - before):
        path = _place(sys.modules[name])
        if name.partition(".")[0] in (PROJECT_PACKAGE, _RUNWAY) or not path.is_relative_to(root):
            continue
        if set(path.parts) & set(_INSTALLED):
            continue
        del sys.modules[name]
        if folder and name not in watched and _lies_in(path, root / folder, name):
            unwatched.append(path.relative_to(root).as_posix())
    if unwatched:
        text = "the old ops import code whose changes will not be noticed: " + ", ".join(unwatched)
        events.emit(events.Note(f"{text}; run `mlrecipe import runway` again", "warning"))


def _place(module: ModuleType) -> Path:
    """The file of a module; of a package without `__init__.py` its folder."""
    known = vars(module)  # some modules make up attributes
    folders = [*(known.get("__path__") or ()), "/"]
    return Path(known.get("__file__") or folders[0])


def _lies_in(path: Path, folder: Path, name: str) -> bool:
    stem = folder.joinpath(*name.split("."))
    return path in (stem.with_suffix(".py"), stem / "__init__.py")
