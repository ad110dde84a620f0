"""Which rows an epoch sees where it does not simply see each once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from datasets import Dataset

from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.errors import DataError
from mlrecipe.training.batching.drawing import balanced, make_drawing, undersampled, weighted
from tests.training.tiny import LABELS, make_rows, make_spec

CLASSES = np.array([0] * 70 + [1] * 20 + [2] * 10)


def drawn(drawing: Any, seed: int = 1) -> np.ndarray:
    rows = drawing.draw(np.random.default_rng(seed))
    assert len(rows) == drawing.rows
    return rows


def test_balanced_draws_each_class_equally_often():
    """As many rows as there are; all of a class before one comes again."""
    rows = drawn(balanced(CLASSES))

    assert sorted(np.bincount(CLASSES[rows])) == [33, 33, 34]
    assert np.bincount(rows, minlength=100)[:70].max() == 1
    assert set(np.bincount(rows, minlength=100)[70:90]) == {1, 2}


def test_undersampled_draws_as_many_of_each_class_as_the_rarest_has():
    """None twice, and other ones with another seed."""
    first, second = drawn(undersampled(CLASSES)), drawn(undersampled(CLASSES), seed=2)

    assert np.bincount(CLASSES[first]).tolist() == [10, 10, 10]
    assert len(set(first.tolist())) == 30
    assert set(first.tolist()) != set(second.tolist())


def test_weighted_draws_by_weight():
    """Three times the weight comes three times as often, and no weight never."""
    weights = np.array([0.0, 1.0, 3.0, 0.0] * 500)
    counts = np.bincount(drawn(weighted(weights)) % 4, minlength=4)

    assert counts[0] == counts[3] == 0
    assert counts[2] / counts[1] == pytest.approx(3, rel=0.15)


@pytest.mark.parametrize("make", [balanced, undersampled])
def test_the_seed_decides_what_is_drawn(make: Any):
    """The same seed draws the same rows in the same order."""
    assert drawn(make(CLASSES)).tolist() == drawn(make(CLASSES)).tolist()
    assert drawn(make(CLASSES)).tolist() != drawn(make(CLASSES), seed=2).tolist()


def drawing_of(raw: Dataset, **changes: Any) -> Any:
    task = TextClassification(labels=LABELS)
    head = task.head({"train": raw})
    return make_drawing(make_spec(**changes), task, task.encode(raw, head, split="train"), raw)


def test_the_recipe_says_how_rows_are_drawn():
    """Labels come from the task, weights from a column of the data as they were before encoding."""
    raw = make_rows(40)
    raw = raw.filter(lambda row, i: row["label"] == "negative" or i < 10, with_indices=True)
    raw = raw.add_column("trust", [float(label == "positive") for label in raw["label"]])
    labels = np.array(raw["label"])

    assert drawing_of(raw).rows == 25
    assert drawing_of(raw, sampling="undersampled").rows == 10
    seen = labels[drawn(drawing_of(raw, sampling="balanced"))]
    assert abs(int((seen == "positive").sum()) - 12.5) < 1
    seen = labels[drawn(drawing_of(raw, sampling="weighted", sampling_weights="trust"))]
    assert set(seen) == {"positive"}


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("weihgt", "no column 'weihgt'"),
        ("label", "not a weight for each row"),
        ("below", "row 3 of split 'train' has the weight -1.0"),
        ("nothing", "every weight in column 'nothing'"),
    ],
)
def test_weights_that_are_none_name_column_and_row(column: str, message: str):
    """Before any model is built."""
    raw = make_rows(8).add_column("below", [1.0, 1, 1, -1, 1, 1, 1, 1])
    raw = raw.add_column("nothing", [0] * 8).add_column("weight", [1] * 8)

    with pytest.raises(DataError, match=message) as caught:
        drawing_of(raw, sampling="weighted", sampling_weights=column)

    assert caught.value.key == "train.sampling_weights"


def test_sampling_by_class_needs_a_task_that_tells_them():
    """The message says which method is missing."""

    class Other:
        """A task of somebody's own."""

    with pytest.raises(DataError, match="does not say the rows' classes") as caught:
        make_drawing(make_spec(sampling="balanced"), Other(), make_rows(8), make_rows(8))  # type: ignore[arg-type]

    assert "classes(rows)" in (caught.value.hint or "")
