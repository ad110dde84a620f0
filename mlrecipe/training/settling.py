"""Settling: what a task takes from the data before it learns, such as weights of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from datasets import Dataset

from mlrecipe import events
from mlrecipe.interfaces import Head, Headed, Settling, Task
from mlrecipe.recipe.schema import TrainSpec


def settle(
    task: Task, spec: TrainSpec, data: Mapping[str, Dataset]
) -> tuple[Task, Mapping[str, Any]]:
    """The task with what it takes from the data written out, and that for the run's record; says it too."""
    if not isinstance(task, Settling) or not data.get(spec.train_split):
        return task, {}
    settled, taken = task.settle(data[spec.train_split], split=spec.train_split)
    for name, values in taken.items():
        if not _says_nothing(values):
            events.emit(events.Note(f"{name.replace('_', ' ')}: {_shown(values)}"))
    return settled, taken


def of_head(task: Task, head: Head) -> Task:
    """The task as a checkpoint's head has it, before other rows are encoded."""
    return task.of(head) if isinstance(task, Headed) else task


def _says_nothing(values: Any) -> bool:
    """Whether they are labels that are the numbers of their outputs, `0` and `1`."""
    return isinstance(values, Mapping) and all(str(key) == str(v) for key, v in values.items())


def _shown(values: Any) -> str:
    if not isinstance(values, Mapping):
        return str(values)
    items = [
        f"{key} {v:.4g}" if isinstance(v, float) else f"{key} → {v}" for key, v in values.items()
    ]
    more = f", … ({len(items)} in all)" if len(items) > 10 else ""
    return ", ".join(items[:10]) + more
