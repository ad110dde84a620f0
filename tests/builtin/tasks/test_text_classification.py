"""The task of giving each text one label."""

from __future__ import annotations

from typing import Any

import datasets
import pytest
import torch
from datasets import ClassLabel, Dataset, Features, List, Value

from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.errors import DataError
from tests.training.tiny import LABELS, make_rows, write_tiny

NAMES = ["negative", "positive"]


def rows_of(labels: list[Any], kind: Any = None) -> Dataset:
    ids = [[2, 7, 3]] * len(labels)
    if kind is None:
        return Dataset.from_dict({"input_ids": ids, "label": labels})
    features = Features({"input_ids": List(Value("int32")), "label": kind})
    return Dataset.from_dict({"input_ids": ids, "label": labels}, features=features)


@pytest.mark.parametrize(
    "rows",
    [
        rows_of(["positive", "negative", "positive"]),
        rows_of(["positive", "negative", "positive"], Value("large_string")),
        rows_of([1, 0, 1]),
        rows_of([1, 0, 1], Value("int8")),
        rows_of([1, 0, 1], ClassLabel(names=NAMES)),
        rows_of([0, 1, 0], ClassLabel(names=NAMES[::-1])),
    ],
    ids=["text", "large text", "number", "small number", "class label", "class label, other order"],
)
def test_training_14_every_type_of_target_gives_the_same_label_map(rows: Dataset):
    """Texts, whole numbers and class labels lead to the same outputs and the same ids."""
    task = TextClassification(labels=NAMES)

    head = task.head({"train": rows})

    assert head.labels == ("negative", "positive")
    assert task.encode(rows, head, split="train")["labels"][:] == [1, 0, 1]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (rows_of(["b", "a", "b"]), ("a", "b")),
        (rows_of([10, 9, 10]), ("9", "10")),
        (rows_of([True, False]), ("False", "True")),
        (rows_of([1, 0], ClassLabel(names=["z", "a"])), ("z", "a")),
    ],
    ids=["text", "number", "truth", "class label"],
)
def test_labels_come_from_the_data_when_the_recipe_has_none(
    rows: Dataset, expected: tuple[str, ...]
):
    """Class labels keep their order, other values are sorted as what they are."""
    task = TextClassification()

    head = task.head({"train": rows})

    assert head.labels == expected
    assert {head.labels[i] for i in task.encode(rows, head, split="train")["labels"]} == {*expected}


def test_a_label_outside_of_the_list_is_named_with_its_place():
    """The error says which label, where, how often, and what may have been meant."""
    rows = rows_of(["positive", "negativ", "negative", "negativ"])

    with pytest.raises(DataError) as caught:
        TextClassification(labels=NAMES).head({"train": rows})

    assert caught.value.key == "labels"
    assert "'negativ' of split 'train' (row 1, 2 in all)" in str(caught.value)
    assert "did you mean 'negative'?" in str(caught.value)


def test_a_number_that_is_no_index_is_an_error():
    """Whole numbers are indices into the recipe's labels, counted from 0."""
    with pytest.raises(DataError, match=r"label 2 of split 'train' \(row 2, 1 in all\)") as caught:
        TextClassification(labels=NAMES).head({"train": rows_of([0, 1, 2])})

    assert caught.value.key == "labels"


def test_training_20_a_single_class_fails_before_training():
    """A split in which every row has the same label cannot teach anything."""
    with pytest.raises(DataError, match="only the label 'positive' in its 3 rows"):
        TextClassification(labels=NAMES).head({"train": rows_of(["positive"] * 3)})


def test_training_6_a_missing_column_lists_those_that_there_are():
    """The nearest name is suggested."""
    with pytest.raises(DataError) as caught:
        TextClassification(label="lable").head({"train": rows_of(["a", "b"])})

    assert caught.value.key == "label"
    assert "its columns: input_ids, label; did you mean 'label'?" in str(caught.value)


@pytest.mark.parametrize(
    "rows",
    [
        rows_of(["positive", None, None]),
        rows_of([1, -1, -1], ClassLabel(names=NAMES)),
        rows_of([1, None, None], ClassLabel(names=NAMES)),
        rows_of(["positive", "", " \t"]),
        rows_of([1, 2, 2], ClassLabel(names=[*NAMES, " "])),
    ],
    ids=["missing", "class label -1", "missing class label", "blank", "blank class label"],
)
def test_rows_without_a_label_are_an_error(rows: Dataset):
    """They are counted, and the first is named."""
    task = TextClassification(labels=NAMES)
    head = task.head({"train": rows_of([0, 1])})

    with pytest.raises(DataError, match="2 of 3 rows of split 'test' have no label") as caught:
        task.encode(rows, head, split="test")

    assert caught.value.key == "label"


def test_an_empty_text_is_no_label_of_its_own():
    """With labels from the data too, where it would be the first one."""
    rows = rows_of(["b", "", "a", "  ", None])

    with pytest.raises(DataError, match=r"3 of 5 rows of split 'train' have no label.*first row 1"):
        TextClassification().head({"train": rows})


