"""The task of giving each text any number of labels."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from datasets import ClassLabel, Dataset, List
from torch.nn import functional

from mlrecipe.builtin.tasks.multi_label_classification import MultiLabelClassification
from mlrecipe.errors import DataError
from tests.builtin.tasks.rows import kept, rows_of, step

NAMES = ["anger", "joy", "fear"]
EXPECTED = [[1, 0, 1], [0, 0, 0], [0, 1, 0]]
LISTS = [["fear", "anger"], [], ["joy"]]


@pytest.mark.parametrize(
    ("rows", "settings"),
    [
        (rows_of(label=LISTS), {"labels": NAMES}),
        (rows_of(label=[[2, 0], [], [1]]), {"labels": NAMES}),
        (rows_of({"label": List(ClassLabel(names=NAMES))}, label=[[2, 0], [], [1]]), {}),
        (rows_of({"label": List(ClassLabel(names=NAMES[::-1]))}, label=[[0, 2], [], [1]]),
         {"labels": NAMES}),
        (rows_of(label=["fear, anger", None, " joy"]), {"labels": NAMES, "separator": ","}),
        (rows_of(label=["fear||anger|", "", "joy"]), {"labels": NAMES, "separator": "|"}),
        (rows_of(anger=[1, 0, 0], joy=[False, False, True], fear=[1.0, 0.0, 0.0]),
         {"labels_from": NAMES}),
    ],
    ids=["lists", "numbers", "class labels", "other order", "text", "gaps", "columns"],
)  # fmt: skip
def test_every_form_of_labels_gives_the_same_targets(rows: Dataset, settings: dict[str, Any]):
    """Lists of names, of numbers or of class labels, texts with a separator, columns of 0 and 1."""
    task = MultiLabelClassification(**settings)

    head = task.head({"train": rows})

    assert head.labels == tuple(NAMES)
    assert head.problem_type == "multi_label_classification"
    assert task.encode(rows, head, split="train")["labels"][:] == EXPECTED


def test_glue_8_labels_of_the_data_are_sorted_and_kept():
    """The map stands in the run's record, and the column if it was found."""
    rows = rows_of(tags=LISTS)

    assert kept(MultiLabelClassification(), rows) == {
        "label_column": "tags", "label_map": {"anger": 0, "fear": 1, "joy": 2},
    }  # fmt: skip


def test_the_loss_is_binary_cross_entropy_of_each_label():
    """The mean over rows and labels; scores are probabilities of each label for itself."""
    rows, task = rows_of(label=LISTS), MultiLabelClassification(labels=NAMES)
    logits = [[1.0, -2.0, 0.5], [0.0, 0.0, 3.0], [-1.0, 2.0, 0.0]]

    output = step(task, rows, task.head({"train": rows}), logits)

    given, wanted = torch.tensor(logits), torch.tensor(EXPECTED)
    expected = functional.binary_cross_entropy(given.sigmoid(), wanted.float())
    assert output.loss.item() == pytest.approx(expected.item(), rel=1e-6)
    assert torch.equal(output.scores, given.sigmoid())
    assert torch.equal(output.targets, wanted)


def test_weights_are_balanced_while_learning_only():
    """Rows without a label / rows with it; validation reports the plain loss."""
    rows = rows_of(label=[["a"], ["a", "b"], ["a"], []])
    task = MultiLabelClassification(pos_weight="balanced")
    head = task.head({"train": rows})
    logits = [[0.3, -0.7]] * 4

    settled, taken = task.settle(rows, split="train")

    assert taken["pos_weight"] == {"a": pytest.approx(1 / 3), "b": 3.0}
    learnt = step(settled, rows, head, logits, learning=True).loss
    plain = step(settled, rows, head, logits).loss
    targets = torch.tensor([[1.0, 0], [1, 1], [1, 0], [0, 0]])
    weights = torch.tensor([1 / 3, 3.0])
    expected = functional.binary_cross_entropy_with_logits(
        torch.tensor(logits), targets, pos_weight=weights
    )
    assert learnt.item() == pytest.approx(expected.item())
    assert plain.item() != pytest.approx(expected.item())


@pytest.mark.parametrize(
    ("rows", "settings", "key", "message"),
    [
        (rows_of(label=["a,b", "c"]), {}, "label", "holds texts"),
        (rows_of(label=[1.0, 2.0]), {"label": "label"}, "label", "holds double"),
        (rows_of(label=[["a"], None]), {}, "label", "1 of 2 rows .* has no list .* first row 1"),
        (rows_of(label=[["a"], ["b", "x"]]), {"labels": ["a", "b"]}, "labels", r"'x' .*\(row 1\)"),
        (rows_of(label=[[0], [7]]), {"labels": ["a", "b"]}, "labels", r"label 7 .*\(row 1\)"),
        (rows_of(label=[["a", None], ["b"]]), {}, "labels", r"label None .*\(row 0\)"),
        (rows_of(label=["", " "]), {"separator": ","}, "label", "no row .* has a label"),
        (rows_of(a=[0, 2]), {"labels_from": ["a"]}, "labels_from", "row 1 .* has 2 in column 'a'"),
        (rows_of(a=[0, None]), {"labels_from": ["a"]}, "labels_from", "row 1 .* has nothing"),
        (rows_of(a=["0", "1"]), {"labels_from": ["a"]}, "labels_from", "holds string"),
        (rows_of(a=[0, 1]), {"labels_from": ["b"]}, "labels_from", "no column 'b'"),
        (rows_of(a=[0, 1]), {"labels_from": ["a"], "labels": ["a"]}, "labels_from", "the place of"),
    ],
)
def test_mistakes_are_named(rows: Dataset, settings: dict[str, Any], key: str, message: str):
    """With the parameter to change, and the row."""
    task = MultiLabelClassification(**settings)

    with pytest.raises(DataError, match=message) as caught:
        task.encode(rows, task.head({"train": rows}), split="train")

    assert caught.value.key == key


@pytest.mark.parametrize("label", [["a"], ["a", "b"]])
def test_a_label_that_nothing_speaks_against_cannot_be_balanced(label: list[str]):
    """Each row has it, or none; the error names it."""
    rows = rows_of(label=[label, ["a"]])
    task = MultiLabelClassification(labels=["a", "b"], pos_weight="balanced")

    with pytest.raises(DataError, match=r"every row .* has the label 'a'") as caught:
        task.settle(rows, split="train")

    assert caught.value.key == "pos_weight"


@pytest.mark.parametrize(
    ("rows", "settings", "expected"),
    [
        (rows_of(text=["a"]), {}, False),
        (rows_of(label=[[], []]), {}, True),
        (rows_of({"label": List(ClassLabel(names=NAMES))}, label=[None, None]), {}, False),
        (rows_of(label=["", "joy"]), {"separator": ","}, True),
        (rows_of(label=["", " "]), {"separator": ","}, False),
        (rows_of(anger=[1], joy=[0], fear=[0]), {"labels_from": NAMES}, True),
        (rows_of(text=["a"]), {"labels_from": NAMES}, False),
    ],
)
def test_glue_7_rows_without_labels_are_told_from_rows_with_none_of_them(
    rows: Dataset, settings: dict[str, Any], expected: bool
):
    """An empty list is an answer; cells of text that are all empty are none."""
    labels = None if "labels_from" in settings else NAMES
    task = MultiLabelClassification(labels=labels, **settings)
    head = MultiLabelClassification(labels=NAMES).head({"train": rows_of(label=LISTS)})

    assert task.is_labelled(rows, head) is expected
