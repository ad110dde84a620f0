"""Intervals of metrics."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from mlrecipe.errors import DataError
from mlrecipe.significance import compare, interval_of_rows, intervals
from mlrecipe.significance.intervals import bca, percentile, wilson
from tests.significance.tables import numbers, one_label, right_or_wrong, sentences

pytestmark = pytest.mark.heavy

EXACT = 1e-9


@pytest.mark.parametrize(("right", "rows"), [(0, 12), (12, 12), (7, 12), (480, 500), (1, 2)])
@pytest.mark.parametrize("confidence", [0.9, 0.95, 0.99])
def test_the_interval_of_a_share_equals_statsmodels(right: int, rows: int, confidence: float):
    """Wilson's, also where all rows are right or none."""
    found = wilson(right, rows, confidence=confidence)

    expected = proportion_confint(right, rows, alpha=1 - confidence, method="wilson")
    assert (found.low, found.high) == pytest.approx(expected, abs=EXACT)
    assert found.value == right / rows


@pytest.mark.parametrize("method", ["BCa", "percentile"])
def test_the_bounds_of_resamples_equal_scipy(method: str):
    """Of the same resamples SciPy makes the same bounds, to a step of its quantiles."""
    values = np.random.default_rng(0).exponential(size=40)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=3000, method=method, rng=np.random.default_rng(1)
    )
    drawn = theirs.bootstrap_distribution

    left_out = (values.sum() - values) / 39
    if method == "BCa":
        found = bca(values.mean(), drawn, left_out, np.ones(40, np.int64))
    else:
        found = percentile(values.mean(), drawn)

    expected = theirs.confidence_interval
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=2e-3)


def test_bootstrap_intervals_agree_with_scipy_of_own_draws():
    """Spearman's correlation of the same rows: the bounds differ by the chance of the draws alone."""
    random = np.random.default_rng(2)
    there = random.normal(size=120)
    given = there + random.normal(size=120)
    table = numbers(there, given)
    sides = [table[name].to_numpy() for name in ("label", "prediction")]

    found = intervals(table, ["spearman-corrcoef"], resamples=4000)["spearman-corrcoef"]

    expected = stats.bootstrap(
        sides, lambda x, y: stats.spearmanr(x, y).statistic, paired=True, vectorized=False,
        n_resamples=400, rng=np.random.default_rng(3),
    ).confidence_interval  # fmt: skip
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.03)


def some_rows(rows: int = 300, *, labels: int = 2, seed: int = 0):
    random = np.random.default_rng(seed)
    there = random.integers(0, labels, rows)
    scores = np.exp(random.normal(size=(rows, labels)) + np.eye(labels)[there])
    scores /= scores.sum(axis=1, keepdims=True)
    return one_label(there, scores.argmax(axis=1), labels=labels, scores=scores)


def test_the_same_seed_gives_the_same_interval():
    """And another one another, near to it; accuracy needs no draws."""
    table = some_rows()

    found = [intervals(table, ["f1", "auroc"], resamples=500, seed=seed) for seed in (1, 1, 2)]

    assert found[0] == found[1]
    for name in ("f1", "auroc"):
        assert found[2][name].low != found[0][name].low
        assert found[2][name].low == pytest.approx(found[0][name].low, abs=0.02)


def test_draws_are_the_same_on_every_machine():
    """Written down once, of both ways to draw."""
    few, many = some_rows(), numbers(np.arange(40.0) % 7, np.arange(40.0) % 5)

    found = [
        intervals(few, ["f1"], resamples=200)["f1"],
        intervals(many, ["pearson-corrcoef"], resamples=200)["pearson-corrcoef"],
        intervals(few, ["auroc"], resamples=200)["auroc"],
    ]

    bounds = [(round(each.low, 9), round(each.high, 9)) for each in found]
    assert bounds == [
        (0.709859319, 0.824943801), (-0.205123788, 0.397054518), (0.781391776, 0.867849452),
    ]  # fmt: skip


def test_an_interval_does_not_hang_on_what_else_is_asked_for():
    """Each metric sees the same draws whatever stands beside it."""
    table = some_rows(labels=3)
    wanted = ["f1-macro", "auroc", "calibration-error"]

    together = intervals(table, wanted, resamples=300)

    assert all(intervals(table, [name], resamples=300)[name] == together[name] for name in wanted)


