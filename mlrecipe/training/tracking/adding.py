"""What later stages add to the trackers of a training: the metrics of its tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mlrecipe.recipe.deferred import reveal
from mlrecipe.recipe.schema import Component
from mlrecipe.registry import registries
from mlrecipe.runs.results import CHECKPOINT
from mlrecipe.runs.run import Run
from mlrecipe.training.tracking.guarded import tell_of
from mlrecipe.training.tracking.loggers import make_logger
from mlrecipe.training.tracking.syncing import TRACKERS
from mlrecipe.training.tracking.tracking import finite

_GO_ON = ("TensorBoardLogger", "WandbLogger", "MLFlowLogger")
"""Those that add to what they have; what others would do when they are made again is not known."""


def add(test: Run, wanted: Mapping[str, Component], *, parent: Run) -> None:
    """Add the metrics of a finished test to the trackers of the training; what fails is warned of.

    Args:
        test: the run that has the metrics.
        wanted: the loggers of its recipe, by name.
        parent: the train run.
    """
    folder = parent.folder
    known = _read(folder / TRACKERS)
    metrics = _read(test.folder / "metrics.json")
    final = finite({name: v for name, v in metrics.items() if isinstance(v, int | float)})
    for name, component in wanted.items() if final else ():
        ids = dict(known.get(name, {}))
        if ids.pop("use", None) == component.use and component.use in _GO_ON:
            more = replace(component, params={**component.params, **ids})
            _tell(name, more, final, folder=folder, step=_step(test, parent))


def _tell(
    name: str, component: Component, metrics: Mapping[str, float], *, folder: Path, step: int
) -> None:
    try:
        revealed = replace(component, params=reveal(component.params, run_dir=str(folder)))
        tracker = make_logger(name, revealed, _registered, folder=folder)
        _ = tracker.experiment
        tracker.log_final(metrics, step)
        tracker.finalize("success")
    except Exception as error:  # noqa: BLE001  # whatever it is, the stage itself is done
        tell_of(error, table=name, use=component.use)


def _step(test: Run, parent: Run) -> int:
    """Optimizer steps that the checkpoint had which was tested."""
    checkpoint = parent.folder / "checkpoints" / str(test.facts.get("checkpoint", "best"))
    step = _read(checkpoint / CHECKPOINT).get("step")
    return step if isinstance(step, int) else 0


def _read(path: Path) -> dict[str, Any]:
    """A JSON file of a run; empty where it cannot be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _registered(kind: Any, component: Component) -> Any:
    return registries[kind].get(component.use)
