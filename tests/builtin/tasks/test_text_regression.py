"""The task of giving each text a number."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from datasets import ClassLabel, Value

from mlrecipe import events
from mlrecipe.builtin.tasks.text_regression import TextRegression
from mlrecipe.errors import DataError
from tests.builtin.tasks.rows import Fixed, kept, rows_of, step

TASK = TextRegression(label="label", metrics=[])


@pytest.mark.parametrize("kind", ["float64", "float32", "int64", "int8"])
def test_any_column_of_numbers_will_do(kind: str):
    """Targets are float32, whatever the column's type; there is one output, named as the column."""
    rows = rows_of({"score": Value(kind)}, score=[1, 0, 5])
    task = TextRegression(label="score")

    head = task.head({"train": rows})

    assert (head.problem_type, head.labels) == ("regression", ("score",))
    batch = task.collate(task.encode(rows, head, split="train").data.table)
    assert batch["labels"].dtype is torch.float32
    assert batch["labels"].tolist() == [1.0, 0.0, 5.0]


@pytest.mark.parametrize("count", [3, 1])
def test_glue_15_shapes_agree_also_for_a_batch_of_one(count: int):
    """The loss compares row with row: the mean of the squares, for logits of shape (rows, 1)."""
    numbers = [1.0, 2.0, 4.0][:count]
    rows = rows_of(label=numbers)
    logits = [[0.0], [0.0], [1.0]][:count]

    output = step(TASK, rows, TASK.head({"train": rows}), logits)

    squares = [(n - x[0]) ** 2 for n, x in zip(numbers, logits, strict=True)]
    assert output.loss.item() == pytest.approx(sum(squares) / count)
    assert output.scores.shape == output.targets.shape == (count,)


def test_glue_15_constant_targets_are_no_crash():
    """It is said, and learned all the same."""
    rows = rows_of(label=[2.5, 2.5])
    heard: list[events.Event] = []

    with events.listening(heard.append):
        head = TASK.head({"train": rows})

    assert [e.text for e in heard if isinstance(e, events.Note)] == [
        "every row of split 'train' has the number 2.5 in column 'label': "
        "there is nothing to tell apart"
    ]
    assert step(TASK, rows, head, [[2.5], [2.5]]).loss.item() == 0


def test_a_batch_without_rows_has_no_loss():
    """0, and not the mean of nothing."""
    rows = rows_of(label=[1.0])
    encoded = TASK.encode(rows, TASK.head({"train": rows}), split="train")
    batch = TASK.collate(encoded.data.table.slice(0, 0))

    assert TASK.step(Fixed([[1.0]]), batch).loss.item() == 0


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"label": [1.0, None]}, "1 of 2 rows .* no finite number in column 'label', first row 1"),
        ({"label": [float("inf"), 1.0]}, "first row 0 of .*, which is infinite"),
        ({"label": ["1.5", "2"]}, "holds string"),
        ({"label": [True, False]}, "holds bool"),
        ({"other": [1.0, 2.0]}, "has no column 'label'"),
    ],
)
def test_what_is_no_number_is_an_error(column: dict[str, list[Any]], message: str):
    """With the row, or the type."""
    with pytest.raises(DataError, match=message) as caught:
        TASK.head({"train": rows_of(**column)})

    assert caught.value.key == "label"


def test_class_labels_are_no_numbers():
    """The hint names the other task."""
    rows = rows_of({"label": ClassLabel(names=["a", "b"])}, label=[0, 1])

    with pytest.raises(DataError, match="holds class labels") as caught:
        TASK.head({"train": rows})

    assert "text-classification" in str(caught.value.hint)


def test_a_model_with_more_outputs_is_an_error():
    """Its scores would be compared each with each."""
    with pytest.raises(DataError, match="2 numbers for each text"):
        TASK.scores(Fixed([[1.0, 2.0]]), {"input_ids": torch.zeros(1, 3, dtype=torch.int64),
                                          "attention_mask": torch.ones(1, 3)})  # fmt: skip


def test_glue_8_the_column_is_found_and_kept():
    """For the run's record, and for the head, by which other splits go."""
    rows = rows_of(score=[1.0, 2.0], text=["a", "b"])
    task = TextRegression()

    assert kept(task, rows) == {"label_column": "score"}
    assert task.head({"train": rows}).targets == ("score",)


def test_glue_7_rows_without_a_number_are_unlabelled():
    """Missing, all null or no column: inputs can be had all the same."""
    head = TASK.head({"train": rows_of(label=[1.0, 2.0])})
    without = rows_of({"label": Value("float32")}, label=[None, None])

    assert not TASK.is_labelled(without, head)
    assert not TASK.is_labelled(rows_of(text=["a"]), head)
    assert TASK.is_labelled(rows_of(label=[1.0]), head)
    assert "labels" not in TASK.collate(TASK.inputs(without, split="test").data.table)


def test_rows_with_nan_alone_are_unlabelled():
    """NaN is no number: such a split is only predicted."""
    head = TASK.head({"train": rows_of(label=[1.0, 2.0])})

    assert not TASK.is_labelled(rows_of(label=[math.nan, math.nan]), head)
