"""The op `rename`."""

from __future__ import annotations

import pytest

from mlrecipe import DataError
from mlrecipe.builtin.ops.rename import rename


def test_names_change_and_order_stays(reviews):
    """Values stay with their columns."""
    data = rename(reviews, columns={"text": "sentence"})

    assert data["train"].column_names == ["id", "sentence", "label"]
    assert data["train"][0]["sentence"] == "review number 0"
    assert reviews["train"].column_names == ["id", "text", "label"]


def test_two_columns_may_swap_names(reviews):
    """Both change at once."""
    row = rename(reviews, columns={"text": "id", "id": "text"})["train"][1]

    assert row == {"text": 1, "id": "review number 1", "label": "neg"}


def test_classes_stay(classes):
    """The column's type goes with it."""
    assert rename(classes, columns={"label": "y"}).features["y"].names == ["neg", "pos"]


def test_a_split_may_lack_the_column(reviews):
    """It stays as it is there."""
    reviews["test"] = reviews["test"].remove_columns("label")

    data = rename(reviews, columns={"label": "y"})

    assert [split.column_names[-1] for split in data.values()] == ["y", "text"]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"txt": "a"}, "did you mean 'text'"),
        ({"text": "label"}, "'text' and 'label' would both be 'label' in split 'train'"),
        ({"text": "a", "id": "a"}, "would both be 'a'"),
    ],
)
def test_unknown_and_colliding_names(columns, message, reviews):
    """Both are errors of `columns`."""
    with pytest.raises(DataError, match=message) as error:
        rename(reviews, columns=columns)

    assert error.value.key == "columns"
