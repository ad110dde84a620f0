"""Tests of two models on the same rows, held against the references."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.multitest import multipletests

from mlrecipe.errors import DataError
from mlrecipe.significance.measures import measures
from mlrecipe.significance.paired import exchange, holm, mcnemar
from mlrecipe.significance.student import paired_t, quantile, two_sided, welch_t
from mlrecipe.significance.trainings import Group, compare_groups
from tests.significance.tables import numbers, one_label

pytestmark = pytest.mark.heavy

EXACT = 1e-9
CELLS = [(0, 0), (0, 1), (3, 3), (1, 9), (10, 30), (480, 520), (2000, 2150)]


@pytest.mark.parametrize(("only_a", "only_b"), CELLS)
def test_the_exact_test_equals_statsmodels(only_a: int, only_b: int):
    """McNemar's, of few rows and of thousands."""
    found = mcnemar(only_a, only_b, is_midp=False)

    expected = reference_mcnemar([[5, only_a], [only_b, 7]], exact=True).pvalue
    assert found.p_value == pytest.approx(expected, abs=EXACT)
    assert found.test == "McNemar (exact)"


@pytest.mark.parametrize(("only_a", "only_b"), CELLS[1:])
def test_the_mid_p_counts_what_was_seen_half(only_a: int, only_b: int):
    """The exact p-value less the chance of just what was seen (Fagerland et al. 2013, formula 11)."""
    rows, fewer = only_a + only_b, min(only_a, only_b)

    found = mcnemar(only_a, only_b)

    binomial = stats.binom(rows, 0.5)
    expected = min(2 * binomial.cdf(fewer) - binomial.pmf(fewer), 1.0)
    assert found.p_value == pytest.approx(expected, abs=EXACT)
    assert found.test == "McNemar (mid-p)"


def two_models(rows: int, *, seed: int, flips: int):
    """Labels and two models' answers, which differ in so many rows."""
    random = np.random.default_rng(seed)
    there = random.integers(0, 3, rows)
    a = np.where(random.random(rows) < 0.7, there, random.integers(0, 3, rows))
    b = a.copy()
    chosen = random.choice(rows, flips, replace=False)
    b[chosen] = (b[chosen] + 1 + random.integers(0, 2, flips)) % 3
    return there, a, b


def macro_f1(there: np.ndarray, given: np.ndarray) -> float:
    scores = []
    for label in range(3):
        both = ((there == label) & (given == label)).sum()
        every = (there == label).sum() + (given == label).sum()
        scores.append(2 * both / every if every else 0.0)
    return float(np.mean(scores))


def scipy_p(there: np.ndarray, a: np.ndarray, b: np.ndarray, resamples: float) -> float:
    """SciPy's permutation test of paired samples."""
    return float(
        stats.permutation_test(
            (a, b), lambda x, y: macro_f1(there, x) - macro_f1(there, y), permutation_type="samples",
            n_resamples=resamples, vectorized=False, rng=np.random.default_rng(0),
        ).pvalue
    )  # fmt: skip


def test_where_few_rows_differ_all_exchanges_are_tried_as_scipy_does():
    """The exact p-value of a difference of macro F1."""
    there, a, b = two_models(10, seed=1, flips=6)
    metrics = [
        measures(one_label(there, each, labels=3), ["f1-macro"])["f1-macro"] for each in (a, b)
    ]

    found = exchange(*metrics, resamples=1000, seed=0)

    assert found.p_value == pytest.approx(scipy_p(there, a, b, math.inf), abs=EXACT)
    assert (found.test, found.resamples) == ("randomization (exact)", 64)


def test_where_many_rows_differ_exchanges_are_drawn_as_scipy_does():
    """The two p-values differ by the chance of the draws alone."""
    there, a, b = two_models(150, seed=2, flips=40)
    metrics = [
        measures(one_label(there, each, labels=3), ["f1-macro"])["f1-macro"] for each in (a, b)
    ]

    found = exchange(*metrics, resamples=10000, seed=0)

    assert found.p_value == pytest.approx(scipy_p(there, a, b, 1000), abs=0.05)
    assert (found.test, found.resamples) == ("approximate randomization", 10000)


def test_errors_of_numbers_are_exchanged_as_scipy_does():
    """The mean squared error of paired rows: signs of their differences."""
    random = np.random.default_rng(3)
    there = random.normal(size=80).astype(np.float32)
    a, b = (there + random.normal(0, s, 80).astype(np.float32) for s in (1.0, 1.25))
    squares = [(np.float64(each) - np.float64(there)) ** 2 for each in (a, b)]
    metrics = [measures(numbers(there, each), ["mean-squared-error"])["mean-squared-error"]
               for each in (a, b)]  # fmt: skip

    found = exchange(*metrics, resamples=10000, seed=0)

    expected = stats.permutation_test(
        squares, lambda x, y, axis: np.mean(x - y, axis=axis), permutation_type="samples",
        vectorized=True, n_resamples=9999, rng=np.random.default_rng(0),
    ).pvalue  # fmt: skip
    assert found.p_value == pytest.approx(expected, abs=0.015)


