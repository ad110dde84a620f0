"""Losses of classification: smoothing, class weights, focus; and what is reported of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.losses import class_weights, classification_loss
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head
from tests.training.test_fit import log_of, train
from tests.training.tiny import LABELS, make_rows, make_splits

HEAD = Head(problem_type="single_label_classification", labels=tuple(LABELS))
LOGITS = torch.tensor([[2.0, 0.5, -1.0], [0.1, 0.2, 0.3], [-1.0, 3.0, 0.0]])
TARGETS = torch.tensor([0, 2, 0])
LOGS = functional.log_softmax(LOGITS, dim=-1)
OWN = -LOGS[range(3), TARGETS]


def loss(**settings: object) -> float:
    return classification_loss(LOGITS, TARGETS, **settings).item()


def test_without_settings_it_is_the_mean_cross_entropy_bit_for_bit():
    """The very number that torch gives."""
    assert loss() == functional.cross_entropy(LOGITS, TARGETS).item()


def test_smoothing_spreads_its_share_over_all_labels():
    """(1 - s) of the target's own, s of the mean over the labels."""
    expected = (0.7 * OWN - 0.3 * LOGS.mean(dim=-1)).mean().item()

    assert loss(label_smoothing=0.3) == pytest.approx(expected)


def test_class_weights_multiply_each_rows_loss_and_the_mean_is_over_rows():
    """So batches of a step can be cut anywhere: their losses, weighed by rows, are the whole one's."""
    weights = [0.5, 1.0, 3.0]
    expected = (OWN * torch.tensor([0.5, 3.0, 0.5])).mean().item()
    parts = [
        classification_loss(LOGITS[a:b], TARGETS[a:b], weights=weights).item() * (b - a)
        for a, b in ((0, 1), (1, 3))
    ]

    assert loss(weights=weights) == pytest.approx(expected)
    assert sum(parts) / 3 == pytest.approx(expected)


def test_smoothing_and_weights_go_together_as_in_torch():
    """torch's own with reduction `sum`, over the rows."""
    weights = torch.tensor([0.5, 1.0, 3.0])
    summed = functional.cross_entropy(
        LOGITS, TARGETS, weight=weights, label_smoothing=0.2, reduction="sum"
    )

    found = loss(weights=weights.tolist(), label_smoothing=0.2)

    assert found == pytest.approx(summed.item() / 3)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_the_focal_loss_is_that_of_lin_et_al(gamma: float):
    """Equation 5: -(1 - p) ** gamma * log p, times the class's weight."""
    p = torch.exp(-OWN)
    expected = (1 - p) ** gamma * OWN

    assert loss(focal_gamma=gamma) == pytest.approx(expected.mean().item())
    weighed = expected * torch.tensor([0.5, 3.0, 0.5])
    found = loss(focal_gamma=gamma, weights=[0.5, 1.0, 3.0])
    assert found == pytest.approx(weighed.mean().item())


def test_the_focal_loss_has_finite_slopes_where_a_row_is_certain():
    """1 - p rounds to 0 there, and a power below 1 has no slope at 0."""
    logits = torch.tensor([[100.0, -100.0], [-100.0, 100.0]], requires_grad=True)

    classification_loss(logits, torch.tensor([0, 0]), focal_gamma=0.5).backward()

    assert torch.isfinite(logits.grad).all()
    assert logits.grad[1, 0] < 0


def test_no_rows_lose_nothing():
    """A process without rows makes its step with the others; its loss has a slope of 0."""
    logits = torch.zeros(0, 3, requires_grad=True)

    found = classification_loss(logits, torch.zeros(0, dtype=torch.long), weights=[1, 2, 3])
    found.backward()

    assert found.item() == 0


def test_training_29_balanced_weights_are_n_over_k_times_the_count():
    """By hand: 6 rows, 3 labels, counts 3, 2 and 1; the mean over the rows is 1."""
    ids = np.array([0, 0, 0, 1, 1, 2])

    found = class_weights("balanced", ["a", "b", "c"], ids, split="train")

    assert found == (6 / (3 * 3), 6 / (3 * 2), 6 / (3 * 1))
    assert np.mean([found[i] for i in ids]) == pytest.approx(1.0)


