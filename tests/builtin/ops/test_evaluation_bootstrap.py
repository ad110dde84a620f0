"""The ops `bootstrap` and `compare-predictions`."""

from __future__ import annotations

import numpy as np
import pytest

from mlrecipe.builtin.ops.bootstrap import bootstrap
from mlrecipe.builtin.ops.compare_predictions import compare_predictions
from mlrecipe.errors import DataError
from mlrecipe.recorder import Recorder, metrics_of
from mlrecipe.significance import compare, intervals
from tests.significance.tables import right_or_wrong


def answers(share: float) -> Recorder:
    """Predictions that are right in so large a share of 300 rows, the easy ones first."""
    return Recorder(right_or_wrong(np.random.default_rng(0).random(300) < share))


def test_training_41_metrics_have_intervals_of_the_bootstrap():
    """A row for each metric, and its value and bounds as metrics of the node."""
    predictions = answers(0.7)

    found = bootstrap(predictions, metrics=["accuracy", "f1"], resamples=200, seed=3)

    expected = intervals(predictions.table, ["accuracy", "f1"], resamples=200, seed=3)
    assert found.column("metric") == ["accuracy", "f1"]
    assert found.column("low") == [each.low for each in expected.values()]
    metrics = metrics_of(found)
    assert metrics["f1"] == expected["f1"].value
    assert (metrics["f1-low"], metrics["f1-high"]) == (expected["f1"].low, expected["f1"].high)
    assert metrics["f1-low"] < metrics["f1"] < metrics["f1-high"]


def test_predictions_of_two_models_are_compared():
    """Difference, bounds and p-value as metrics of the node, and the verdict in words."""
    a, b = answers(0.7), answers(0.8)

    found = compare_predictions(a, b)

    expected = compare(a.table, b.table, "accuracy")
    assert found.column("verdict") == [expected.verdict]
    metrics = metrics_of(found)
    assert metrics["accuracy-difference"] == pytest.approx(expected.difference)
    assert metrics["accuracy-p"] == expected.p_value
    assert metrics["accuracy-low"] == expected.interval.low


def test_a_wrong_metric_is_an_error_at_its_parameter():
    """With the name that is near."""
    with pytest.raises(DataError, match="did you mean 'accuracy'") as caught:
        bootstrap(answers(0.7), metrics=["acuracy"])

    assert caught.value.key == "metrics"
