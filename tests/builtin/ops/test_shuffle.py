"""The op `shuffle`."""

from __future__ import annotations

import pytest

from mlrecipe import DataError
from mlrecipe.builtin.ops.shuffle import shuffle


def test_same_seed_same_order(reviews):
    """The order depends on the seed alone, and no row is lost."""
    orders = [shuffle(reviews, seed=seed)["train"]["id"][:] for seed in (1, 1, 2)]

    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == list(range(8)) != orders[0]


def test_rows_stay_whole(reviews):
    """The columns of a row stay together."""
    for row in shuffle(reviews, seed=3)["train"]:
        assert row["text"] == f"review number {row['id']}"


def test_only_the_named_splits(reviews):
    """Others keep their order; an unknown one is an error."""
    data = shuffle(reviews, splits=["train"], seed=1)

    assert data["test"]["id"][:] == [100, 101, 102, 103]
    with pytest.raises(DataError) as error:
        shuffle(reviews, splits=["valid"])
    assert error.value.key == "splits"


def test_plain_dataset(reviews):
    """A data set without splits gives one without splits."""
    assert sorted(shuffle(reviews["train"], seed=1)["id"]) == list(range(8))
