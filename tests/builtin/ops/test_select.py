"""The op `select`."""

from __future__ import annotations

from collections import Counter

import pytest

from mlrecipe import DataError
from mlrecipe.builtin.ops.select import select


def test_columns_and_splits_in_the_order_asked_for(reviews):
    """Others are left out."""
    data = select(reviews, splits=["test", "train"], columns=["text", "id"])

    assert list(data) == ["test", "train"]
    assert data["train"].column_names == ["text", "id"]


def test_drop_leaves_columns_out(reviews):
    """The others keep their order."""
    assert select(reviews, drop=["text"])["train"].column_names == ["id", "label"]


def test_input_is_not_changed(reviews):
    """The op gives a new data set."""
    before = {name: split[:] for name, split in reviews.items()}

    select(reviews, columns=["id"], sample=2)

    assert {name: split[:] for name, split in reviews.items()} == before


def test_first_rows_of_every_split_or_of_one(reviews):
    """A number is for all splits, a table for those it names."""
    assert [len(s) for s in select(reviews, first=3).values()] == [3, 3]
    assert [len(s) for s in select(reviews, first={"train": 3}).values()] == [3, 4]
    assert select(reviews, first=2)["train"]["id"][:] == [0, 1]
    assert len(select(reviews, first=100)["train"]) == 8


def test_rows_by_number(reviews):
    """They come in the order asked for."""
    assert select(reviews["train"], rows=[5, 0])["id"][:] == [5, 0]


def test_sample_depends_on_the_seed_alone(reviews):
    """The same seed gives the same rows, in their order, whatever other splits there are."""
    one = select(reviews, sample=4, seed=1)["train"]["id"][:]
    alone = select(reviews, splits=["train"], sample=4, seed=1)["train"]["id"][:]
    others = {tuple(select(reviews, sample=4, seed=s)["train"]["id"][:]) for s in range(8)}

    assert one == alone == sorted(set(one))
    assert len(one) == 4
    assert len(others) > 1


def test_stratified_sample_keeps_shares(reviews):
    """Each class has the share that it has in the split."""
    for seed in range(5):
        data = select(reviews, sample={"train": 4}, stratified=True, seed=seed)
        assert Counter(data["train"]["label"]) == {"neg": 2, "pos": 2}


def test_rows_per_class(reviews):
    """So many of each class, or all that it has."""
    assert Counter(select(reviews, per_class=3)["train"]["label"]) == {"neg": 3, "pos": 3}
    assert Counter(select(reviews, per_class=3)["test"]["label"]) == {"neg": 2, "pos": 2}
    assert len({tuple(select(reviews, per_class=1, seed=s)["train"]["id"]) for s in range(9)}) > 1


def test_plain_dataset_stays_one(reviews):
    """A data set without splits gives one without splits."""
    assert select(reviews["train"], first=2)[:]["id"] == [0, 1]


@pytest.mark.parametrize(
    ("params", "key", "message"),
    [
        ({"columns": ["txt"]}, "columns", r"id, text, label\); did you mean 'text'"),
        ({"drop": ["labels"]}, "drop", "did you mean 'label'"),
        ({"splits": ["valid"]}, "splits", "no split 'valid'"),
        ({"first": {"tran": 1}}, "first", "did you mean 'train'"),
        ({"first": -1}, "first", "negative"),
        ({"first": 1, "sample": 1}, "sample", "first and sample cannot both"),
        ({"rows": [4]}, "rows", "no row 4 in split 'test', which has 4 rows"),
        ({"rows": [-1]}, "rows", "no row -1"),
        ({"per_class": 1, "label": "lab"}, "label", "no column 'lab'"),
    ],
)
def test_what_cannot_be_selected(params, key, message, reviews):
    """The error names the parameter."""
    with pytest.raises(DataError, match=message) as error:
        select(reviews, **params)

    assert error.value.key == key


def test_not_a_data_set():
    """An input of another type is an error that says so."""
    with pytest.raises(DataError, match="expected a data set with splits, got dict"):
        select({"a": 1}, first=1)
