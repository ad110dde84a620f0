"""The op `map-labels`."""

from __future__ import annotations

import pytest
from datasets import ClassLabel, Dataset, DatasetDict

from mlrecipe import DataError
from mlrecipe.builtin.ops.map_labels import map_labels


def labelled(*values):
    return Dataset.from_dict({"label": list(values), "n": list(range(len(values)))})


def test_values_change(reviews):
    """The column keeps its place, and other columns their values."""
    data = map_labels(reviews, mapping={"neg": "negative", "pos": "positive"})["train"]

    assert data.column_names == ["id", "text", "label"]
    assert data["label"][:] == ["negative"] * 4 + ["positive"] * 4
    assert data["id"][:] == list(range(8))


@pytest.mark.parametrize(
    ("values", "mapping", "result", "dtype"),
    [
        ([0, 1, None], {"0": "a", "1": "b"}, ["a", "b", None], "string"),
        (["a", "b"], {"a": 1, "b": 0}, [1, 0], "int64"),
        (["a", "b"], {"a": 1.5, "b": 0.0}, [1.5, 0.0], "float64"),
        ([True, False], {"true": "y", "false": "n"}, ["y", "n"], "string"),
        (["a", "b"], {"a": True, "b": False}, [True, False], "bool"),
    ],
)
def test_types_of_old_and_new_values(values, mapping, result, dtype):
    """Old values are written as texts; new ones give the column its type; missing stays missing."""
    data = map_labels(labelled(*values), mapping=mapping)

    assert data["label"][:] == result
    assert data.features["label"].dtype == dtype


@pytest.mark.parametrize(
    ("values", "labels", "result"),
    [
        (["pos", "neg", None], ["neg", "pos"], [1, 0, None]),
        ([1, 0], ["neg", "pos"], [1, 0]),
        ([3, 5], ["5", "3"], [1, 0]),
    ],
)
def test_labels_become_classes(values, labels, result):
    """Names go to their positions; whole numbers are names where `labels` has them, else positions."""
    data = map_labels(labelled(*values), labels=labels)

    assert data["label"][:] == result
    assert data.features["label"] == ClassLabel(names=labels)


def test_mapping_then_labels(reviews):
    """`labels` are names after the mapping."""
    data = map_labels(reviews, mapping={"neg": "bad", "pos": "good"}, labels=["good", "bad"])

    assert data["test"]["label"][:] == [1, 1, 0, 0]


def test_classes_are_mapped_by_name(classes):
    """A `ClassLabel` counts by its names, and -1 as no label."""
    reordered = map_labels(classes, labels=["pos", "neg"])
    unlabelled = Dataset.from_dict({"label": [-1, 0]}, features=classes.features.copy().__class__(
        {"label": classes.features["label"]}
    ))  # fmt: skip

    assert reordered["label"][:] == [0, 1, 0]
    assert map_labels(unlabelled, mapping={"neg": "n", "pos": "p"})["label"][:] == [None, "n"]


def test_target_is_a_new_column(reviews):
    """The old one stays."""
    data = map_labels(reviews, labels=["neg", "pos"], target="y")["train"]

    assert data.column_names == ["id", "text", "label", "y"]
    assert data["label"][0] == "neg"


def test_splits_without_labels_stay(reviews):
    """A test split may be unlabelled."""
    reviews["test"] = reviews["test"].remove_columns("label")

    assert map_labels(reviews, labels=["neg", "pos"])["test"].column_names == ["id", "text"]


@pytest.mark.parametrize("key", ["mapping", "labels"])
def test_a_value_outside_is_named(key):
    """With its split, its first row and how many rows have it."""
    data = DatasetDict({"train": labelled("a", "b", "b", "c", "b")})
    value = {"a": "x"} if key == "mapping" else ["a"]

    with pytest.raises(DataError) as error:
        map_labels(data, **{key: value})

    assert error.value.key == key
    assert error.value.message == (
        "the label 'b' in split 'train' has no entry (row 2, 3 rows in all, and 1 other values)"
    )


@pytest.mark.parametrize(
    ("params", "key", "message"),
    [
        ({}, "mapping", "nothing to do"),
        ({"labels": ["neg", "pos"], "column": "lab"}, "column", "no column 'lab'"),
        ({"labels": ["neg", "pos"], "target": "id"}, "target", "a column 'id' already"),
        ({"mapping": {"neg": 1, "pos": "b"}}, "mapping", "several types"),
        ({"labels": ["neg", "neg"]}, "labels", "named twice"),
        ({"labels": ["a"], "column": "tags"}, "column", "several labels in a row"),
    ],
)
def test_what_cannot_be_mapped(params, key, message, reviews):
    """The error names the parameter."""
    reviews["test"] = reviews["test"].add_column("tags", [["a"]] * 4)

    with pytest.raises(DataError, match=message) as error:
        map_labels(reviews, **params)

    assert error.value.key == key
