"""Merging recorders by the numbers of their rows."""

from __future__ import annotations

import math

import pytest

from mlrecipe import DataError, Recorder

pytestmark = pytest.mark.heavy


def rows(statistics=None, **columns):
    """A recorder of these columns."""
    recorder = Recorder(statistics=statistics)
    recorder.log_batch(**columns)
    return recorder


def test_experiment_10_columns_meet_by_the_number_of_the_row():
    """Rows come in the order of the first, wherever they stood in the second."""
    one = rows(row=[2, 0, 1], text=["c", "a", "b"])
    other = rows(row=[0, 1, 2], score=[0.0, 0.1, 0.2])

    merged = one.merge(other)

    assert merged.column_names == ["row", "text", "score"]
    assert list(merged) == [
        {"row": 2, "text": "c", "score": 0.2},
        {"row": 0, "text": "a", "score": 0.0},
        {"row": 1, "text": "b", "score": 0.1},
    ]


def test_equal_columns_are_there_once_and_unequal_ones_get_the_suffix():
    """NaN is equal to NaN."""
    one = rows(row=[0, 1], x=[1.0, math.nan], y=["a", "b"], z=[1, 2])
    other = rows(row=[1, 0], x=[math.nan, 1.0], y=["b", "a"], z=[9, 1])

    merged = one.merge(other, suffix="_other")

    assert merged.column_names == ["row", "x", "y", "z", "z_other"]
    assert merged.column("z_other") == [1, 9]


def test_experiment_10_nothing_is_dropped_in_silence():
    """Without a suffix what differs under one name is an error that names it."""
    one, other = rows(row=[0], x=[1], y=[1]), rows(row=[0], x=[2], y=[1])

    with pytest.raises(DataError, match=r"different columns of one name: 'x'; give a suffix"):
        one.merge(other)
    with pytest.raises(DataError, match="different statistics of one name: 'f1'"):
        rows({"f1": 1}, row=[0]).merge(rows({"f1": 2}, row=[0]))


def test_statistics_of_both_are_kept():
    """Equal ones once, different ones with the suffix."""
    one = rows({"f1": 0.5, "loss": math.nan, "a": 1}, row=[0])
    other = rows({"f1": 0.6, "loss": math.nan, "b": 2}, row=[0])

    merged = one.merge(other, suffix="_b")

    assert list(merged.statistics) == ["f1", "loss", "a", "f1_b", "b"]
    assert (merged.statistics["f1"], merged.statistics["f1_b"]) == (0.5, 0.6)


@pytest.mark.parametrize(
    ("ours", "theirs", "told"),
    [
        ([0, 1, 2], [0, 1], "the second recorder lacks row 2"),
        ([0, 1], [0, 1, 7, 8], "the first recorder lacks rows 7, 8"),
        (range(20), [0], r"lacks rows 1, 2, 3, 4, 5, … \(19 in all\)"),
        ([0, 0], [0, 1], "the first recorder has row 0 more than once"),
        ([0, 1], [1, 1], "the second recorder has row 1 more than once"),
        ([0, None], [0, 1], "must hold a whole number for each row"),
        ([0, 1], ["0", "1"], "must hold a whole number for each row"),
    ],
)
def test_both_must_have_the_same_rows_each_once(ours, theirs, told):
    """The message says which rows are wrong."""
    with pytest.raises(DataError, match=told):
        rows(row=ours, x=[1] * len(ours)).merge(rows(row=theirs, y=[1] * len(theirs)))


def test_rows_without_numbers_cannot_be_merged():
    """The message says how to number them."""
    with pytest.raises(DataError, match=r"second recorder has no column 'row'.*set_column\('row'"):
        rows(row=[0]).merge(rows(x=[1]))


def test_rows_of_different_splits_are_not_merged():
    """A number means another row in another split; a split that is not known fits any."""
    table = rows(row=[0]).table

    with pytest.raises(DataError, match="different splits: 'valid' and 'test'"):
        Recorder(table, split="valid").merge(Recorder(table, split="test"))
    assert Recorder(table).merge(Recorder(table, split="test")).split == "test"


def test_probabilities_of_different_labels_are_not_merged():
    """They could not be told apart; without those of one the head of the other is kept."""
    table = rows(row=[0], probabilities=[[0.5, 0.5]]).table
    one = Recorder(table, head={"labels": ["a", "b"], "threshold": 0.5})
    other = Recorder(table, head={"labels": ["b", "a"]})

    with pytest.raises(DataError, match="both have 'probabilities', of different labels; drop"):
        one.merge(other)
    assert one.merge(other.drop("probabilities")).head == one.head
    assert one.drop("probabilities").merge(other).head == other.head
    assert one.select("row").merge(other.select("row")).head == one.head
    assert (
        one.merge(Recorder(table, head={"labels": ["a", "b"], "threshold": 0.1})).head == one.head
    )


def test_a_suffix_must_make_new_names():
    """A column that is there is not written over."""
    one, other = rows(row=[0], x=[1], x_b=[1]), rows(row=[0], x=[2])

    with pytest.raises(DataError, match="'x_b' is there already"):
        one.merge(other, suffix="_b")
