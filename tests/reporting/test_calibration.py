"""Calibration: confidence against what is right."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn import metrics as sk

from mlrecipe.errors import DataError
from mlrecipe.reporting.bins import BINS
from mlrecipe.reporting.calibration import calibrated, means, rows_of, statistics
from mlrecipe.reporting.report import facts
from tests.reporting.predicted import numbers, one_label, outputs, random_scores, several, tagged

EXACT = 1e-9


def by_hand(confidence: np.ndarray, is_right: np.ndarray, edges: np.ndarray) -> list[float]:
    """The gaps of bins that have any rows, and the mean of them by rows, first."""
    gaps, weights = [], []
    for low, high in itertools.pairwise(edges):
        own = (confidence >= low) & ((confidence < high) | (high == 1))
        if own.any():
            gaps.append(abs(is_right[own].mean() - confidence[own].mean()))
            weights.append(own.sum())
    return [float(np.average(gaps, weights=weights)), *gaps]


def test_the_scores_are_those_of_scikit_learn():
    """Brier score and log loss, of two labels and of more."""
    for labels in (2, 4):
        scores, targets = random_scores(labels, sharp=2)
        names = [f"l{i}" for i in range(labels)]

        found = statistics(calibrated(one_label(scores, targets, names)))

        exact = scores.astype(np.float64)
        exact = exact / exact.sum(1, keepdims=True)
        loss = sk.log_loss(targets, exact, labels=range(labels))
        brier = ((exact - np.eye(labels)[targets]) ** 2).sum(1).mean() / (2 if labels == 2 else 1)
        if labels == 2:
            assert brier == pytest.approx(sk.brier_score_loss(targets, exact[:, 1]), abs=1e-7)
        assert found["brier"] == pytest.approx(brier, abs=1e-7)
        assert found["negative-log-likelihood"] == pytest.approx(loss, abs=1e-6)


def test_the_errors_are_the_mean_and_the_greatest_gap():
    """ECE and MCE over bins of equal width, and the ECE is that of the report."""
    scores, targets = random_scores(3, sharp=3)
    table = one_label(scores, targets, "abc")

    (found,) = calibrated(table)

    confidence = scores.max(1).astype(np.float64)
    expected, *gaps = by_hand(confidence, scores.argmax(1) == targets, np.linspace(0, 1, BINS + 1))
    assert found.gaps.expected == pytest.approx(expected, abs=EXACT)
    assert found.gaps.greatest == pytest.approx(max(gaps), abs=EXACT)
    assert found.gaps.expected == pytest.approx(facts(table)["calibration"]["error"], abs=EXACT)


def test_bins_of_equal_mass_have_as_many_rows():
    """As nearly as the number of rows allows; equal confidences stay together."""
    scores, targets = random_scores(3, rows=401)

    (found,) = calibrated(one_label(scores, targets, "abc"), bins=10, binning="mass")
    same = [[0.7, 0.3]] * 8
    (alone,) = calibrated(one_label(same, [0] * 8, "ab"), bins=4, binning="mass")

    assert set(found.gaps.rows.tolist()) <= {40, 41}
    assert alone.gaps.rows.tolist() == [8]


def test_each_of_several_labels_has_its_calibration():
    """The probability of having a label against the share that has it; statistics are means."""
    random = np.random.default_rng(3)
    scores = random.random((300, 2)).astype(np.float32)
    there = random.random((300, 2)) < scores**2
    table = several(scores, there, ["a", "b"])

    found = calibrated(table, bins=10)

    assert [one.name for one in found] == ["a", "b"]
    for i, one in enumerate(found):
        expected, *_ = by_hand(scores[:, i].astype(float), there[:, i], np.linspace(0, 1, 11))
        assert one.gaps.expected == pytest.approx(expected, abs=EXACT)
        brier = sk.brier_score_loss(there[:, i], scores[:, i].astype(float))
        assert one.brier == pytest.approx(brier, abs=EXACT)
    assert means(found)["brier"] == pytest.approx((found[0].brier + found[1].brier) / 2)
    assert set(rows_of(found, column="label").column("label").to_pylist()) == {"a", "b"}


def test_each_output_has_its_calibration():
    """Under its name; a row that has no label of one output does not count there."""
    label = [{"x": "a", "y": "c"}, {"x": "b", "y": None}]
    given = [{"x": "a", "y": "c"}, {"x": "a", "y": "d"}]
    scores = [[0.8, 0.2, 0.6, 0.4], [0.9, 0.1, 0.1, 0.9]]
    table = outputs(label, given, scores, {"x": ("a", "b"), "y": ("c", "d")})

    found = {one.name: one for one in calibrated(table)}

    assert found["x"].accuracy == 0.5
    assert found["y"].accuracy == 1
    assert found["y"].brier == pytest.approx(0.16, abs=1e-6)
    assert statistics(list(found.values()))["x/brier"] == pytest.approx(0.425, abs=1e-6)


def test_each_word_with_a_tag_counts():
    """Confidence of tags; what needs the probabilities of all tags is not said."""
    table = tagged([["O", "B-X"], [None, "O"]], [["O", "O"], ["O", "O"]],
                   [[0.9, 0.6], [0.5, 0.7]], ["O", "B-X"])  # fmt: skip

    (found,) = calibrated(table)

    assert found.gaps.rows.sum() == 3
    assert found.accuracy == pytest.approx(2 / 3)
    assert (found.brier, found.loss) == (None, None)


def test_a_perfect_prediction_has_scores_of_nothing():
    """A Brier score of 0 is a score."""
    found = statistics(calibrated(one_label([[1, 0], [0, 1]], [0, 1], "ab")))

    assert found["brier"] == found["negative-log-likelihood"] == found["calibration-error"] == 0


def test_numbers_have_no_calibration():
    """The message says what it is of, and what these predictions are."""
    with pytest.raises(
        DataError, match=r"calibration is of one label .*these predictions are numbers"
    ):
        calibrated(numbers([1.0], [2.0]))


def test_rows_without_a_label_are_nothing_to_count():
    """An error rather than rates of nothing."""
    with pytest.raises(DataError, match="none of the 2 rows has a label"):
        calibrated(one_label([[0.5, 0.5], [0.2, 0.8]], [-1, -1], "ab"))


def test_a_label_that_the_head_does_not_know_is_an_error():
    """Counting it as another one would be wrong."""
    table = one_label([[0.5, 0.5]], [0], "ab")
    strange = table.set_column(1, "label", [["z"]])

    with pytest.raises(DataError, match=r"'label' has what is no label of these predictions: 'z'"):
        calibrated(strange)
