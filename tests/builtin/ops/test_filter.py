"""The op `filter`."""

from __future__ import annotations

import pytest
from datasets import Dataset, DatasetDict, Features, Value

from mlrecipe import DataError, events
from mlrecipe.builtin.ops.filter import filter_

TEXTS = ["one", "two words", "", "  ", None, "now three words"]


@pytest.fixture
def data():
    """Six rows with texts, numbers, fractions and lists."""
    return Dataset.from_dict(
        {
            "n": [0, 1, 2, 3, 4, 5],
            "text": TEXTS,
            "score": [0.0, 0.5, 1.0, None, 2.0, 2.5],
            "ids": [[], [1], [1, 2], None, [1], [1, 2, 3]],
        }
    )


@pytest.mark.parametrize(
    ("params", "kept"),
    [
        ({"column": "n", "equals": 2}, [2]),
        ({"column": "text", "equals": "one"}, [0]),
        ({"column": "score", "equals": 1}, [2]),
        ({"column": "n", "one_of": [5, 0]}, [0, 5]),
        ({"column": "n", "none_of": [5, 0]}, [1, 2, 3, 4]),
        ({"column": "text", "none_of": ["one"]}, [1, 2, 3, 4, 5]),
        ({"column": "text", "not_empty": True}, [0, 1, 5]),
        ({"column": "ids", "not_empty": True}, [1, 2, 4, 5]),
        ({"column": "score", "not_empty": True}, [0, 1, 2, 4, 5]),
        ({"column": "text", "matches": r"\bwords$"}, [1, 5]),
        ({"column": "score", "min": 0.5}, [1, 2, 4, 5]),
        ({"column": "score", "min": 0.5, "max": 2}, [1, 2, 4]),
        ({"column": "n", "max": 1.5}, [0, 1]),
        ({"column": "text", "min_length": 2}, [1, 5]),
        ({"column": "text", "max_length": 1}, [0, 2, 3]),
        ({"column": "text", "min_length": 3, "max_length": 9, "unit": "characters"}, [0, 1]),
        ({"column": "ids", "max_length": 1}, [0, 1, 4]),
        ({"column": "text", "not_empty": True, "invert": True}, [2, 3, 4]),
    ],
)
def test_conditions(params, kept, data):
    """A row is kept if it meets every condition; a missing value meets none but `none_of`."""
    assert filter_(data, **params)["n"][:] == kept


def test_classes_are_named(classes):
    """A class is compared by its name; an unknown one is an error."""
    assert filter_(classes, column="label", equals="pos")["text"][:] == ["a", "c"]
    with pytest.raises(DataError, match=r"no class 'good' .*'neg', 'pos'") as error:
        filter_(classes, column="label", one_of=["good"])
    assert error.value.key == "one_of"


def test_only_the_named_splits(data):
    """Others keep their rows, and so do splits without the column."""
    splits = DatasetDict({"train": data, "test": data, "plain": data.select_columns("n")})

    result = filter_(splits, column="text", not_empty=True, splits=["train", "plain"])

    assert {name: len(split) for name, split in result.items()} == {
        "train": 3, "test": 6, "plain": 6,
    }  # fmt: skip


def test_it_says_what_it_keeps(data, notes):
    """Rows kept, of how many."""
    filter_(DatasetDict({"train": data}), column="n", equals=1)

    assert notes == ["1 of 6 rows kept in split 'train'"]


def test_an_empty_result_is_a_warning(data):
    """A condition that no row meets is likely a mistake."""
    seen = []

    with events.listening(seen.append):
        filter_(data, column="n", equals=77)

    assert [e.level for e in seen if isinstance(e, events.Note)] == ["warning"]


def test_progress_is_told(data):
    """How many rows were looked at."""
    seen = []

    with events.listening(seen.append):
        filter_(data, column="n", equals=1)

    assert events.Progress(6, 6) in seen


def test_rows_of_all_batches_are_kept():
    """Row numbers count through the whole split, chosen rows and all."""
    data = Dataset.from_dict({"n": list(range(25_000))}).select(range(24_999, -1, -1))

    assert filter_(data, column="n", min=9_999, max=10_001)["n"][:] == [10_001, 10_000, 9_999]


@pytest.mark.parametrize(
    ("params", "key", "message"),
    [
        ({"column": "txt", "not_empty": True}, "column", "did you mean 'text'"),
        ({"column": "text"}, "column", "a condition is needed"),
        ({"column": "text", "equals": 1}, "equals", "does not go with a column of string"),
        ({"column": "n", "one_of": ["1"]}, "one_of", "does not go with a column of int64"),
        ({"column": "text", "matches": "("}, "matches", "missing"),
        ({"column": "n", "matches": "a"}, "matches", "column of int64"),
        ({"column": "text", "min": 1}, "min", "column of string"),
        ({"column": "n", "min_length": 1}, "min_length", "int64 has no length"),
        ({"column": "n", "min": 1, "splits": ["a"]}, "splits", "no split 'a'"),
    ],
)
def test_conditions_that_make_no_sense(params, key, message, data):
    """The error names the parameter."""
    with pytest.raises(DataError, match=message) as error:
        filter_(data, **params)

    assert error.value.key == key


def test_numbers_of_single_precision_can_be_named():
    """As STS-B's scores are."""
    features = Features({"x": Value("float32")})
    data = Dataset.from_dict({"x": [2.6, 5.0]}, features=features)

    assert filter_(data, column="x", equals=2.6)["x"][:] == pytest.approx([2.6])
    assert filter_(data, column="x", none_of=[2.6])["x"][:] == [5.0]
