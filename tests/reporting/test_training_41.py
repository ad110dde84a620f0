"""What an evaluation tells of a classifier: classes, confusions, calibration, and how far all this holds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as sk

from mlrecipe.builtin.ops.bootstrap import bootstrap
from mlrecipe.builtin.ops.calibration import calibration
from mlrecipe.builtin.ops.classification_report import classification_report
from mlrecipe.builtin.ops.confusion_matrix import confusion_matrix
from mlrecipe.recorder import Recorder
from tests.reporting.predicted import one_label, random_scores

NAMES = ["ant", "bee", "cat"]


@pytest.fixture(scope="module")
def tested() -> tuple[Recorder, np.ndarray, np.ndarray]:
    """Predictions of three labels, their probabilities and the labels' ids."""
    scores, targets = random_scores(3, rows=300, sharp=2)
    return Recorder(one_label(scores, targets, NAMES)), scores, targets


def test_training_41_per_class_rates_and_confusions_are_those_of_scikit_learn(tested):
    """Precision, recall and F1 of each class, and the confusion matrix, to 1e-9."""
    predictions, scores, targets = tested

    classes, confusion = classification_report(predictions), confusion_matrix(predictions)

    given = scores.argmax(1)
    expected: Any = sk.precision_recall_fscore_support(targets, given)
    for i, row in enumerate(classes.rows()):
        values = [row[name] for name in ("precision", "recall", "f1", "rows")]
        assert values == pytest.approx([side[i] for side in expected], abs=1e-9)
    counts = sk.confusion_matrix(targets, given)
    for row in confusion.rows():
        assert row["count"] == counts[NAMES.index(row["label"]), NAMES.index(row["prediction"])]


def test_training_41_the_calibration_error_is_that_of_its_definition(tested):
    """ECE over 15 bins of equal width (Guo et al. 2017)."""
    predictions, scores, targets = tested

    found = calibration(predictions).statistics["calibration-error"]

    confidence, right = scores.max(1).astype(np.float64), scores.argmax(1) == targets
    bins = np.minimum((confidence * 15).astype(int), 14)
    gaps = [abs((right[bins == b] - confidence[bins == b]).sum()) for b in range(15)]
    assert found == pytest.approx(sum(gaps) / 300, abs=1e-9)
    assert found > 0.05


def test_training_41_metrics_have_95_percent_intervals(tested):
    """Wilson's of the accuracy; of F1 one of the bootstrap, as wide as that of plain resampling."""
    predictions, scores, targets = tested

    found = bootstrap(predictions, metrics=["accuracy", "f1-macro"], resamples=1000).statistics

    given = scores.argmax(1)
    wilson = binomtest(int((given == targets).sum()), 300).proportion_ci(method="wilson")
    assert found["accuracy-low"] == pytest.approx(wilson.low, abs=1e-9)
    assert found["accuracy-high"] == pytest.approx(wilson.high, abs=1e-9)
    random = np.random.default_rng(0)
    draws = random.integers(0, 300, (200, 300))
    drawn = [sk.f1_score(targets[rows], given[rows], average="macro") for rows in draws]
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert found["f1-macro-low"] == pytest.approx(low, abs=0.02)
    assert found["f1-macro-high"] == pytest.approx(high, abs=0.02)