def test_training_29_a_training_learns_with_balanced_weights_and_keeps_them(tiny: Path, run: Path):
    """48 negative and 16 positive rows of the train split: 64 / (2 * count); validation has no part in it."""
    rows = make_rows(64, seed=1).map(lambda _, i: {"label": LABELS[i % 4 == 0]}, with_indices=True)
    seen: list[events.Event] = []
    with events.listening(seen.append):
        report = train(
            tiny, run, data=make_splits() | {"train": rows}, batch_size=64,
            task=TextClassification(labels=LABELS, class_weights="balanced"),
        )  # fmt: skip

    expected = {"negative": 64 / (2 * 48), "positive": 64 / (2 * 16)}
    assert report.taken == {"class_weights": expected}
    assert json.loads(json.dumps(dict(report.taken))) == report.taken
    notes = [e.text for e in seen if isinstance(e, events.Note) and "weights" in e.text]
    assert notes == ["class weights: negative 0.6667, positive 2"]


def test_weights_act_on_what_is_learned_from(tiny: Path, run: Path):
    """With a factor of 10 for every row the loss is ten times that of guessing; what is validated is not."""
    weights = dict.fromkeys(LABELS, 10.0)

    report = train(tiny, run, task=TextClassification(labels=LABELS, class_weights=weights))

    logged = {name: float(v) for row in log_of(run) for name, v in row.items() if v}
    assert logged["train/loss"] > 5
    assert report.best_metrics["valid/loss"] < 1


@pytest.mark.parametrize(
    "given", [[1.0, 3.0], {"positive": 3.0, "negative": 1.0}], ids=["list", "table"]
)
def test_weights_go_by_the_order_of_the_labels_or_by_their_names(given: object):
    """Whatever the order of the table."""
    task = TextClassification(labels=LABELS, class_weights=given)

    settled, taken = task.settle(make_rows(8), split="train")

    assert settled.class_weights == [1.0, 3.0]
    assert taken == {"class_weights": {"negative": 1.0, "positive": 3.0}}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([1.0], "there is 1 weight for 2 labels; give one for each, in their order"),
        ([1.0, -1.0], "weights are 0 or more, and not all 0"),
        ([0.0, 0.0], "weights are 0 or more, and not all 0"),
        ({"positiv": 1.0, "negative": 1.0}, "no label 'positiv' to weigh; did you mean 'positive'"),
        ({"negative": 1.0}, "no weight for the label 'positive'"),
    ],
)
def test_weights_that_are_not_the_labels_own_are_an_error(given: object, message: str):
    """The key is the parameter's."""
    task = TextClassification(labels=LABELS, class_weights=given)

    with pytest.raises(DataError) as caught:
        task.settle(make_rows(8), split="train")

    assert message in str(caught.value)
    assert caught.value.key == "class_weights"


def test_a_label_without_rows_cannot_be_balanced():
    """Its weight would be infinite."""
    task = TextClassification(labels=[*LABELS, "neutral"], class_weights="balanced")

    with pytest.raises(DataError, match="label 'neutral' has no row in split 'train' to balance"):
        task.settle(make_rows(8), split="train")


def test_the_reported_losses_are_plain_cross_entropy(tiny: Path):
    """Weights, smoothing and focus act on what is learned from; what is validated compares across them."""
    module = Transformer(config=str(tiny), dropout=0.0).build(HEAD)
    module.classifier.weight.data *= 50  # so that it is sure of something
    plain = TextClassification(labels=LABELS)
    rows = plain.encode(make_rows(6), HEAD, split="train")
    batch = plain.collate(rows.data.table)
    expected = plain.step(module.train(), batch).loss

    for settings in ({"class_weights": [2.0, 2.0]}, {"label_smoothing": 0.5}, {"focal_gamma": 3.0}):
        task = TextClassification(labels=LABELS, **settings)
        learned = task.step(module.train(), batch).loss
        reported = task.step(module.eval(), batch).loss

        assert torch.equal(reported, expected)
        assert not torch.isclose(learned, expected)
        if "class_weights" in settings:
            assert learned.item() == pytest.approx(2 * expected.item())