def test_labels_of_another_type_are_refused():
    """Fractions are no labels."""
    with pytest.raises(DataError, match="column 'label' of split 'train' holds double"):
        TextClassification().head({"train": rows_of([0.5, 1.5])})


@pytest.mark.parametrize("kind", [List(Value("int32")), datasets.LargeList(Value("uint16"))])
def test_a_batch_is_padded_to_its_longest_row(kind: Any):
    """Ids, mask and targets of the rows asked for, whatever list type holds them."""
    features = Features({"input_ids": kind, "label": Value("int64")})
    data = {"input_ids": [[9] * 50, [2, 7, 8, 3], [2, 3]], "label": [0, 1, 0]}
    task = TextClassification(labels=NAMES)
    rows = Dataset.from_dict(data, features=features)
    encoded = task.encode(rows, task.head({"train": rows}), split="train")

    batch = task.collate(encoded.with_format("arrow")[[2, 1]])

    assert batch["input_ids"].tolist() == [[2, 3, 0, 0], [2, 7, 8, 3]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert batch["labels"].tolist() == [0, 1]
    assert task.lengths(encoded).tolist() == [50, 4, 2]


def test_token_types_and_a_mask_in_the_data_are_taken_along():
    """A pair of texts comes with the types of its tokens."""
    data = {
        "input_ids": [[2, 7, 3, 8, 3], [2, 3]],
        "token_type_ids": [[0, 0, 0, 1, 1], [0, 0]],
        "attention_mask": [[1, 1, 0, 1, 1], [1, 1]],
        "text": ["a", "b"],
        "label": [0, 1],
    }
    task = TextClassification(labels=NAMES)
    rows = Dataset.from_dict(data)
    encoded = task.encode(rows, task.head({"train": rows}), split="train")

    batch = task.collate(encoded.with_format("arrow")[[0, 1]])

    assert batch["token_type_ids"].tolist() == [[0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0, 1, 1], [1, 1, 0, 0, 0]]
    assert set(batch) == {"input_ids", "token_type_ids", "attention_mask", "labels"}


def test_training_25_padding_does_not_change_the_loss(tmp_path):
    """The same rows, alone at their own length or beside a much longer one, have the same loss."""
    task = TextClassification(labels=LABELS)
    rows = make_rows(12)
    head = task.head({"train": rows})
    encoded = task.encode(rows, head, split="train").with_format("arrow")
    # Wide weights, so that attending to padding would show.
    network = Transformer(config=str(write_tiny(tmp_path, initializer_range=0.5))).build(head)
    network.eval()

    alone = [task.step(network, task.collate(encoded[[i]])).loss for i in range(12)]
    together = task.step(network, task.collate(encoded[list(range(12))])).loss

    assert torch.stack(alone).mean().item() == pytest.approx(together.item(), abs=1e-5)


def test_padding_has_the_id_that_the_model_counts_by(tmp_path):
    """RoBERTa numbers positions by what is not its padding id, which need not be 0."""
    task = TextClassification(labels=LABELS)
    rows = make_rows(4)
    head = task.head({"train": rows})
    batch = task.collate(task.encode(rows, head, split="train").with_format("arrow")[:])
    network = Transformer(config=str(write_tiny(tmp_path, pad_token_id=1))).build(head).eval()
    seen = []
    network.get_input_embeddings().register_forward_pre_hook(lambda _, args: seen.append(args[0]))

    task.step(network, batch)

    assert set(seen[0][batch["attention_mask"] == 0].tolist()) == {1}


@pytest.mark.parametrize(
    ("ids", "message"),
    [([2, 60, 61, 3], "token id 61, and the model knows ids below 61"),
     ([2] * 65, r"more than the 64 tokens that the model takes \(row 1 has 65\)")],
    ids=["vocabulary", "length"],
)  # fmt: skip
def test_rows_that_the_model_cannot_take_are_an_error(tmp_path, ids: list[int], message: str):
    """It is found before the first step, not as an index error in the middle."""
    task = TextClassification(labels=LABELS)
    rows = Dataset.from_dict({"input_ids": [[2, 3], ids], "label": [0, 1]})
    head = task.head({"train": rows})
    network = Transformer(config=str(write_tiny(tmp_path))).build(head)

    with pytest.raises(DataError, match=message):
        task.check(network, task.encode(rows, head, split="train"), split="train")


def test_no_column_of_tokens_says_what_is_missing():
    """A data set that was not tokenized is told apart from one with a wrong label column."""
    rows = Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]})
    task = TextClassification(labels=LABELS)
    head = task.head({"train": rows})

    with pytest.raises(DataError, match="no column 'input_ids'"):
        task.encode(rows, head, split="train")


def test_rows_that_were_selected_or_shuffled_stay_in_their_order():
    """A data set that only points at its rows is read through its pointers."""
    task = TextClassification(labels=LABELS)
    rows = make_rows(10).select([7, 2, 5])
    head = task.head({"train": rows})

    encoded = task.encode(rows, head, split="train")

    assert encoded["input_ids"][:] == rows["input_ids"][:]
    assert [LABELS[i] for i in encoded["labels"]] == rows["label"][:]
    assert task.lengths(encoded).tolist() == [len(ids) for ids in rows["input_ids"]]