def test_five_metrics_are_given_intervals_where_none_are_named():
    """Those that are asked for most, each within its bounds."""
    found = intervals(some_rows(), resamples=300)

    assert list(found) == ["accuracy", "f1", "precision", "recall", "matthews-corrcoef"]
    assert all(each.low < each.value < each.high for each in found.values())
    assert {each.method for each in found.values()} == {"Wilson", "bootstrap (BCa)"}


def test_sentences_are_drawn_whole():
    """Words of a sentence that are right or wrong together say less than so many words on their own."""
    there = [["B-PER"] * 20] * 40
    given = [["B-PER" if row % 4 else "O"] * 20 for row in range(40)]
    tags = ["O", "B-PER", "I-PER"]
    cut = [[[tag] for row in rows for tag in row] for rows in (there, given)]

    whole = intervals(sentences(there, given, tags=tags), ["accuracy"])["accuracy"]
    words = intervals(sentences(*cut, tags=tags), ["accuracy"])["accuracy"]

    assert whole.value == words.value == 0.75
    assert whole.high - whole.low > 4 * (words.high - words.low)


def test_rows_of_a_slice_have_an_interval():
    """Truth values have Wilson's, numbers the bootstrap's."""
    shares = interval_of_rows(np.array([True, False, True, True]))
    means = interval_of_rows(np.arange(30.0))

    assert shares == wilson(3, 4)
    assert means.value == 14.5
    assert 10 < means.low < 14.5 < means.high < 19


def test_where_rows_tell_nothing_no_bounds_are_made_up():
    """A single row has no other to be drawn, and no row nothing at all."""
    found = intervals(numbers(np.array([1.0]), np.array([2.0])), ["mean-squared-error"])

    assert found["mean-squared-error"].value == 1.0
    assert math.isnan(found["mean-squared-error"].low)
    assert found["mean-squared-error"].method == "none"
    with pytest.raises(DataError, match="no row"):
        interval_of_rows(np.array([], bool))


def test_wrong_numbers_are_refused():
    """Each with what is usual."""
    table = right_or_wrong(np.ones(4, bool))

    with pytest.raises(DataError, match=r"confidence.*not at 95"):
        intervals(table, confidence=95)
    with pytest.raises(DataError, match="too few"):
        intervals(table, resamples=5)
    with pytest.raises(DataError, match="seed"):
        intervals(table, ["f1"], seed=-1)


@pytest.mark.parametrize(
    "metric", ["auroc", "average-precision", "calibration-error", "top-3-accuracy"]
)
def test_a_probability_that_is_no_number_leaves_no_number(metric: str):
    """One NaN among the probabilities: the metric is no number either, and has no bounds."""
    random = np.random.default_rng(0)
    scores = random.dirichlet(np.ones(4), 60)
    scores[3, 2] = math.nan
    table = one_label(random.integers(0, 4, 60), scores.argmax(1), labels=4, scores=scores)

    found = intervals(table, [metric], resamples=100)[metric]
    same = compare(table, table, metric, resamples=100)

    assert math.isnan(found.value)
    assert (math.isnan(found.low), found.method) == (True, "none")
    assert same.verdict == f"{metric}: nothing can be said, for it is no finite number"


def test_ranks_of_what_is_no_number_leave_no_number():
    """Spearman's correlation of a NaN among the predictions is no number."""
    there = np.arange(20.0)
    given = np.where(there == 3, math.nan, there)

    found = intervals(numbers(there, given), ["spearman-corrcoef"], resamples=100)

    assert math.isnan(found["spearman-corrcoef"].value)


def test_resamples_that_all_agree_give_no_bounds():
    """Of a perfect score a share of rows has Wilson's interval; all else says why it has none."""
    found = intervals(right_or_wrong(np.ones(50, np.bool_)), ["accuracy", "f1"])

    accuracy, f1 = found["accuracy"], found["f1"]
    assert (accuracy.low, accuracy.high) == (pytest.approx(0.9287, abs=1e-4), 1.0)
    assert (f1.value, f1.method) == (1.0, "none: all resamples agree")
    assert math.isnan(f1.low)
    assert math.isnan(f1.high)


def test_a_difference_that_is_the_same_in_all_resamples_has_no_interval():
    """One is right in every row and the other in none: the difference is told without an interval."""
    right = np.ones(50, np.bool_)

    found = compare(right_or_wrong(~right), right_or_wrong(right), "accuracy")

    assert math.isnan(found.interval.low)
    assert (
        "difference +1.0000, no 95 % interval, for all resamples agree, p < 0.001" in found.verdict
    )
