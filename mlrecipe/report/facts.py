"""All facts of a report, as JSON values: what its page is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mlrecipe.report import about, comparing, data, judged, learning, nodes, origin
from mlrecipe.report.source import Source
from mlrecipe.store.store import Store

Tell = Callable[[str], None]
"""Hears what is done now."""


def of_one(told: Source, store: Store | None, *, tell: Tell = lambda text: None) -> dict[str, Any]:
    """The facts of a training and its test."""
    tell("reading the runs")
    found: dict[str, Any] = {
        "about": about.facts(told),
        "training": learning.facts(told.training) if told.training else None,
        "data": data.facts(told, store),
        "splits": [],
    }
    for file in told.predictions():
        tell(f"judging the predictions of {file.split}")
        found["splits"].append(judged.facts(told, file))
    if not found["splits"]:
        found["measured"] = judged.metrics_of(told)
    tell("reading the evaluation")
    found["nodes"] = nodes.facts(told, store)
    found["origin"] = origin.facts(told)
    return found


def of_several(
    each: Sequence[Source], store: Store | None, *, tell: Tell = lambda text: None
) -> dict[str, Any]:
    """The facts of several, and what they come to side by side."""
    runs = [about.facts(told) for told in each]
    trainings = [learning.facts(told.training) if told.training else None for told in each]
    return {"runs": runs, "trainings": trainings, **comparing.facts(each, tell=tell)}