@pytest.mark.parametrize("metric", ["auroc", "spearman"])
def test_scores_in_other_units_are_exchanged_by_their_ranks(metric: str):
    """A model whose scores are a tenth of another's orders rows the same: no difference, however drawn."""
    random = np.random.default_rng(4)
    there = random.integers(0, 2, 100)
    first = np.clip(random.random(100) * 0.5 + 0.4 * there, 0.01, 0.99)
    if metric == "auroc":
        tables = [
            one_label(there, there, scores=np.stack([1 - s, s], axis=1))
            for s in (first, first / 10)
        ]
        name = "auroc"
    else:
        tables = [numbers(there + 0.1 * first, s) for s in (first, first / 8)]
        name = "spearman-corrcoef"

    found = exchange(*(measures(table, [name])[name] for table in tables), resamples=200, seed=0)

    assert found.p_value == 1.0


def test_holms_correction_equals_statsmodels():
    """Of several pairs, equal p-values among them."""
    p_values = [0.04, 0.001, 0.03, 0.03, 0.9]

    expected = multipletests(p_values, method="holm")[1]
    assert holm(p_values) == pytest.approx(list(expected), abs=EXACT)


@pytest.mark.parametrize("freedom", [1, 2, 4, 9, 30, 500, 3.7])
def test_students_t_equals_scipy(freedom: float):
    """Chances far into the tails, and quantiles."""
    for t in (0.0, 0.1, 1.0, 2.5, 12.0, 300.0):
        expected = 2 * stats.t.sf(t, freedom)
        assert two_sided(t, freedom) == pytest.approx(expected, rel=1e-9, abs=1e-300)
    for confidence in (0.5, 0.95, 0.999):
        expected = stats.t.ppf((1 + confidence) / 2, freedom)
        assert quantile(confidence, freedom) == pytest.approx(expected, rel=1e-9)


def test_trainings_are_compared_as_scipy_does():
    """Paired where the seeds are the same, Welch's test where they are not."""
    a, b = [0.81, 0.80, 0.84, 0.79], [0.83, 0.83, 0.85, 0.80]

    paired, apart = paired_t(a, b), welch_t(a, [*b, 0.9])

    expected = stats.ttest_rel(b, a)
    assert paired.p_value == pytest.approx(expected.pvalue, abs=EXACT)
    bounds = expected.confidence_interval()
    assert (paired.interval.low, paired.interval.high) == pytest.approx(tuple(bounds), abs=EXACT)
    expected = stats.ttest_ind([*b, 0.9], a, equal_var=False)
    assert apart.p_value == pytest.approx(expected.pvalue, abs=EXACT)
    bounds = expected.confidence_interval()
    assert (apart.interval.low, apart.interval.high) == pytest.approx(tuple(bounds), abs=EXACT)


def test_folds_are_corrected_for_the_rows_that_they_share():
    """The variance of 5 folds is 1/5 and 1/4 of that of a fold (Nadeau & Bengio 2003)."""
    names = [f"fold-{i}" for i in range(1, 6)]
    a, b = [0.8, 0.82, 0.79, 0.81, 0.83], [0.83, 0.83, 0.8, 0.85, 0.84]
    groups = [Group(values=dict(zip(names, v, strict=True)), folds=5) for v in (a, b)]

    found = compare_groups(*groups)

    gaps = np.array(b) - np.array(a)
    t = gaps.mean() / math.sqrt(gaps.var(ddof=1) * (1 / 5 + 1 / 4))
    assert found.p_value == pytest.approx(2 * stats.t.sf(t, 4), abs=EXACT)
    assert found.test == "paired t, corrected for folds"


def test_a_single_training_says_nothing_of_how_trainings_vary():
    """An error that says what to do; so are groups of which only one has folds."""
    one, two = Group(values={"seed-1": 0.8}), Group(values={"seed-1": 0.8, "seed-2": 0.9})
    folded = Group(values={"fold-1": 0.8, "fold-2": 0.9}, folds=2)

    with pytest.raises(DataError, match=r"train\.repeat"):
        compare_groups(one, two)
    with pytest.raises(DataError, match="other folds"):
        compare_groups(two, folded)


def test_a_p_value_that_is_not_known_changes_no_other() -> None:
    """Wherever it stands."""
    for p_values in ([math.nan, 0.001, 0.04], [0.001, math.nan, 0.04], [0.001, 0.04, math.nan]):
        found = [p for p in holm(p_values) if not math.isnan(p)]
        assert found == pytest.approx([0.003, 0.08])


def test_of_orders_of_many_rows_fewer_exchanges_are_drawn() -> None:
    """As docs/explanation/significance.md says."""
    there = np.random.default_rng(0).normal(size=4000)
    made = [
        measures(numbers(there, there + shift), ["spearman-corrcoef"])["spearman-corrcoef"]
        for shift in (0.0, 0.1)
    ]

    assert exchange(*made, resamples=10000, seed=0).resamples == 2500
