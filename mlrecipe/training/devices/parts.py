"""Parts of Lightning's Trainer that a recipe describes by a table: strategy, plugins, profiler, accelerator."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning import accelerators, plugins, profilers, strategies
from pytorch_lightning.plugins import environments, io, precision

from mlrecipe.errors import DataError, did_you_mean

_HOMES: Mapping[str, tuple[ModuleType, ...]] = {
    "strategy": (strategies,),
    "plugins": (plugins, environments, io, precision),
    "profiler": (profilers,),
    "accelerator": (accelerators,),
}
"""Argument of the Trainer → where Lightning keeps its classes for it."""


def made(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The Trainer's arguments with every table `{ use = "DDPStrategy", … }` made the object that it names.

    Raises:
        DataError: Lightning has no such class, or it refuses its parameters.
    """
    return {name: _made(name, value) if name in _HOMES else value
            for name, value in arguments.items()}  # fmt: skip


def _made(name: str, value: Any) -> Any:
    if isinstance(value, list):
        return [_made(name, item) for item in value]
    if not isinstance(value, Mapping):
        return value
    key = f"train.trainer.{name}"
    params = {key: item for key, item in value.items() if key != "use"}
    kind = _find(name, value.get("use"), key=key)
    try:
        return kind(**params)
    except (TypeError, ValueError, MisconfigurationException, ImportError) as error:
        raise DataError(f"{value['use']} refuses its parameters: {error}", key=key) from error


def _find(name: str, use: object, *, key: str) -> Any:
    known = {
        found.__name__: found
        for home in _HOMES[name]
        for found in vars(home).values()
        if isinstance(found, type) and not found.__name__.startswith("_")
    }
    if not isinstance(use, str):
        hint = f"known: {', '.join(sorted(known))}"
        raise DataError("a table here names a class of Lightning by `use`", key=key, hint=hint)
    if use not in known:
        message = f"Lightning has no {use!r} here"
        raise DataError(message, key=f"{key}.use", hint=did_you_mean(use, known))
    return known[use]
