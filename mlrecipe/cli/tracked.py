"""What an evaluation came to, told to the trackers of the training."""

from __future__ import annotations

from mlrecipe.cli.live import live
from mlrecipe.cli.session import Settings
from mlrecipe.pipeline.request import Request
from mlrecipe.runs import run as running
from mlrecipe.runs.run import Run
from mlrecipe.training.tracking.syncing import TRACKERS


def tell(request: Request, test: Run, settings: Settings) -> None:
    """Add a test run's metrics to the trackers of its training; nothing heavy is imported where it has none."""
    parent = running.read(test.folder.with_name(str(test.facts.get("parent"))))
    if parent is None or not (parent.folder / TRACKERS).is_file():
        return
    with live(settings):
        from mlrecipe.training.tracking import adding

        adding.add(test, request.loaded.recipe.train.loggers, parent=parent)
