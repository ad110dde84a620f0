"""Metrics of the task that a test did not measure, and its report, computed from its predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mlrecipe.cli import closing, render
from mlrecipe.cli.session import Settings
from mlrecipe.errors import DataError
from mlrecipe.pipeline.evaluation import METRICS
from mlrecipe.pipeline.request import Request
from mlrecipe.runs import predictions
from mlrecipe.runs.run import Run
from mlrecipe.training.rules.tasks import metrics_of


def missing(request: Request, run: Run) -> dict[str, list[str]]:
    """Split → the metrics that the recipe's task has and the test of it has not measured."""
    known, wanted = closing.metrics(run), _wanted(request)
    found = {}
    for split in predictions.labelled(run):
        place = predictions.place(run, split)
        names = [name for name in wanted if f"{place}/{name}" not in known]
        if names:
            found[split] = names
    return found


def measure(request: Request, run: Run, settings: Settings) -> None:
    """Add the metrics that are missing to the run's own, as far as predictions tell them.

    The rest is told: only another test can measure it.
    """
    added: dict[str, float] = {}
    untold: list[str] = []
    for split, names in missing(request, run).items():
        found = _measured(run, split, names)
        place = predictions.place(run, split)
        added |= {f"{place}/{name}": value for name, value in found.items()}
        untold += [name for name in names if name not in found and name not in untold]
    if added:
        run.write(METRICS, {**closing.metrics(run), **added})
    if added and not settings.is_quiet:
        render.say(f"evaluate: measured from the predictions: {', '.join(added)}")
    if untold:
        render.warn(
            f"{', '.join(untold)}: not known of run {run.id}, and not computed from predictions; test again"
        )


def report(run: Run) -> None:
    """Make the report of a test anew."""
    from mlrecipe.recorder import Recorder
    from mlrecipe.reporting import report as reporting
    from mlrecipe.reporting.texts import words_of

    files = predictions.files(run)
    words = {split: words_of(Recorder.read(path).table) for split, path in files.items()}
    reporting.write(run.folder, files, words=words)


def _wanted(request: Request) -> list[str]:
    """The names under which the task of today reports its metrics; none where they are not known."""
    task = request.loaded.recipe.task
    found = request.catalog.find("task", task.use) if task is not None else None
    if task is None or found is None:
        return []
    default = found.signature.params.get("metrics")
    metrics: Any = task.params.get("metrics", default.default if default else None)
    if not isinstance(metrics, list) or not all(isinstance(name, str) for name in metrics):
        return []
    table: Mapping[str, Any] = {"use": task.use, **task.params}
    return list(metrics_of(table, metrics))


def _measured(run: Run, split: str, names: list[str]) -> dict[str, float]:
    """Those of the metrics that are finite and can be computed."""
    from mlrecipe import significance
    from mlrecipe.significance import tested

    table = tested.load(predictions.files(run)[split])
    found = {}
    for name in names:
        try:
            value = significance.measure(table, name)
        except DataError:
            continue
        if math.isfinite(value):
            found[name] = value
    return found
