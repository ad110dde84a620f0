"""Slices: a metric of parts of the rows."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as sk

from mlrecipe.errors import DataError
from mlrecipe.significance import measure
from mlrecipe.significance.slices import Cut, by_column, by_length, gap_of, table_of, worst_of
from tests.reporting.predicted import numbers, one_label, random_scores, several, tagged

PLAIN = Cut(resamples=0)


def test_rows_are_cut_by_the_number_of_their_words():
    """As many rows in each slice as ties allow, the shortest first, named by their bounds."""
    words = [*range(1, 9), 4]
    scores, targets = random_scores(2, rows=9)
    table = one_label(scores, targets, "ab", text=["w " * count for count in words])

    found = by_length(table, cut=Cut(bins=4, resamples=0))

    assert [(one.name, one.rows) for one in found] == [
        ("1 to 3", 3), ("4", 2), ("5 to 6", 2), ("7 to 8", 2)
    ]  # fmt: skip
    assert {one.by for one in found} == {"length"}


def test_a_slice_has_the_metric_of_its_rows_and_that_of_the_rest():
    """Equal to scikit-learn's of the rows of the slice alone."""
    scores, targets = random_scores(2, rows=200)
    place = np.arange(200) % 3
    table = one_label(scores, targets, "ab", site=["xyz"[i] for i in place])

    found = {one.name: one for one in by_column(table, "site", "f1", cut=PLAIN)}

    given = scores.argmax(1)
    for i, name in enumerate("xyz"):
        own = place == i
        assert found[name].value == pytest.approx(sk.f1_score(targets[own], given[own]), abs=1e-9)
        assert found[name].rest == pytest.approx(sk.f1_score(targets[~own], given[~own]), abs=1e-9)
        assert found[name].difference == pytest.approx(found[name].value - found[name].rest)


def test_the_interval_of_a_share_of_few_rows_is_wilsons():
    """As scipy has it; it stays between 0 and 1 where all rows are right."""
    scores = [[0.9, 0.1]] * 12
    table = one_label(scores, [0] * 8 + [0, 1, 1, 0], "ab", site=["x"] * 8 + ["y"] * 4)

    found = {one.name: one for one in by_column(table, "site", "accuracy")}

    for name, right, rows in (("x", 8, 8), ("y", 2, 4)):
        expected = binomtest(right, rows).proportion_ci(method="wilson")
        assert found[name].low == pytest.approx(expected.low, abs=1e-9)
        assert found[name].high == pytest.approx(expected.high, abs=1e-9)


def test_rare_values_are_put_together_and_missing_ones_too():
    """The commonest first; every row is in one slice."""
    site = ["a"] * 5 + ["b"] * 4 + ["c"] * 3 + ["d", "e", None, True and "b"]
    scores, targets = random_scores(2, rows=len(site))

    found = by_column(
        one_label(scores, targets, "ab", site=site), "site", cut=Cut(most=3, resamples=0)
    )

    assert [(one.name, one.rows) for one in found] == [
        ("a", 5), ("b", 5), ("other", 5), ("missing", 1)
    ]  # fmt: skip
    assert sum(one.share for one in found) == pytest.approx(1)


def test_numbers_of_few_values_are_taken_as_they_are():
    """Stars from 1 to 3 are three slices; numbers with fractions are ranges."""
    scores, targets = random_scores(2, rows=90)
    stars, price = [1 + i % 3 for i in range(90)], np.linspace(0.5, 9.75, 90)
    table = one_label(scores, targets, "ab", stars=stars, price=price)

    assert [one.name for one in by_column(table, "stars", cut=PLAIN)] == ["1", "2", "3"]
    assert [one.name for one in by_column(table, "price", cut=Cut(bins=2, resamples=0))] == [
        "0.5 to 5.073", "5.177 to 9.75"
    ]  # fmt: skip


