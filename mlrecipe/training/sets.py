"""Sets: the splits that a test works on, each with its rows as they are tested."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from datasets import Dataset

from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head, Predicting, Task
from mlrecipe.recipe import splits
from mlrecipe.training.preparing import require_split

_PREDICTING = "rows without labels need a task with `inputs`, `scores` and `is_labelled`"


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSet:
    """A split to test on."""

    __test__ = False  # not a test class for pytest

    split: str
    place: str
    """What is before the `/` of its metrics."""

    file: str
    """Name of the file with its predictions."""

    task: Task
    rows: Dataset
    """Encoded."""

    is_labelled: bool = True
    """False: its rows are only predicted, and the task is `Predicting`."""


def test_sets(
    task: Task, split: str | list[str], data: Mapping[str, Dataset], head: Head
) -> list[TestSet]:
    """Each split that is named, with its rows encoded: without targets where no row has one.

    Raises:
        DataError: a split is missing, or does not fit the task or the head; `key` is a parameter of the
            task, or the recipe's own.
    """
    splits.check(split, key="test.split")
    places = splits.places(split, "test")
    if not places:
        raise DataError("there is no split to test on", key="test.split")
    found = []
    for name, place in places.items():
        rows = require_split(data, name, key="test.split")
        is_labelled = not isinstance(task, Predicting) or task.is_labelled(rows, head)
        found.append(TestSet(
            split=name, place=place, task=task, is_labelled=is_labelled,
            file="predictions.arrow" if len(places) == 1 else f"predictions-{name}.arrow",
            rows=_encoded(task, rows, head, split=name, is_labelled=is_labelled),
        ))  # fmt: skip
    return found


test_sets.__test__ = False  # type: ignore[attr-defined]  # not a test for pytest


def unlabelled(sets: Sequence[TestSet]) -> str | None:
    """What to say of the splits that have no labels."""
    names = [repr(found.split) for found in sets if not found.is_labelled]
    if not names:
        return None
    what = f"split {names[0]} has no labels: its" if len(names) == 1 else (
        f"splits {', '.join(names[:-1])} and {names[-1]} have no labels: their"
    )  # fmt: skip
    return f"{what} rows are predicted, and there are no metrics"


def _encoded(task: Task, rows: Dataset, head: Head, *, split: str, is_labelled: bool) -> Dataset:
    if not is_labelled:
        assert isinstance(task, Predicting)
        return task.inputs(rows, split=split)
    try:
        return task.encode(rows, head, split=split)
    except DataError as error:
        if isinstance(task, Predicting) or error.key == "data":
            raise
        hint = "; ".join(text for text in (error.hint, _PREDICTING) if text)
        raise DataError(error.message, key=error.key, hint=hint) from error
