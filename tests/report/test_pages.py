"""The building blocks of pages."""

from __future__ import annotations

import pytest

from mlrecipe.pages import amounts, charts, html
from tests.report.outside import Page


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (0.0, 2e-5, [0.0, 5e-6, 1e-5, 1.5e-5, 2e-5]),
        (3.0, 17.0, [5.0, 10.0, 15.0]),
        (2.0, 2.0, [2.0]),
    ],
)
def test_ticks_are_round_numbers_within_their_range(low, high, expected):
    """At most six, also of tiny numbers and of none."""
    assert charts.ticks(low, high) == pytest.approx(expected)


def test_a_thinned_curve_keeps_its_peaks():
    """The least and the greatest of each piece, in their order."""
    points = [(float(i), 0.0) for i in range(10_000)]
    points[1234], points[8765] = (1234.0, 9.0), (8765.0, -9.0)

    kept = charts.thinned(points)

    assert len(kept) <= 300
    assert (1234.0, 9.0) in kept
    assert (8765.0, -9.0) in kept
    assert kept == sorted(kept)


def test_numbers_that_are_not_finite_are_left_out_of_a_chart():
    """A loss that was nan once does not spoil the picture."""
    nan = float("nan")

    drawn = charts.curves(
        "loss",
        {"a": [(0, 1.0), (1, nan), (2, float("inf")), (3, 0.5)], "b": [(0, nan)]},
        across="step",
    )

    assert "nan" not in drawn
    assert "inf" not in drawn
    assert drawn.count("<polyline") == 1
    assert charts.curves("loss", {"b": [(0, nan)]}, across="step") == ""


def test_a_curve_of_one_point_is_drawn():
    """And one that is the same everywhere."""
    for points in ([(5.0, 0.3)], [(0.0, 0.0), (1.0, 0.0)]):
        drawn = charts.curves("x", {"x": points}, across="step")
        assert Page(drawn).problems == []
        assert "nan" not in drawn


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.5000"), (12345, "12,345"), (1.5e-7, "1.5e-07"), (None, ""), ("x", "x"), (True, "True"),
     (float("nan"), "nan"), (0.0, "0.0000")],
)  # fmt: skip
def test_numbers_are_short(value, text):
    """Four decimals, unless that says nothing."""
    assert amounts.number(value) == text


def test_markup_stands_and_text_is_escaped():
    """Also in cells of one table."""
    made = html.table(("<a>", "b"), [(html.Markup("<b>x</b>"), '<i>"')], caption="<c>")

    assert "<b>x</b>" in made
    assert "<i>" not in made
    assert "&lt;i&gt;&quot;" in made
    assert "<a>" not in made
    assert "<c>" not in made


def test_a_thinned_curve_keeps_its_ends():
    """A table says its first and its last number."""
    points = [(float(i), 3.0 if i in (0, 999) else float(i % 7)) for i in range(1000)]

    kept = charts.thinned(points)

    assert len(kept) <= 300
    assert (kept[0], kept[-1]) == (points[0], points[-1])