def test_every_kind_of_predictions_has_slices():
    """Numbers by their main metric, several labels, and tags by the number of their words."""
    random = np.random.default_rng(0)
    targets = random.normal(size=60)
    of_numbers = numbers(targets, targets + random.normal(size=60), site=["x", "y"] * 30)
    of_labels = several(random.random((60, 2)), random.random((60, 2)) < 0.5, ["a", "b"],
                        site=["x", "y"] * 30)  # fmt: skip
    tags = [["B-X", "O", "O"][: 1 + i % 3] for i in range(60)]
    of_tags = tagged(tags, tags, [[0.9] * len(row) for row in tags], ["O", "B-X"])

    assert len(by_column(of_numbers, "site", "mean-absolute-error", cut=PLAIN)) == 2
    assert len(by_column(of_labels, "site", cut=PLAIN)) == 2
    found = by_length(of_tags, cut=PLAIN)
    assert [(one.name, one.value) for one in found] == [("1", 1.0), ("2", 1.0), ("3", 1.0)]


def test_the_worst_slice_is_one_of_enough_rows():
    """Of an error the greatest is the worst; the gap is that of such slices."""
    scores = [[0.9, 0.1]] * 100
    site = ["x"] * 40 + ["y"] * 50 + ["z"] * 10
    targets = [0] * 36 + [1] * 4 + [0] * 30 + [1] * 20 + [1] * 10
    found = by_column(one_label(scores, targets, "ab", site=site), "site", "accuracy", cut=PLAIN)
    errors = by_column(numbers([0.0] * 80, [1.0] * 40 + [3.0] * 40, site=["x"] * 40 + ["y"] * 40),
                       "site", "mean-absolute-error", cut=PLAIN)  # fmt: skip

    assert worst_of(found, "accuracy", least=30).name == "y"
    assert gap_of(found, least=30) == pytest.approx(0.9 - 0.6)
    assert worst_of(found, "accuracy", least=10).name == "z"
    assert worst_of(found, "accuracy", least=1000) is None
    assert worst_of(errors, "mean-absolute-error").name == "y"


def test_rows_without_a_label_are_in_no_slice():
    """Nothing is known of them."""
    table = one_label([[0.9, 0.1]] * 4, [0, 0, -1, -1], "ab", site=["x", "y", "x", "z"])

    found = by_column(table, "site", cut=PLAIN)

    assert [(one.name, one.rows) for one in found] == [("x", 1), ("y", 1)]


def test_a_single_slice_has_no_rest():
    """Not a number, which the table keeps."""
    (one,) = by_column(one_label([[0.9, 0.1]], [0], "ab", site=["x"]), "site", cut=PLAIN)

    assert math.isnan(one.rest)
    assert table_of([one]).column_names == [
        "by", "slice", "rows", "share", "value", "low", "high", "rest", "difference"
    ]  # fmt: skip


def test_mistakes_are_told_by_their_key():
    """A column that is not there, a metric that such predictions have not, no texts."""
    table = one_label([[0.9, 0.1]], [0], "ab", stars=[1])

    with pytest.raises(
        DataError, match=r"by: .*no column 'star'; did you mean 'stars'.*test\.keep"
    ):
        by_column(table, "star")
    with pytest.raises(DataError, match=r"no column 'lenght'; did you mean 'length'"):
        by_column(table, "lenght")
    with pytest.raises(DataError, match=r"metric: metric 'pearson-corrcoef' cannot be computed"):
        by_column(table, "stars", "pearson-corrcoef")
    with pytest.raises(DataError, match=r"length: no column .* is plain to hold the texts"):
        by_length(table)


def test_slices_of_one_column_make_up_the_whole():
    """The accuracies of the slices, by their rows, have the mean of all rows."""
    scores, targets = random_scores(3, rows=150)
    table = one_label(scores, targets, "abc", text=["w " * (i % 17) for i in range(150)])

    found = by_length(table, "accuracy", cut=PLAIN)

    mean = sum(one.value * one.share for one in found)
    assert mean == pytest.approx(measure(table, "accuracy"))
