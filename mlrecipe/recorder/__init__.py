"""The recorder: rows, statistics and images of an evaluation, in one value."""

from typing import TYPE_CHECKING, Any

from mlrecipe.recorder.metrics import metrics_of

if TYPE_CHECKING:
    from mlrecipe.recorder.recorder import Recorder as Recorder

__all__ = ["Recorder", "metrics_of"]


def __getattr__(name: str) -> Any:
    """`Recorder` is imported when it is asked for: it brings pyarrow along."""
    if name == "Recorder":
        from mlrecipe.recorder.recorder import Recorder

        return Recorder
    raise AttributeError(f"module 'mlrecipe.recorder' has no attribute {name!r}")
