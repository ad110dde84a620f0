"""The op `deduplicate`."""

from __future__ import annotations

import pytest
from datasets import Dataset, DatasetDict

from mlrecipe import DataError
from mlrecipe.builtin.ops.deduplicate import deduplicate
from mlrecipe.builtin.ops.statistics import statistics


def texts(*values):
    return Dataset.from_dict({"n": list(range(len(values))), "text": list(values)})


@pytest.fixture
def data():
    """Splits that share texts, and repeat some."""
    return DatasetDict(
        {
            "train": texts("a", "b", "a", "c", "d"),
            "valid": texts("b", "v", "t"),
            "test": texts("c", "t", "t"),
        }
    )


def kept(data):
    return {name: split["n"][:] for name, split in data.items()}


def test_the_first_of_equal_rows_stays(data):
    """Each split by itself."""
    assert kept(deduplicate(data, columns=["text"])) == {
        "train": [0, 1, 3, 4], "valid": [0, 1, 2], "test": [0, 1],
    }  # fmt: skip


def test_by_default_all_columns_count(data):
    """Rows that differ in any column are not equal."""
    assert kept(deduplicate(data)) == kept(data)


def test_across_splits_test_wins_then_valid(data):
    """A row of train that is elsewhere too goes; the order of splits stays."""
    assert kept(deduplicate(data, columns=["text"], across_splits=True)) == {
        "train": [0, 4], "valid": [0, 1], "test": [0, 1],
    }  # fmt: skip


def test_only_the_named_splits_lose_rows(data):
    """The others still say what train may not have."""
    result = deduplicate(data, columns=["text"], across_splits=True, splits=["train"])

    assert kept(result) == {"train": [0, 4], "valid": [0, 1, 2], "test": [0, 1, 2]}


def test_normalized_texts():
    """Case and white space do not count when so asked."""
    data = texts("A  b", "a b ", "a\nB", "ab")

    assert deduplicate(data, columns=["text"])["n"][:] == [0, 1, 2, 3]
    assert deduplicate(data, columns=["text"], normalize=True)["n"][:] == [0, 3]


def test_values_of_any_type():
    """Lists, missing values and texts that look like them are told apart."""
    data = Dataset.from_dict({"n": [0, 1, 2, 3], "x": [[1, 2], [1, 2], None, []]})
    mixed = texts(None, "null", None, "")

    assert deduplicate(data, columns=["x"])["n"][:] == [0, 2, 3]
    assert deduplicate(mixed, columns=["text"])["n"][:] == [0, 1, 3]


def test_columns_are_not_run_together():
    """`ab` and `c` are not `a` and `bc`."""
    data = Dataset.from_dict({"x": ["ab", "a"], "y": ["c", "bc"]})

    assert len(deduplicate(data)) == 2


def test_it_says_what_it_drops(data, notes):
    """Repeated rows, and rows that are elsewhere."""
    deduplicate(data, columns=["text"], across_splits=True)

    assert notes == [
        "1 repeated rows of 3 dropped in split 'test'",
        "0 repeated rows of 3 dropped in split 'valid', and 1 that are in another split",
        "1 repeated rows of 5 dropped in split 'train', and 2 that are in another split",
    ]


@pytest.mark.parametrize(
    ("params", "key"), [({"columns": ["txt"]}, "columns"), ({"splits": ["dev"]}, "splits")]
)
def test_unknown_names(params, key, data):
    """The error names the parameter."""
    with pytest.raises(DataError) as error:
        deduplicate(data, **params)

    assert error.value.key == key


@pytest.fixture
def sentences():
    """Splits of words with tags, some in two of them."""

    def rows(*texts, tag="O"):
        words = [text.split() for text in texts]
        return Dataset.from_dict({"tokens": words, "tags": [[tag] * len(row) for row in words]})

    return DatasetDict(
        {
            "train": rows("a b", "c", "a b", "a  B", "d"),
            "valid": rows("c", "ab"),
            "test": rows("a b", "c d", tag="X"),
        }
    )


def words(data):
    return {name: [" ".join(row) for row in split["tokens"]] for name, split in data.items()}


def test_sequence_12_words_that_are_in_another_split_are_removed(sentences):
    """Whatever their tags; and those that repeat an earlier row."""
    result = deduplicate(sentences, columns=["tokens"], across_splits=True)

    assert words(result) == {"train": ["a B", "d"], "valid": ["c", "ab"], "test": ["a b", "c d"]}
    assert result["train"].features == sentences["train"].features


def test_sequence_12_within_a_split_the_first_stays(sentences):
    """By default tags count too."""
    assert words(deduplicate(sentences))["train"] == ["a b", "c", "a B", "d"]


def test_sequence_12_words_are_normalised_like_texts(sentences):
    """Each for itself: `ab` is not `a b`."""
    result = deduplicate(sentences, columns=["tokens"], normalize=True, across_splits=True)

    assert words(result) == {"train": ["d"], "valid": ["c", "ab"], "test": ["a b", "c d"]}


def test_sequence_12_what_splits_share_is_reported(sentences):
    """By the op `statistics`, with a warning; and no more once it is removed."""
    found = statistics(sentences)
    clean = statistics(deduplicate(sentences, columns=["tokens"], across_splits=True))

    assert found["splits"]["test"]["overlap"] == {"train": 1, "valid": 0}
    assert "split 'test' has 1 row that is in split 'train' too" in found["warnings"]
    assert clean["splits"]["test"]["overlap"] == {"train": 0, "valid": 0}
    assert not any("too" in text for text in clean["warnings"])
