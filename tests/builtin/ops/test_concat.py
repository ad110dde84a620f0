"""The op `concat`."""

from __future__ import annotations

import pytest
from datasets import ClassLabel, Dataset, DatasetDict

from mlrecipe import DataError
from mlrecipe.builtin.ops.concat import concat


def rows(**columns):
    return Dataset.from_dict(columns)


def test_splits_of_one_name_become_one():
    """Rows follow each other; splits that only one input has stay."""
    one = DatasetDict({"train": rows(a=[1], b=["x"]), "test": rows(a=[9], b=["z"])})
    two = DatasetDict({"train": rows(b=["y"], a=[2]), "valid": rows(c=[1.5])})

    data = concat(one, two)

    assert list(data) == ["train", "test", "valid"]
    assert data["train"][:] == {"a": [1, 2], "b": ["x", "y"]}
    assert data["valid"][:] == {"c": [1.5]}


def test_plain_datasets():
    """Data sets without splits give one without splits; chosen rows count."""
    one = rows(a=[1, 2, 3]).select([2, 0])

    assert concat(one, rows(a=[4]), rows(a=[5]))["a"][:] == [3, 1, 4, 5]


def test_source_column_says_where_a_row_is_from():
    """By number, or by the names given."""
    one, two = rows(a=[1, 2]), rows(a=[3])

    assert concat(one, two, source_column="from")["from"][:] == ["1", "1", "2"]
    named = concat(one, two, source_column="from", sources=["old", "new"])
    assert named["from"][:] == ["old", "old", "new"]


def test_a_difference_of_columns_is_shown():
    """What each input has alone, and types that differ."""
    one = DatasetDict({"train": rows(a=[1], b=[1], c=[1])})
    two = DatasetDict({"train": rows(a=["1"], b=[1], d=[1])})

    with pytest.raises(DataError) as error:
        concat(one, two)

    assert error.value.message == (
        "the columns differ in split 'train': 'a' is int64 in input 1 and string in input 2;"
        " only input 1 has 'c'; only input 2 has 'd'"
    )


def test_classes_in_another_order_differ():
    """The ids would mean something else."""
    one, two = (
        rows(y=[0]).cast_column("y", ClassLabel(names=names)) for names in (["a", "b"], ["b", "a"])
    )

    with pytest.raises(
        DataError, match=r"classes \['a', 'b'\] in input 1 and classes \['b', 'a'\]"
    ):
        concat(one, two)


@pytest.mark.parametrize(
    ("params", "key", "message"),
    [
        ({"source_column": "a"}, "source_column", "a column 'a' already"),
        ({"source_column": "f", "sources": ["x"]}, "sources", "1 names for 2 inputs"),
    ],
)
def test_what_cannot_be_marked(params, key, message):
    """The error names the parameter."""
    with pytest.raises(DataError, match=message) as error:
        concat(rows(a=[1]), rows(a=[2]), **params)

    assert error.value.key == key


def test_inputs_of_two_kinds_or_none():
    """Splits do not go with no splits, and something is needed."""
    with pytest.raises(DataError, match="some have none"):
        concat(rows(a=[1]), DatasetDict({"train": rows(a=[1])}))
    with pytest.raises(DataError, match="nothing to put together"):
        concat()
