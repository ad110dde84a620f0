"""Thresholds: every one that makes a difference, and the best of them."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sk

from mlrecipe.errors import DataError
from mlrecipe.reporting.thresholds import apart, chances, rates, reached, swept
from tests.reporting.predicted import one_label, random_scores, several

EXACT = 1e-9


def binary(rows: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    scores, targets = random_scores(2, rows=rows, seed=seed)
    return np.round(scores.astype(np.float64), 2).astype(np.float32), targets


def test_rates_are_those_of_scikit_learn_at_every_threshold():
    """Precision, recall, F1, accuracy, balanced accuracy and Matthews' correlation."""
    scores, targets = binary()
    steps = np.arange(0, 21) / 20

    found = swept(chances(one_label(scores, targets, ["no", "yes"])), steps).to_pydict()

    for i, threshold in enumerate(steps):
        given = (scores[:, 1].astype(float) > threshold).astype(int)
        precision, recall, f1, _ = sk.precision_recall_fscore_support(
            targets, given, average="binary", zero_division=0
        )
        assert found["precision"][i] == pytest.approx(precision, abs=EXACT)
        assert found["recall"][i] == pytest.approx(recall, abs=EXACT)
        assert found["f1"][i] == pytest.approx(f1, abs=EXACT)
        assert found["accuracy"][i] == pytest.approx((given == targets).mean(), abs=EXACT)
        balanced = sk.balanced_accuracy_score(targets, given)
        assert found["balanced-accuracy"][i] == pytest.approx(balanced, abs=EXACT)
        matthews = sk.matthews_corrcoef(targets, given)
        assert found["matthews-corrcoef"][i] == pytest.approx(matthews, abs=EXACT)
        assert found["share"][i] == pytest.approx(given.mean(), abs=EXACT)
    assert set(found["label"]) == {"yes"}


@pytest.mark.parametrize("goal", ["f1", "accuracy", "balanced-accuracy", "matthews-corrcoef"])
def test_no_threshold_is_better_than_the_best(goal):
    """Every one that makes a difference is tried."""
    scores, targets = binary()
    (own,) = chances(one_label(scores, targets, ["no", "yes"])).values()

    best = own.best(goal)

    all_ = rates(own.at(np.arange(-1, 1001) / 1000))[goal]
    assert reached(own, best, goal) == pytest.approx(all_.max(), abs=EXACT)
    assert len(f"{best}") <= 5


def test_where_0_5_is_as_good_it_stays():
    """A threshold is not moved for nothing."""
    (own,) = chances(one_label([[0.9, 0.1], [0.2, 0.8]], [0, 1], "ab")).values()

    assert own.best("f1") == 0.5


def test_each_label_and_all_together_have_a_best_threshold():
    """With thresholds of their own labels are together no worse than with one."""
    random = np.random.default_rng(0)
    there = random.random((400, 3)) < [0.5, 0.2, 0.1]
    scores = np.clip(there * [0.2, 0.3, 0.1] + random.random((400, 3)) * [0.7, 0.4, 0.3], 0, 1)
    found = chances(several(scores, there, ["a", "b", "c"]))

    best = {label: own.best("f1") for label, own in found.items()}

    given = scores.astype(np.float32) > best[""]
    expected = sk.f1_score(there, given, average="micro")
    assert reached(found[""], best[""], "f1") == pytest.approx(expected, abs=EXACT)
    for i, label in enumerate("abc"):
        expected = sk.f1_score(there[:, i], scores[:, i].astype(np.float32) > best[label])
        assert reached(found[label], best[label], "f1") == pytest.approx(expected, abs=EXACT)
    each = scores.astype(np.float32) > [best[label] for label in "abc"]
    expected = sk.f1_score(there, each, average="micro")
    assert apart(found, best, "f1") == pytest.approx(expected, abs=EXACT)


def test_the_positive_label_may_be_the_first():
    """By default it is the second, as for the metrics."""
    scores, targets = binary(60)
    table = one_label(scores, targets, ["no", "yes"])

    (first,) = chances(table, positive="no").values()

    expected = sk.f1_score(targets, (scores[:, 0] <= 0.5).astype(int), pos_label=0)
    assert reached(first, 0.5, "f1") == pytest.approx(expected, abs=EXACT)
    with pytest.raises(DataError, match=r"there is no label 'ys'.*did you mean 'yes'"):
        chances(table, positive="ys")


def test_more_than_two_labels_have_no_threshold():
    """The most probable one is given; the message says so."""
    scores, targets = random_scores(3, rows=5)

    with pytest.raises(DataError, match="one of 3 labels: the most probable one is given"):
        chances(one_label(scores, targets, "abc"))
