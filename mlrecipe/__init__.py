"""One TOML file per machine-learning experiment: what a user's own plugin needs."""

from typing import TYPE_CHECKING, Any

from mlrecipe.errors import DataError
from mlrecipe.interfaces import Column, DatasetSource, File, ModelSource, Split, TokenizerSource
from mlrecipe.registry import (
    callback,
    datamodule,
    format,
    logger,
    metric,
    model,
    module,
    op,
    optimizer,
    scheduler,
    task,
)

if TYPE_CHECKING:
    from mlrecipe.events import progress as progress
    from mlrecipe.inference.loading import load as load
    from mlrecipe.pipeline.notebook import output as output
    from mlrecipe.recorder.image_paths import image_paths as image_paths
    from mlrecipe.recorder.recorder import Recorder as Recorder

__version__ = "0.1.0"

__all__ = [
    "Column",
    "DataError",
    "DatasetSource",
    "File",
    "ModelSource",
    "Recorder",
    "Split",
    "TokenizerSource",
    "callback",
    "datamodule",
    "format",
    "image_paths",
    "load",
    "logger",
    "metric",
    "model",
    "module",
    "op",
    "optimizer",
    "output",
    "progress",
    "scheduler",
    "task",
]


def __getattr__(name: str) -> Any:
    """What brings much along is imported when it is asked for: few need it."""
    if name == "load":
        from importlib import import_module  # by name: what it needs imports this module

        return import_module("mlrecipe.inference.loading").load
    if name == "output":
        from mlrecipe.pipeline.notebook import output

        return output
    if name == "progress":
        from mlrecipe.events import progress

        return progress
    if name == "Recorder":
        from mlrecipe.recorder.recorder import Recorder

        return Recorder
    if name == "image_paths":
        from mlrecipe.recorder.image_paths import image_paths

        return image_paths
    raise AttributeError(f"module 'mlrecipe' has no attribute {name!r}")
