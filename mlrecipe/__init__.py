"""One TOML file per machine-learning experiment: what a user's own plugin needs."""

from mlrecipe.errors import DataError
from mlrecipe.events import progress
from mlrecipe.interfaces import Column, DatasetSource, File, ModelSource, Split, TokenizerSource
from mlrecipe.registry import (
    callback,
    format,
    logger,
    metric,
    model,
    op,
    optimizer,
    scheduler,
    task,
)

__version__ = "0.1.0"

__all__ = [
    "Column",
    "DataError",
    "DatasetSource",
    "File",
    "ModelSource",
    "Split",
    "TokenizerSource",
    "callback",
    "format",
    "logger",
    "metric",
    "model",
    "op",
    "optimizer",
    "progress",
    "scheduler",
    "task",
]
