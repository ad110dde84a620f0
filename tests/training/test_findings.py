"""What is said of data before they are learnt from."""

from __future__ import annotations

import numpy as np
import pytest
from datasets import Dataset, concatenate_datasets

from mlrecipe import events
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.training import findings
from tests.training.tiny import LABELS, make_rows, make_splits


def lengths(rows: Dataset) -> np.ndarray:
    """Tokens of each row."""
    return np.array([len(ids) for ids in rows["input_ids"]])


@pytest.mark.parametrize(("cut", "is_said"), [(5, False), (6, True)])
def test_more_than_a_twentieth_truncated_is_said(cut, is_said):
    """By the column that the op tokenize writes."""
    rows = make_rows(100).add_column("truncated", [i < cut for i in range(100)])

    text = findings.truncation("train", rows, lengths(rows))

    assert (text is not None) == is_said
    assert text is None or text.startswith("6% of the rows of split 'train' have lost tokens")


def test_words_that_a_window_cannot_hold_are_said():
    """Rows read through windows lose nothing else, whatever their lengths."""
    rows = make_rows(100).add_column("windows", [[1]] * 100)
    lost = rows.add_column("truncated", [i < 6 for i in range(100)])
    cut = np.minimum(lengths(rows), 12)

    assert findings.truncation("train", rows, cut) is None
    assert findings.truncation("train", lost, cut) == (
        "6% of the rows of split 'train' have lost tokens: a word of theirs is longer than a window"
    )


def test_without_that_column_a_spike_at_the_greatest_length_is_said():
    """Rows of one length alone say nothing."""
    rows = make_rows(100)
    cut = np.minimum(lengths(rows), 12)

    assert "seem to have lost tokens: they are cut at 12" in str(
        findings.truncation("train", rows, cut)
    )
    assert findings.truncation("train", rows, lengths(rows)) is None
    assert findings.truncation("train", rows, np.full(100, 8)) is None


@pytest.mark.parametrize("column", ["input_ids", "text"])
def test_rows_that_splits_share_are_counted(column):
    """Whole rows only, whatever their order, in several chunks."""
    splits = make_splits(train=40, valid=20, test=20)
    splits["test"] = concatenate_datasets([splits["test"], splits["train"].select([7, 3, 9])])
    splits["train"] = concatenate_datasets([splits["train"], make_rows(5, seed=9)])
    if column == "text":
        splits = {
            name: rows.map(lambda row: {"text": " ".join(map(str, row["input_ids"]))})
            .remove_columns("input_ids")
            for name, rows in splits.items()
        }  # fmt: skip

    found = findings.overlaps(splits, "train", ["valid", "test"])

    assert len(found) == 1
    assert found[0].startswith("3 rows of split 'test' (13.0%) are in split 'train' too")


def test_rows_of_the_same_values_in_another_order_are_not_the_same():
    """Nor are those of which one goes on where the other ends."""
    train = Dataset.from_dict({"input_ids": [[1, 2, 3], [4, 5], [0, 0]]})
    other = Dataset.from_dict({"input_ids": [[3, 2, 1], [4], [5], [4, 5, 0], [0], []]})

    assert findings.overlaps({"train": train, "test": other}, "train", ["test"]) == []


def test_pieces_give_the_hashes_of_the_whole(monkeypatch):
    """However many tokens are looked at at a time."""
    rows = make_rows(50)
    whole = findings._keys(rows, "input_ids")
    monkeypatch.setattr(findings, "_PIECE", 37)

    assert np.array_equal(findings._keys(rows, "input_ids"), whole)
    assert len(np.unique(whole)) == 50


def test_both_are_said_before_training(heard):
    """As warnings, of the splits in use and of the test split."""
    splits = make_splits(train=40, valid=20, test=20)
    splits["test"] = splits["train"].select(range(4)).flatten_indices()
    splits["valid"] = splits["valid"].add_column("truncated", [True] * 20)
    task = TextClassification(labels=LABELS)
    head = task.head(splits)
    encoded = {name: task.encode(splits[name], head, split=name) for name in ("train", "valid")}

    findings.warn(task, splits, encoded)

    notes = [event for event in heard if isinstance(event, events.Note)]
    assert [note.level for note in notes] == ["warning", "warning"]
    assert "100% of the rows of split 'valid'" in notes[0].text
    assert "4 rows of split 'test' (100.0%)" in notes[1].text


def test_what_the_statistics_have_told_is_not_said_again(heard):
    """Rows in common with the train split, of the very splits that they named."""
    splits = make_splits(train=40, valid=20, test=20)
    splits["valid"] = splits["train"].select(range(3)).flatten_indices()
    splits["test"] = splits["train"].select(range(4)).flatten_indices()
    facts = {"splits": {"train": {"overlap": {}}, "valid": {"overlap": {"train": 0}},
                        "test": {"overlap": {"train": 4, "valid": 3}}}}  # fmt: skip
    task = TextClassification(labels=LABELS)
    head = task.head(splits)
    encoded = {name: task.encode(splits[name], head, split=name) for name in ("train", "valid")}

    told = findings.told_by(facts, "train")
    findings.warn(task, splits, encoded, told)

    assert told == {"test"}
    assert findings.told_by({"splits": {"train": {"overlap": {"dev": 2}}}}, "train") == {"dev"}
    (note,) = [event for event in heard if isinstance(event, events.Note)]
    assert "3 rows of split 'valid'" in note.text


def test_sequence_12_rows_of_words_that_test_shares_with_train_are_said():
    """Of equal words in equal places, whatever their tags; with rows left out by `select` too."""

    def rows(*texts):
        words = [text.split() for text in texts]
        return Dataset.from_dict({"tokens": words, "tags": [["O"] * len(row) for row in words]})

    train = rows("skipped", "a bc", "", "d e", "a bc").select([4, 1, 2, 3])
    data = {"train": train, "test": rows("ab c", "a bc", "e d", "skipped", "d e", "d")}

    (text,) = findings.overlaps(data, "train", ["test"])

    assert text.startswith("2 rows of split 'test' (33.3%) are in split 'train' too")
    assert "deduplicate" in text
    assert findings.overlaps({**data, "test": rows("b", "")}, "train", ["test"]) != []
    assert findings.overlaps({**data, "test": rows("b", "abc")}, "train", ["test"]) == []


@pytest.mark.parametrize(
    ("column", "values"),
    [("tokens", [3, 4]), ("input_ids", [[[1, 2], [3]], [[4], [5, 6]]]), ("text", [1.5, 2.5])],
)
def test_columns_that_only_have_the_name_are_not_compared(column, values):
    """A number of tokens, or the tokens of each of several choices."""
    rows = Dataset.from_dict({column: values})

    assert findings.overlaps({"train": rows, "test": rows}, "train", ["test"]) == []
