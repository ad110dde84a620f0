"""How often intervals hold what is true, and how often tests find what is not there, over simulated data."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pytest

from mlrecipe.significance import compare, intervals
from mlrecipe.significance.paired import mcnemar
from tests.significance.tables import numbers, one_label, sentences

pytestmark = pytest.mark.heavy

Models = tuple[pa.Table, pa.Table]
"""The predictions of two equally good models for the same rows."""

TRUTH = np.array([[0.52, 0.08], [0.12, 0.28]])
"""The chance of each label with each prediction."""


def labels(random: np.random.Generator, rows: int) -> Models:
    """Rows of two labels; the models give half of the rows the same answer whatever it is."""
    there = (random.random(rows) < TRUTH[1].sum()).astype(int)
    chances = (TRUTH / TRUTH.sum(axis=1, keepdims=True))[there, 1]
    a, b = (random.random((2, rows)) < chances).astype(int)
    b = np.where(random.random(rows) < 0.5, a, b)
    return one_label(there, a), one_label(there, b)


def orders(random: np.random.Generator, rows: int) -> Models:
    """Scores of two normal distributions a standard deviation apart."""
    there = random.integers(0, 2, rows)
    common = random.normal(size=rows)
    tables = []
    for _ in range(2):
        score = 1 / (1 + np.exp(-there - 0.6 * common - 0.8 * random.normal(size=rows)))
        both = np.stack([1 - score, score], axis=1)
        tables.append(one_label(there, (score > 0.5).astype(int), scores=both))
    return tables[0], tables[1]


def values(random: np.random.Generator, rows: int) -> Models:
    """Predictions that explain 64 % of the targets."""
    there, common = random.normal(size=(2, rows))
    tables = [
        numbers(there, 0.8 * there + 0.6 * (0.6 * common + 0.8 * random.normal(size=rows)))
        for _ in range(2)
    ]
    return tables[0], tables[1]


def words(random: np.random.Generator, rows: int) -> Models:
    """Sentences of 1 to 8 names, some of them easier than others; three quarters of the names are found."""
    counts, skills = random.integers(1, 9, rows), random.beta(6, 2, rows)
    there = [["B-PER"] * count for count in counts]
    tables = []
    for _ in range(2):
        found = [random.random(n) < skill for n, skill in zip(counts, skills, strict=True)]
        given = [["B-PER" if name else "B-LOC" for name in row] for row in found]
        tables.append(sentences(there, given, tags=["O", "B-PER", "B-LOC"]))
    return tables[0], tables[1]


P, R = 0.28 / 0.36, 0.28 / 0.40
CASES: dict[str, tuple[Callable[[np.random.Generator, int], Models], float]] = {
    "accuracy": (labels, 0.8),
    "f1": (labels, 2 * P * R / (P + R)),
    "matthews-corrcoef": (
        labels, (0.52 * 0.28 - 0.08 * 0.12) / np.sqrt(0.6 * 0.4 * 0.64 * 0.36),
    ),
    "auroc": (orders, NormalDist().cdf(1 / np.sqrt(2))),
    "pearson-corrcoef": (values, 0.8),
    "spearman-corrcoef": (values, 6 / np.pi * np.arcsin(0.4)),
    "mean-squared-error": (values, 0.2**2 + 0.6**2),
    "span-f1": (words, 0.75),
}  # fmt: skip
"""What draws the rows for a metric, and what endless rows would give."""


def covered(metric: str, *, sets: int, rows: int, resamples: int) -> float:
    """The share of data sets whose 95 % interval holds what is true."""
    draw, true = CASES[metric]
    random, held = np.random.default_rng(0), 0
    for number in range(sets):
        table, _ = draw(random, rows)
        found = intervals(table, [metric], resamples=resamples, seed=number)[metric]
        held += found.low <= true <= found.high
    return held / sets


def told(metric: str, *, sets: int, rows: int, resamples: int) -> tuple[float, float]:
    """The share of pairs of equally good models that a test tells apart, and that an interval does."""
    draw, _ = CASES[metric]
    random = np.random.default_rng(1)
    by_test, by_interval = 0, 0
    for number in range(sets):
        found = compare(*draw(random, rows), metric, resamples=resamples, seed=number)
        by_test += found.p_value < 0.05
        by_interval += not found.interval.low <= 0 <= found.interval.high
    return by_test / sets, by_interval / sets


@pytest.mark.parametrize("metric", ["accuracy", "f1", "mean-squared-error"])
def test_training_42_intervals_cover_what_is_true(metric: str):
    """Of 400 simulated tests 95 in 100, as near as so many can tell; `make test-real` makes 1,000."""
    assert 0.925 <= covered(metric, sets=300, rows=200, resamples=300) <= 0.975


@pytest.mark.real
@pytest.mark.timeout(600)
@pytest.mark.parametrize("rows", [100, 500])
@pytest.mark.parametrize("metric", CASES)
def test_training_42_intervals_cover_95_of_100(metric: str, rows: int):
    """Of 1,000 simulated tests, few rows and many."""
    assert 0.93 <= covered(metric, sets=1000, rows=rows, resamples=2000) <= 0.97


@pytest.mark.parametrize("metric", ["accuracy", "f1"])
def test_tests_rarely_find_what_is_not_there(metric: str):
    """Of 400 pairs of equally good models 5 in 100 are told apart, as near as so many can tell."""
    by_test, by_interval = told(metric, sets=300, rows=200, resamples=300)

    assert 0.025 <= by_test <= 0.075
    assert 0.025 <= by_interval <= 0.08


@pytest.mark.real
@pytest.mark.timeout(600)
@pytest.mark.parametrize("rows", [100, 500])
@pytest.mark.parametrize("metric", CASES)
def test_tests_find_what_is_not_there_5_times_in_100(metric: str, rows: int):
    """Of 1,000 pairs of equally good models, few rows and many."""
    by_test, by_interval = told(metric, sets=1000, rows=rows, resamples=1000)

    assert 0.03 <= by_test <= 0.07
    assert 0.03 <= by_interval <= 0.075


def test_the_exact_test_is_too_cautious_where_few_rows_differ():
    """Why the mid-p is taken: of 20 rows that differ the exact one tells 4 in 100 apart, this one 4 to 6."""
    chances = np.array([1.0])
    for _ in range(20):
        chances = np.convolve(chances, [0.5, 0.5])
    rates = [
        sum(chance for k, chance in enumerate(chances)
            if mcnemar(k, 20 - k, is_midp=is_midp).p_value < 0.05)
        for is_midp in (False, True)
    ]  # fmt: skip

    assert rates[0] == pytest.approx(0.0414, abs=1e-4)
    assert rates[0] <= rates[1] <= 0.06
