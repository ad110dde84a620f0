"""The op `statistics`."""

from __future__ import annotations

import json

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from mlrecipe import DataError
from mlrecipe.builtin.ops.load_files import load_files
from mlrecipe.builtin.ops.statistics import statistics


@pytest.fixture
def data():
    """Splits with every flaw that is looked for."""
    train = {
        "text": ["good film", "bad film", "good film", " ", None, "one two three four"],
        "label": ["pos", "neg", "pos", "pos", None, "neg"],
        "truncated": [False, True, False, False, False, False],
    }
    test = {
        "text": ["bad film", "unseen film", "good film"],
        "label": ["pos", "pos", "pos"],
        "truncated": [True, True, False],
    }
    return DatasetDict({"train": Dataset.from_dict(train), "test": Dataset.from_dict(test)})


def test_training_19_what_prepare_reports(data):
    """Label counts, train/test overlap, empty texts, truncation rate and length percentiles."""
    facts = statistics(data)

    assert facts["splits"]["train"] == {
        "rows": 6,
        "labels": {"neg": 2, "pos": 3},
        "unlabelled": 1,
        "texts": {"text": {"missing": 1, "empty": 1}},
        "duplicates": 1,
        "length": {
            "unit": "words", "mean": 1.67, "p5": 0, "p25": 0, "p50": 2, "p75": 2, "p95": 4,
            "p99": 4, "max": 4,
        },
        "truncated": 1,
        "truncation_rate": 0.166667,
    }  # fmt: skip
    assert facts["splits"]["test"]["overlap"] == 2
    assert facts["splits"]["test"]["truncation_rate"] == 0.666667
    assert facts["text"] == ["text"]
    assert facts["label"] == "label"


def test_what_deserves_attention_is_said(data):
    """One sentence each."""
    assert statistics(data)["warnings"] == [
        "split 'train' has 1 row without a label",
        "split 'train' has 2 rows without text in 'text'",
        "split 'train' has 1 row that repeat an earlier one",
        "split 'test' has one label only, 'pos'",
        "split 'test' has 2 rows that are in split 'train' too",
    ]


def test_result_is_plain_json(data):
    """It can be stored as JSON and comes back equal."""
    facts = statistics(data)

    assert json.loads(json.dumps(facts)) == facts


def test_tokens_are_counted_where_there_are_some():
    """Lengths are of `input_ids` then."""
    data = Dataset.from_dict({"text": ["a b c", "d"], "input_ids": [[1] * 7, [1] * 3]})

    length = statistics(data)["splits"][""]["length"]

    assert (length["unit"], length["mean"], length["max"]) == ("tokens", 5.0, 7)


def test_classes_by_name_with_none_left_out():
    """A class without rows counts 0; -1 is no label; one class alone is a warning."""
    features = Features({"text": Value("string"), "labels": ClassLabel(names=["a", "b"])})
    data = Dataset.from_dict({"text": ["x y", "z w"], "labels": [1, -1]}, features=features)

    facts = statistics(data)

    assert facts["splits"][""]["labels"] == {"a": 0, "b": 1}
    assert facts["splits"][""]["unlabelled"] == 1
    assert "the data has one label only, 'b'" in facts["warnings"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 0, 1], {"labels": {"0": 1, "1": 2}, "unlabelled": 0}),
        ([10, 9, None], {"labels": {"9": 1, "10": 1}, "unlabelled": 1}),
        ([True, False, True], {"labels": {"false": 1, "true": 2}, "unlabelled": 0}),
        ([0.5, 1.5, None],
         {"label_range": {"min": 0.5, "mean": 1.0, "max": 1.5}, "unlabelled": 1}),
        ([["a"], ["a", "b"], []], {"labels": {"a": 2, "b": 1}}),
        ([None, None, None], {"labels": {}, "unlabelled": 3}),
    ],
)  # fmt: skip
def test_labels_of_any_type(values, expected):
    """Counts by value, sorted; a range for numbers with fractions."""
    facts = statistics(Dataset.from_dict({"label": values}))["splits"][""]

    assert {k: v for k, v in facts.items() if "label" in k} == expected


def test_texts_are_found(data):
    """Columns of single words, such as ids, are no texts; pairs are compared together."""
    pairs = Dataset.from_dict(
        {"id": ["a1", "a2", "a3"], "first": ["x y"] * 3, "second": ["p q", "r s", "p q"]}
    )

    facts = statistics(pairs)

    assert facts["text"] == ["first", "second"]
    assert facts["splits"][""]["duplicates"] == 1
    assert facts["splits"][""]["length"]["max"] == 4


def test_columns_can_be_named(data):
    """An unlabelled split is described without labels."""
    data["test"] = data["test"].remove_columns("label")

    facts = statistics(data, text=["text"], label="label")

    assert "labels" not in facts["splits"]["test"]
    assert facts["splits"]["test"]["overlap"] == 2


def test_an_empty_split():
    """It has no lengths and is a warning."""
    data = DatasetDict({"train": Dataset.from_dict({"text": ["a b"]}).select([])})

    assert statistics(data) == {
        "text": ["text"],
        "label": None,
        "splits": {
            "train": {"rows": 0, "texts": {"text": {"missing": 0, "empty": 0}}, "duplicates": 0}
        },
        "warnings": ["split 'train' has no rows"],
    }


@pytest.mark.parametrize(
    ("params", "key"),
    [({"text": "txt"}, "text"), ({"label": "lab"}, "label"), ({"text": "truncated"}, "text")],
)
def test_unknown_columns(params, key, data):
    """The error names the parameter."""
    with pytest.raises(DataError) as error:
        statistics(data, **params)

    assert error.value.key == key


@pytest.mark.real
def test_imdb_has_the_repetitions_it_is_known_for(real_data):
    """96 repeated reviews in train, 199 in test, 123 in both."""
    files = {name: str(real_data / f"imdb/{name}.csv.gz") for name in ("train", "test")}

    facts = statistics(load_files(**files))["splits"]

    assert facts["train"]["labels"] == {"neg": 12500, "pos": 12500}
    assert (facts["train"]["duplicates"], facts["test"]["duplicates"]) == (96, 199)
    assert facts["test"]["overlap"] == 123
