"""Loggers that go on where they were: after a stop, and when a test has something to add."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pytorch_lightning import loggers
from pytorch_lightning.loggers.logger import Logger

from mlrecipe.recipe.schema import Component


def ids_of(made: Mapping[str, Logger]) -> dict[str, dict[str, Any]]:
    """What each of the recipe's loggers, by its name there, must be made with to go on."""
    return {name: _id_of(logger) for name, logger in made.items()}


def continued(
    wanted: Mapping[str, Component], ids: Mapping[str, Mapping[str, Any]], *, step: int
) -> dict[str, Component]:
    """The recipe's loggers such that they go on where they were after so many steps."""
    found = {}
    for name, component in wanted.items():
        more = dict(ids.get(name, {}))
        if more and component.use == "TensorBoardLogger":
            more["purge_step"] = step  # what was written later is hidden: it comes again
        if component.use == "CSVLogger":
            more["version"] = None  # the next free one: a folder that it is given again it empties
        found[name] = replace(component, params={**component.params, **more})
    return found


def _id_of(logger: Logger) -> dict[str, Any]:
    version = logger.version
    if version is None:
        return {}
    if isinstance(logger, loggers.MLFlowLogger):
        return {"run_id": version}
    if isinstance(logger, loggers.WandbLogger):
        return {"id": version, "project": logger.name}
    if isinstance(logger, loggers.CometLogger):
        return {"experiment_key": version}
    # `logger.__class__`: of a guarded logger that is the logger's own.
    takes = inspect.signature(logger.__class__).parameters
    return {"version": version} if "version" in takes else {}
