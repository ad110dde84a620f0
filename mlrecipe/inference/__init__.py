"""Inference: what a trained model says of new rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlrecipe.inference.files import Predicted as Predicted
    from mlrecipe.inference.files import predict_file as predict_file
    from mlrecipe.inference.loading import load as load
    from mlrecipe.inference.predictor import Predictor as Predictor
    from mlrecipe.inference.tables import TablePredictor as TablePredictor

_PLACES = {
    "Predicted": "files", "predict_file": "files", "load": "loading", "Predictor": "predictor",
    "TablePredictor": "tables",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """The public names are imported when they are asked for: they bring torch along."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
