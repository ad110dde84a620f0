"""Temperature scaling: surer or less sure probabilities, and the same predictions."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from scipy.optimize import minimize_scalar

from mlrecipe.errors import DataError
from mlrecipe.reporting.temperature import HOTTEST, crossed, fit, scaled
from tests.reporting.predicted import (
    numbers,
    one_label,
    outputs,
    random_scores,
    several,
    softmax,
    tagged,
)


def probabilities(table: pa.Table) -> np.ndarray:
    return np.array(table.column("probabilities").to_pylist(), np.float32)


def names(labels: int) -> list[str]:
    return [f"l{i}" for i in range(labels)]


@pytest.mark.parametrize("labels", [2, 5])
@pytest.mark.parametrize("sharp", [0.4, 1.0, 3.0])
def test_the_temperature_is_that_of_the_least_loss(labels, sharp):
    """Equal to what scipy finds of the same loss, and near what made the probabilities too sure."""
    scores, targets = random_scores(labels, rows=2000, sharp=sharp)

    found = fit(one_label(scores, targets, names(labels)))[""]

    logits = np.log(scores.astype(np.float64))

    def loss(heat: float) -> float:
        return float(-np.log(softmax(logits / heat)[np.arange(len(targets)), targets]).mean())

    assert found == pytest.approx(minimize_scalar(loss, (0.5, 2)).x, rel=1e-5)
    assert found == pytest.approx(sharp, rel=0.15)


def hard_rows() -> np.ndarray:
    """Ties, zeros, ones, and numbers that float32 hardly tells apart."""
    least = np.float32(1e-45)
    near = np.nextafter(np.float32(0.5), np.float32(1))
    rows = [
        [0.5, 0.5, 0], [0, 0.5, 0.5], [1, 0, 0], [0, 0, 1], [1 / 3, 1 / 3, 1 / 3],
        [0.5, near, 0], [near, 0.5, 0], [least, 1, least], [0, least, 1], [0.1, 0.2, 0.7],
        [0.3333333, 0.33333334, 0.33333337], [0.5, np.nextafter(near, np.float32(1)), least],
    ]  # fmt: skip
    return np.array(rows, np.float32)


@pytest.mark.parametrize("heat", [1 / HOTTEST, 0.3, 1.0, 1.7, 7.3, HOTTEST, 1e6, 1e-6])
def test_training_44_scaling_never_changes_what_is_greatest(heat):
    """Whatever the temperature, ties, zeros and the nearest of numbers."""
    random, _ = random_scores(3, rows=3000, sharp=4)
    scores = np.concatenate([hard_rows(), random])
    table = one_label(scores, np.zeros(len(scores), int), "abc")

    found = scaled(table, {"": heat})

    fresh = probabilities(found)
    assert (fresh.argmax(1) == scores.argmax(1)).all()
    assert found.column("prediction").equals(table.column("prediction"))
    assert np.isfinite(fresh).all()
    assert fresh.sum(1) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("heat", [1 / HOTTEST, 0.7, 3.0, HOTTEST])
@pytest.mark.parametrize("threshold", [0.5, 0.21, 0.9])
def test_training_44_scaling_never_changes_which_labels_are_given(heat, threshold):
    """The threshold moves as the probabilities do."""
    random = np.random.default_rng(1)
    close = np.nextafter(np.float32(threshold), np.float32([0, 1, threshold]))
    scores = np.concatenate([random.random(4000), [0, 1, threshold, *close]]).astype(np.float32)
    table = several(scores[:, None], np.zeros((len(scores), 1), bool), ["a"], threshold=threshold)

    found = scaled(table, {"": heat})

    moved = json.loads(found.schema.metadata[b"head"])["threshold"]
    given = probabilities(found)[:, 0] > moved
    assert given.tolist() == [bool(row) for row in table.column("prediction").to_pylist()]
    assert (moved == 0.5) == (threshold == 0.5)


def test_scaling_by_the_temperature_that_made_it_too_sure_gives_back_what_was():
    """Probabilities are the softmax of the logits over the temperature."""
    right, targets = random_scores(4, sharp=1)
    sharp, _ = random_scores(4, sharp=3)

    found = scaled(one_label(sharp, targets, names(4)), {"": 3.0})

    assert probabilities(found) == pytest.approx(right, abs=1e-5)


def test_rows_have_no_part_in_their_own_temperature():
    """A fold is scaled by what the rows of the others give."""
    scores, targets = random_scores(3, rows=90, sharp=2)
    table = one_label(scores, targets, "abc")
    folds = np.arange(90) % 3

    found, temperatures = crossed(table, folds)

    for fold in range(3):
        own = pa.array(folds == fold)
        heat = fit(table.filter(pa.array(folds != fold)))
        assert temperatures[fold] == heat
        expected = probabilities(scaled(table.filter(own), heat))
        assert np.array_equal(probabilities(found.filter(own)), expected)


def test_each_output_has_its_temperature():
    """Those of one output say nothing of another."""
    first, targets = random_scores(2, rows=1500, sharp=3)
    second, others = random_scores(2, rows=1500, sharp=0.5, seed=1)
    own = {"x": ("a", "b"), "y": ("c", "d")}
    label = [{"x": "ab"[i], "y": "cd"[j]} for i, j in zip(targets, others, strict=True)]
    given = [
        {"x": "ab"[i], "y": "cd"[j]} for i, j in zip(first.argmax(1), second.argmax(1), strict=True)
    ]
    table = outputs(label, given, np.concatenate([first, second], 1), own)

    found = fit(table)

    assert found["x"] == pytest.approx(3, rel=0.15)
    assert found["y"] == pytest.approx(0.5, rel=0.15)
    assert probabilities(scaled(table, found))[:, :2].sum(1) == pytest.approx(1, abs=1e-5)


def test_several_labels_have_one_temperature():
    """Of the logits of each label, which are odds."""
    random = np.random.default_rng(0)
    odds = random.normal(size=(3000, 2))
    there = random.random((3000, 2)) < 1 / (1 + np.exp(-odds))
    table = several(1 / (1 + np.exp(-2.5 * odds)), there, ["a", "b"])

    assert fit(table)[""] == pytest.approx(2.5, rel=0.1)


def test_rows_that_are_all_right_give_the_least_temperature():
    """The loss has no minimum there."""
    assert fit(one_label([[0.9, 0.1], [0.2, 0.8]], [0, 1], "ab"))[""] == 1 / HOTTEST
    assert fit(one_label([[0.9, 0.1], [0.2, 0.8]], [1, 0], "ab"))[""] == HOTTEST


@pytest.mark.parametrize(
    "table", [numbers([1.0], [2.0]), tagged([["O"]], [["O"]], [[0.5]], ["O", "B-X"])]
)
def test_what_has_no_probability_of_each_label_cannot_be_scaled(table):
    """Numbers, and tags, of which only those of the decided ones are kept."""
    with pytest.raises(DataError, match="temperature scaling is of one label for each row"):
        fit(table)


def test_a_threshold_that_would_move_otherwise_in_each_fold_is_an_error():
    """The message says what to do."""
    table = several([[0.4], [0.1]], [[True], [False]], ["a"], threshold=0.3)

    with pytest.raises(DataError, match="give a second input"):
        crossed(table, np.array([0, 1]))
