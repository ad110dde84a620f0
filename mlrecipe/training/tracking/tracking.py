"""What trackers are told beside the metrics of each step: what a run is made of, and what it came to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from mlrecipe.runs.run import write_json
from mlrecipe.training.tracking.continuing import ids_of
from mlrecipe.training.tracking.guarded import Guarded
from mlrecipe.training.tracking.parameters import parameters
from mlrecipe.training.tracking.syncing import TRACKERS

Best = Callable[[], tuple[Mapping[str, float], int]]
"""Gives the metrics at the best checkpoint and its step."""


class Tracking(pl.Callback):
    """Tells trackers the resolved recipe before the first step and the best metrics after the last.

    Comes before callbacks that may raise, so that trackers come to their end whatever happens.
    """

    def __init__(self, trackers: Mapping[str, Guarded], *, folder: Path, best: Best) -> None:
        """Tell the trackers of a run.

        Args:
            trackers: by their names in the recipe.
            folder: of the run.
            best: gives the final metrics.
        """
        self._trackers = trackers
        self._folder = folder
        self._best = best

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell them the recipe, and keep how they can be found again."""
        if not trainer.is_global_zero:
            return
        params = parameters(self._folder)
        for tracker in self._trackers.values() if params else ():
            tracker.log_hyperparams(params)
        self._remember()

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Tell them the metrics at the best checkpoint, as `best/valid/accuracy`."""
        metrics, step = self._best()
        final = finite({f"best/{name}": value for name, value in shown(metrics).items()})
        for tracker in self._trackers.values() if final else ():
            tracker.log_final(final, step)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Have them come to their end, on errors and Ctrl-C too."""
        for tracker in self._trackers.values():
            tracker.finalize("failed")

    def _remember(self) -> None:
        ids = ids_of(self._trackers)
        uses = {name: tracker.use for name, tracker in self._trackers.items()}
        known: dict[str, Any] = {
            name: {"use": uses[name], **ids[name]} for name in ids if ids[name]
        }
        if known:
            write_json(self._folder / TRACKERS, known)


def shown(metrics: Mapping[str, float]) -> dict[str, float]:
    """Those of validation; all of them where nothing was validated."""
    found = {name: value for name, value in metrics.items() if not name.startswith("train/")}
    return found or dict(metrics)


def finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """Those that are numbers: some trackers take no other."""
    return {name: value for name, value in metrics.items() if math.isfinite(value)}
