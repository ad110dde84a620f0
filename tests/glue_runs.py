"""Runs of GLUE as they lie on disk, without the hours that they would take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomli_w

from mlrecipe.runs import run as running
from mlrecipe.runs.manifest import RECIPE
from mlrecipe.runs.run import Run


def recipe(
    task: str, *, tested: str = "", valid: object = "validation", **more: Any
) -> dict[str, Any]:
    """A resolved recipe that trains on one task and, where that is given, tests on another."""
    nodes = {
        "rows": {"use": "load-glue", "task": task, "path": "glue"},
        "tokens": {"use": "tokenize", "inputs": ["rows"]},
    }
    if tested:
        nodes["others"] = {"use": "load-glue", "task": tested, "path": "glue"}
        nodes["other-tokens"] = {"use": "tokenize", "inputs": "others"}
    return {
        "name": "glue", "nodes": nodes, "model": {"use": "transformer", "checkpoint": "models/bert"},
        "train": {"data": "tokens", "valid_split": valid},
        "test": {"data": "other-tokens" if tested else ""}, **more,
    }  # fmt: skip


def trained(
    project: Path, values: Mapping[str, Any], metrics: Mapping[str, float], **facts: Any
) -> Run:
    """A finished train run with these metrics."""
    return _run(project, "train", values, metrics, **facts)


def judged(
    project: Path,
    values: Mapping[str, Any],
    metrics: Mapping[str, float],
    *,
    split: str | list[str] = "test",
    predictions: Mapping[str, Sequence[Any]] | None = None,
    **facts: Any,
) -> Run:
    """A finished test run with these metrics, and of each split these predictions."""
    run = _run(project, "test", values, metrics, split=split, **facts)
    for name, found in (predictions or {}).items():
        path = f"predictions-{name}.arrow" if isinstance(split, list) else "predictions.arrow"
        write_predictions(run.folder / path, found)
    return run


def write_predictions(path: Path, predictions: Sequence[Any], *, rows: Any = None) -> None:
    """The stream that a test writes, of rows without labels."""
    import pyarrow as pa

    values = pa.array(predictions)
    values = values.cast(pa.float32()) if pa.types.is_floating(values.type) else values
    count = range(len(values)) if rows is None else rows
    table = pa.table({"row": pa.array(count, pa.int64()), "label": pa.nulls(len(values), values.type),
                      "prediction": values})  # fmt: skip
    with pa.ipc.new_stream(str(path), table.schema) as stream:
        stream.write_table(table)


def _run(
    project: Path, stage: str, values: Mapping[str, Any], metrics: Mapping[str, float], **facts: Any
) -> Run:
    run = running.create(project, name="glue", stage=stage, recipe="glue.toml", **facts)
    (run.folder / RECIPE).write_text(tomli_w.dumps(values))
    run.write("metrics.json", dict(metrics))
    return run.finish("finished")
