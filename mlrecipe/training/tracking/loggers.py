"""From the recipe's `[train.loggers.*]` to guarded loggers that know their run."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlrecipe.errors import DataError, MlrecipeError, TrainingError
from mlrecipe.recipe.schema import Component
from mlrecipe.registry import Kind
from mlrecipe.training.making import given, make
from mlrecipe.training.rules.loggers import advice
from mlrecipe.training.tracking.guarded import Guarded

Components = Callable[[Kind, Component], Any]


def make_logger(
    name: str, component: Component, components: Components, *, folder: Path
) -> Guarded:
    """A logger of the recipe for the run in `folder`.

    One with a static method `defaults(folder)` says itself what it takes from the run; any other is given the
    folder as its `save_dir`, if it has such a parameter.

    Raises:
        TrainingError: the logger's own package is not installed, or it cannot be made.
        DataError: it does not take its parameters.
    """
    key = f"train.loggers.{name}"
    try:
        kind = components("logger", component)
        params = {**_defaults(kind, folder), **given(component)}
        return Guarded(make(kind, component.use, params, key=key), name=name)
    except DataError as error:
        if error.key in (None, key):
            raise
        raise DataError(error.message, key=f"{key}.{error.key}", hint=error.hint) from error
    except MlrecipeError:
        raise
    except ImportError as error:
        first = str(error).partition("\n")[0]
        message = f"{component.use} needs a package that is not installed: {first}"
        raise TrainingError(message, key=key, hint=advice(component.use)) from error
    except Exception as error:  # of the logger's own library
        message = f"{component.use} cannot be made: {type(error).__name__}: {error}"
        raise TrainingError(message, key=key) from error


def _defaults(kind: Any, folder: Path) -> dict[str, Any]:
    if hasattr(kind, "defaults"):
        found: dict[str, Any] = kind.defaults(folder)
        return found
    return {"save_dir": folder} if "save_dir" in inspect.signature(kind).parameters else {}
