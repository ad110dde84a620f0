"""Runs of GLUE: which task and which of its sets a run measured or predicted, told by its own recipe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mlrecipe import glue
from mlrecipe.reporting.glue import METRICS
from mlrecipe.runs.results import recipe_of, results, splits_of
from mlrecipe.runs.run import Run

OP = "load-glue"
Kind = Literal["validation", "test"]

ROWS: Mapping[str, Mapping[str, int]] = {
    task + split.removeprefix("test"): {
        kind: rows[split.replace("test", kind)]
        for kind in ("validation", "test")
        if split.replace("test", kind) in rows
    }
    for task, rows in glue.ROWS.items()
    for split in rows
    if split.startswith("test")
}
"""Rows of each task's sets to measure on as GLUE gives them; MNLI has two of each kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a run measured on one of GLUE's sets."""

    task: str
    metrics: Mapping[str, float]
    """Those that GLUE judges the task by."""

    rows: int | None
    """Rows measured on; None: the run does not say."""

    is_whole: bool
    """Whether the run measured on all of the set, as far as it says."""

    model: str
    """What the model was made from."""

    run: Run


def task_of(run: Run) -> str | None:
    """The task of GLUE that a run's rows are of; None where it is of none, or of several."""
    recipe = recipe_of(run)
    name = recipe.get("train", {}).get("data")
    if run.facts.get("stage") == "test":
        name = recipe.get("test", {}).get("data") or name
    nodes = recipe.get("nodes", {})
    tasks = {str(nodes[n].get("task")) for n in _above(nodes, name) if nodes[n].get("use") == OP}
    return tasks.pop() if len(tasks) == 1 else None


def sets_of(run: Run, kind: Kind) -> dict[str, str]:
    """Of the sets of one kind that a run worked on: the name that GLUE's score has for them → the split."""
    task = task_of(run)
    found = {}
    for split in splits_of(run) if task is not None else ():
        name, _, part = split.partition("_")
        if name == kind and (part in ("matched", "mismatched") if task == "mnli" else not part):
            found[f"{task}_{part}" if part else str(task)] = split
    return found


def measured(runs: Iterable[Run], kind: Kind) -> dict[str, Measured]:
    """Of each task's set what the first run that measured on it says, in the order of GLUE's tasks.

    Give the newest runs first.
    """
    found: dict[str, Measured] = {}
    for run in runs:
        if run.status != "finished" or run.facts.get("stage") not in ("train", "test"):
            continue
        for task, split in sets_of(run, kind).items():
            result = {result.split: result for result in results(run)}.get(split)
            if result is None or task in found:
                continue
            values = {
                name: v for name, v in result.metrics.items() if name in METRICS.get(task, ())
            }
            if values:
                found[task] = _measured(run, task, values, rows=result.rows, kind=kind)
    return {task: found[task] for task in METRICS if task in found}


def predictions_of(run: Run, split: str) -> Path:
    """Where a test run has its predictions of a split: a file of its own where there were several."""
    own = run.folder / f"predictions-{split}.arrow"
    is_alone = len(splits_of(run)) == 1 and not own.is_file()
    return run.folder / "predictions.arrow" if is_alone else own


def _measured(
    run: Run, task: str, metrics: Mapping[str, float], *, rows: int | None, kind: Kind
) -> Measured:
    recipe = recipe_of(run)
    official = ROWS[task].get(kind)
    is_whole = rows == official if rows is not None else recipe.get("limit") is None
    model = recipe.get("model", {})
    source = model.get("checkpoint") or model.get("config") or model.get("use", "")
    return Measured(
        task=task, metrics=metrics, rows=rows, is_whole=is_whole, run=run,
        model=str(source).rstrip("/").rpartition("/")[2],
    )  # fmt: skip


def _above(nodes: Mapping[str, Any], name: object) -> set[str]:
    """A node and all that it is made from."""
    found: set[str] = set()
    waiting = [str(name).partition(".")[0]]
    while waiting:
        node = waiting.pop()
        if node in nodes and node not in found:
            found.add(node)
            inputs = nodes[node].get("inputs", [])
            names = [inputs] if isinstance(inputs, str) else inputs
            waiting += [str(each).partition(".")[0] for each in names]
    return found
