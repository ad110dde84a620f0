"""The task of giving each text a label of each of several columns."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

from mlrecipe.builtin.tasks.multi_output_classification import MultiOutputClassification
from mlrecipe.errors import DataError
from tests.builtin.tasks.rows import Fixed, rows_of, step

ROWS = rows_of(intent=["ask", "tell", "ask", "tell"], topic=["b", "a", "c", "a"])
LOGITS = [[2.0, 0.0, 0.0, 1.0, 0.0], [0.0, 1.0, 3.0, 0.0, 0.0],
          [0.0, 2.0, 0.0, 0.0, 1.0], [0.0, 1.0, 0.0, 1.0, 0.0]]  # fmt: skip
BOTH = ["intent", "topic"]


def settled(**settings: Any) -> MultiOutputClassification:
    return MultiOutputClassification(outputs=BOTH, **settings).settle(ROWS, split="train")[0]


def test_the_head_holds_the_labels_of_all_columns():
    """One output after the other, `column=label`; the labels of each are sorted."""
    head = MultiOutputClassification(outputs=BOTH).head({"train": ROWS})

    assert head.outputs == {"intent": ("ask", "tell"), "topic": ("a", "b", "c")}
    assert head.labels == ("intent=ask", "intent=tell", "topic=a", "topic=b", "topic=c")
    assert head.problem_type == "multi_output_classification"


def test_the_loss_is_the_weighted_mean_of_the_outputs_losses():
    """While learning; reported is the plain mean."""
    task = settled(weights={"topic": 3.0})
    head = task.head({"train": ROWS})
    logits = torch.tensor(LOGITS)
    first = functional.cross_entropy(logits[:, :2], torch.tensor([0, 1, 0, 1])).item()
    second = functional.cross_entropy(logits[:, 2:], torch.tensor([1, 0, 2, 0])).item()

    learnt = step(task, ROWS, head, LOGITS, learning=True).loss.item()
    plain = step(task, ROWS, head, LOGITS).loss.item()

    assert learnt == pytest.approx((first + 3 * second) / 4)
    assert plain == pytest.approx((first + second) / 2)


def test_each_output_has_probabilities_of_its_own():
    """They add up to 1 for each output; targets have a column for each."""
    task = settled()

    output = step(task, ROWS, task.head({"train": ROWS}), LOGITS)

    assert torch.allclose(output.scores[:, :2].sum(1), torch.ones(4))
    assert torch.allclose(output.scores[:, 2:].sum(1), torch.ones(4))
    assert output.targets.tolist() == [[0, 1], [1, 0], [0, 2], [1, 0]]


def test_metrics_are_those_of_each_output_and_their_mean():
    """Three of four intents are right, and three of four topics; over two batches, and again."""
    task = settled()
    head = task.head({"train": ROWS})
    output = step(task, ROWS, head, LOGITS)
    meters = task.meters(head)

    for _ in range(2):
        for part in (slice(0, 3), slice(3, 4)):
            for meter in meters.values():
                meter.update(output.scores[part], output.targets[part])
        found = {name: meter.compute().item() for name, meter in meters.items()}
        for meter in meters.values():
            meter.reset()

        assert found == pytest.approx(
            {"accuracy": 0.75, "intent/accuracy": 0.75, "topic/accuracy": 0.75}
        )


def test_labels_are_those_of_a_head_where_the_recipe_has_none():
    """So that a checkpoint can be tested: without them it is not known where an output begins."""
    head = settled().head({"train": ROWS})
    task = MultiOutputClassification(outputs=BOTH)
    batch = task.collate(task.inputs(ROWS, split="test").data.table)

    assert task.of(head).scores(Fixed(LOGITS), batch).shape == (4, 5)
    with pytest.raises(DataError, match="not known"):
        task.scores(Fixed(LOGITS), batch)


def test_what_was_found_is_kept():
    """A label map for each column that the recipe gives no labels of."""
    task = MultiOutputClassification(outputs=BOTH, labels={"intent": ["tell", "ask"]})

    assert task.settle(ROWS, split="train")[1] == {"label_map_topic": {"a": 0, "b": 1, "c": 2}}


@pytest.mark.parametrize(
    ("outputs", "labels", "key", "message"),
    [
        (["intent", "tpoic"], None, "outputs", "no column 'tpoic'"),
        ([], None, "outputs", "there is no column"),
        (["intent", "intent"], None, "outputs", "there twice"),
        (BOTH, {"intent": ["ask", "say"]}, "labels", "'tell' .* is not among the labels"),
        (BOTH, {"intent": ["ask", "ask"]}, "labels", "there twice"),
    ],
)
def test_mistakes_are_named(outputs: list[str], labels: Any, key: str, message: str):
    """With the parameter to change."""
    task = MultiOutputClassification(outputs=outputs, labels=labels)

    with pytest.raises(DataError, match=message) as caught:
        task.head({"train": ROWS})

    assert caught.value.key == key


def test_glue_7_rows_without_any_label_are_unlabelled():
    """One label of one output is enough to be labelled."""
    task = settled()
    head = task.head({"train": ROWS})

    assert not task.is_labelled(rows_of(text=["a"]), head)
    assert task.is_labelled(rows_of(topic=["a"]), head)
