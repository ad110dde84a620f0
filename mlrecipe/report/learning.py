"""How a training went: curves from its log, and what it came to."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from typing import Any

from mlrecipe.pages.charts import thinned
from mlrecipe.runs.run import Run

LOG = "logs/metrics.csv"
_OUTCOME = (
    "steps", "epochs", "best_step", "stopped", "seconds", "examples_per_second", "batch_fill",
    "precision",
)  # fmt: skip

Curves = dict[str, list[tuple[float, float]]]


def facts(training: Run) -> dict[str, Any]:
    """What is known of a training: how far it went, and each number of its log over the steps.

    Of long curves the least and the greatest of each piece are kept.
    """
    outcome = {name: training.facts[name] for name in _OUTCOME if name in training.facts}
    return {**outcome, "curves": {name: thinned(c) for name, c in curves(training).items()}}


def curves(training: Run) -> Curves:
    """Name → (step, number) in the order of the steps; none where there is no log.

    A training that was resumed logs some steps twice: the last counts.
    """
    found: dict[str, dict[float, float]] = {}
    try:
        with (training.folder / LOG).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                _add(found, row)
    except (OSError, csv.Error, UnicodeDecodeError):
        return {}
    return {name: sorted(points.items()) for name, points in found.items()}


def groups(found: Mapping[str, Any]) -> dict[str, list[str]]:
    """The curves that belong into one chart, by its title: losses, rates, and each metric with its splits."""
    charts: dict[str, list[str]] = {}
    for name in found:
        _, _, last = name.rpartition("/")
        if name == "learning_rate" or name.startswith("lr-"):
            charts.setdefault("learning rate", []).append(name)
        else:
            charts.setdefault(last, []).append(name)
    order = {"loss": 0, "learning rate": 2}
    return dict(sorted(charts.items(), key=lambda item: order.get(item[0], 1)))


def _add(found: dict[str, dict[float, float]], row: Mapping[str | None, Any]) -> None:
    step = _number(row.get("step"))
    if step is None:
        return
    for name, cell in row.items():
        value = None if name in (None, "", "step", "epoch") else _number(cell)
        if value is not None:
            found.setdefault(str(name), {})[step] = value


def _number(cell: object) -> float | None:
    try:
        value = float(str(cell))
    except ValueError:
        return None
    return value if math.isfinite(value) else None
