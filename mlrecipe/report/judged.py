"""What the predictions of a split come to: metrics with intervals, rates, slices, mistakes."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mlrecipe import significance
from mlrecipe.errors import MlrecipeError
from mlrecipe.recipe import splits
from mlrecipe.report import mistaken, sliced
from mlrecipe.report.source import Predicted, Source, numbers, read
from mlrecipe.reporting import tables
from mlrecipe.runs.results import recipe_of

_MORE = 4
"""Metrics that the recipe does not name and that are shown, those asked for most."""

_POINTS = 1500
"""Points of a cloud."""

_APART = 1e-3
"""How far a metric may lie from what the test measured, before it is told."""


def facts(told: Source, file: Predicted) -> dict[str, Any]:
    """Of one split of tested rows, or of rows that were validated on; `notes` say what is missing, and why."""
    found: dict[str, Any] = {
        "split": file.split, "is_validation": file.is_validation, "is_whole": file.is_whole,
        "rows": 0, "labelled": 0, "kind": "", "labels": [], "metrics": {}, "others": {},
        "account": {}, "slices": [], "mistakes": {}, "points": [], "notes": [],
    }  # fmt: skip
    said = measured(told, file)
    try:
        table = file.table()
        head = tables.head_of(table.schema)
    except MlrecipeError as error:
        found["others"] = said
        found["notes"].append(str(error))
        return found
    known = table.column("label").is_valid()
    found |= {
        "rows": len(table), "labelled": int(np.asarray(known).sum()), "kind": head.problem_type,
        "labels": list(head.labels),
    }  # fmt: skip
    if not file.is_whole:
        found["notes"].append(
            f"the test was stopped: what follows is of the {len(table):,} rows that it had done"
        )
    found["account"] = _attempt(lambda: _account(told, file, table), found["notes"], {})
    if not found["labelled"]:
        found["others"] = said
        found["notes"].append(
            "no row has a label: there is nothing to judge, only what was predicted"
        )
        return found
    _judge(found, told, table, said)
    return found


def metrics_of(told: Source) -> dict[str, float]:
    """The metrics of a run that kept no predictions, under their whole names."""
    return numbers(read(told.main, "metrics.json"))


def measured(told: Source, file: Predicted) -> dict[str, float]:
    """The metrics that the run itself measured on the split, without those of evaluation nodes."""
    nodes = {name.rpartition("/")[2] for name in read(told.main, "evaluation.json")}
    start = f"{file.place}/"
    found = {
        name.removeprefix(start): value
        for name, value in numbers(read(told.main, "metrics.json")).items()
        if name.startswith(start)
    }
    return {name: value for name, value in found.items() if name.partition("/")[0] not in nodes}


def _judge(found: dict[str, Any], told: Source, table: pa.Table, said: Mapping[str, float]) -> None:
    """Add what labelled rows come to."""
    notes: list[str] = found["notes"]
    known = _attempt(lambda: significance.names(table), notes, [])
    ours = [name for name in said if name in known]
    wanted = list(dict.fromkeys([*ours, *known[:_MORE]]))
    measures = _attempt(lambda: significance.intervals(table, wanted), notes, {})
    found["metrics"] = {name: asdict(interval) for name, interval in measures.items()}
    found["others"] = {name: value for name, value in said.items() if name not in measures}
    notes += [
        f"{name} is {measures[name].value:.4f} by these predictions, and the run says {said[name]:.4f}"
        for name in ours
        if name in measures and abs(measures[name].value - said[name]) > _APART
    ]
    metric = _main(told, known)
    found["main"] = metric
    if metric:
        found["slices"] = sliced.facts(table, metric, notes)
    found["mistakes"] = mistaken.facts(table, notes)
    if found["kind"] == tables.NUMBER:
        found["points"] = _points(table)


def _main(told: Source, known: Sequence[str]) -> str:
    """The metric that says most: the one that the training watched, else the first of the task's.

    What a training watched may be its loss, or a metric of an evaluation node.
    """
    recipe = recipe_of(told.first)
    train, named = recipe.get("train", {}), recipe.get("task", {}).get("metrics")
    watched = splits.watched(str(train.get("monitor", "")), train.get("valid_split"))
    own = [str(name) for name in named] if isinstance(named, list) else []
    wanted = [watched.partition("/")[2], *own]
    found = (name for want in wanted for name in known if name == want or name.endswith(f"/{want}"))
    return next(found, next(iter(known), ""))


def _account(told: Source, file: Predicted, table: pa.Table) -> dict[str, Any]:
    """The split's part of the report that the test wrote, else made of the predictions."""
    known = read(told.main, "report.json").get("splits", {}).get(file.split)
    if isinstance(known, dict) and not file.is_validation and file.is_whole:
        return known
    from mlrecipe.reporting.report import report

    if file.is_whole:
        return report(file.path)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file.path.name
        with pa.ipc.new_stream(str(path), table.schema) as stream:
            stream.write_table(table)
        return report(path)


def _points(table: pa.Table) -> list[tuple[float, float]]:
    """Label and prediction of rows, of many some at equal distances."""
    rows = tables.labelled(table)
    sides = (rows.column(name).to_numpy().astype(np.float64) for name in ("label", "prediction"))
    pairs = np.stack(list(sides), axis=1)
    kept = pairs[:: max(1, -(-len(pairs) // _POINTS))]
    return [(float(x), float(y)) for x, y in kept if np.isfinite(x) and np.isfinite(y)]


def _attempt(work: Any, notes: list[str], default: Any) -> Any:
    """What the work gives, or a note why there is nothing."""
    try:
        return work()
    except MlrecipeError as error:
        notes.append(str(error))
        return default
