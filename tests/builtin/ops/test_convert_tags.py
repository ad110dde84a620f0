"""The op `convert-tags`."""

from __future__ import annotations

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, List, Value

from mlrecipe import DataError
from mlrecipe.builtin.ops.convert_tags import convert_tags

TEXTS = List(Value("string"))


def tagged(*rows: str | None, column: str = "tags") -> Dataset:
    """Rows with these tags between two other columns."""
    tags = [None if row is None else row.split() for row in rows]
    features = Features({"id": Value("int64"), column: TEXTS, "n": Value("int64")})
    numbers = list(range(len(rows)))
    return Dataset.from_dict({"id": numbers, column: tags, "n": numbers}, features=features)


def test_tags_change_and_all_else_stays(notes):
    """The scheme is found in the data, and said."""
    data = DatasetDict({"train": tagged("I-A I-A B-A O", ""), "test": tagged("I-B")})

    made = convert_tags(data, target="IOB2")

    assert made["train"]["tags"][:] == ["B-A I-A B-A O".split(), []]
    assert made["test"]["tags"][:] == [["B-B"]]
    assert made["train"].features == data["train"].features
    assert made["train"]["n"][:] == [0, 1]
    assert notes == ["the tags are read as IOB1"]


def test_a_scheme_that_is_given_is_not_sought(notes):
    """`I-A` alone could be of either."""
    made = convert_tags(tagged("I-A B-A"), source="IOB1", target="BILOU", column="tags")

    assert made["tags"][:] == [["U-A", "U-A"]]
    assert notes == []


def test_class_labels_count_by_their_names():
    """And become texts, for the new tags are other ones."""
    features = Features({"ner_tags": List(ClassLabel(names=["O", "B-A", "I-A"]))})
    data = Dataset.from_dict({"ner_tags": [[1, 2, 0]]}, features=features)

    made = convert_tags(data, target="BIOES", column="ner_tags")

    assert made["ner_tags"][:] == [["B-A", "E-A", "O"]]
    assert made.features["ner_tags"] == TEXTS


def test_what_has_no_tags_stays():
    """A row without any, and a split without the column."""
    data = DatasetDict({"train": tagged("B-A", None), "new": tagged("B-A").remove_columns("tags")})

    made = convert_tags(data, target="BIOES")

    assert made["train"]["tags"][:] == [["S-A"], None]
    assert made["new"].column_names == ["id", "n"]


def test_a_tag_that_may_not_stand_there_is_an_error_or_repaired():
    """The error says where, and how to go on."""
    data = DatasetDict({"train": tagged("B-A", "O I-A I-A")})

    with pytest.raises(DataError) as caught:
        convert_tags(data, source="IOB2", target="BIOES")
    repaired = convert_tags(data, source="IOB2", target="BIOES", illegal="repair")

    assert caught.value.key == "source"
    assert caught.value.message == (
        "row 2 in split 'train', word 2: tag 'I-A' may not follow 'O' in IOB2"
    )
    assert 'illegal = "repair"' in str(caught.value.hint)
    assert repaired["train"]["tags"][1] == ["O", "B-A", "E-A"]


@pytest.mark.parametrize(
    ("rows", "params", "key", "message"),
    [
        (["B-A X"], {}, "source", "tag 'B-A' has a prefix, tag 'X' has none"),
        (["B-A B-A"], {"target": "plain"}, "target", "row 1, two spans 'A' follow each other"),
        (["S-A"], {"source": "IOB2"}, "source", "row 1, word 1: tag 'S-A' is none of IOB2"),
        (["B-A"], {"column": "tgas"}, "column", "no column 'tgas'"),
        (["B-A"], {"column": "n"}, "column", "'n' does not hold a list of tags"),
    ],
)
def test_what_cannot_be_converted(rows, params, key, message):
    """The error names the parameter and the row."""
    with pytest.raises(DataError, match=message) as caught:
        convert_tags(tagged(*rows), **{"target": "IOB1", **params})

    assert caught.value.key == key


@pytest.mark.parametrize("missing", [None, -1])
def test_a_word_without_a_tag_is_an_error(missing):
    """A null, and of class labels -1, the hub's sign for unlabelled."""
    kind = Value("string") if missing is None else ClassLabel(names=["O", "B-A"])
    rows = [["O", "B-A", None]] if missing is None else [[0, 1, -1]]
    data = Dataset.from_dict({"tags": rows}, features=Features({"tags": List(kind)}))

    with pytest.raises(DataError, match="word 3 of row 1 has no tag"):
        convert_tags(data, target="BIOES")
