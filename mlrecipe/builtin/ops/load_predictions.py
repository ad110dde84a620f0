"""The op `load-predictions`: the predictions of a test run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlrecipe
from mlrecipe.interfaces import File

if TYPE_CHECKING:
    from mlrecipe.recorder import Recorder


@mlrecipe.op("load-predictions")
def load_predictions(*, path: File) -> Recorder:
    """Load the predictions that a test wrote.

    Their columns are `row`, `label`, `prediction` and `probabilities`, then those of the tested rows that
    were kept beside them.

    Args:
        path: a file `predictions.arrow` in a test run's folder.
    """
    from mlrecipe.recorder.recorder import Recorder

    return Recorder.read(path)
