"""What is wrong with predicted spans."""

from __future__ import annotations

import random

import pytest

from mlrecipe.tagging.errors import Case, errors
from mlrecipe.tagging.spans import Span, spans
from tests.tagging.taggings import pairs


def test_sequence_9_each_kind_of_error_is_told_from_the_others():
    """One of each in a row, with its place."""
    gold = [Span("A", 0, 2), Span("A", 3, 5), Span("A", 6, 8), Span("A", 9, 11), Span("A", 12, 13)]
    predicted = [
        Span("A", 0, 2), Span("A", 3, 4), Span("B", 6, 8), Span("B", 10, 12), Span("B", 14, 15)
    ]  # fmt: skip

    found = errors([[], gold], [[], predicted])

    assert found.counts == dict.fromkeys(found.counts, 1)
    assert found.examples == {
        "boundary": [Case(1, gold[1], predicted[1])],
        "type": [Case(1, gold[2], predicted[2])],
        "both": [Case(1, gold[3], predicted[3])],
        "missed": [Case(1, gold[4], None)],
        "spurious": [Case(1, None, predicted[4])],
    }


def test_a_span_has_one_other_at_most():
    """One that is cut in two is a wrong border and a spurious span; the larger part is the one paired."""
    found = errors([[Span("A", 0, 5)]], [[Span("A", 0, 2), Span("A", 2, 5)]])

    assert found.examples["boundary"] == [Case(0, Span("A", 0, 5), Span("A", 2, 5))]
    assert found.examples["spurious"] == [Case(0, None, Span("A", 0, 2))]


def test_the_label_counts_more_than_the_overlap():
    """The border of the right name is wrong, rather than the name of a longer one."""
    found = errors([[Span("A", 0, 4)]], [[Span("B", 0, 3), Span("A", 3, 4)]])

    assert found.counts == {
        "right": 0, "boundary": 1, "type": 0, "both": 0, "missed": 0, "spurious": 1,
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_every_span_counts_once(seed: int):
    """Those there are right, wrong or missed; those predicted are right, wrong or spurious."""
    gold, predicted = ([spans(row, "IOB2") for row in side] for side in pairs(seed, "IOB2"))

    counts = errors(gold, predicted).counts

    wrong = sum(counts[kind] for kind in ("right", "boundary", "type", "both"))
    assert wrong + counts["missed"] == sum(map(len, gold))
    assert wrong + counts["spurious"] == sum(map(len, predicted))
    assert counts["right"] == sum(
        len(set(a) & set(b)) for a, b in zip(gold, predicted, strict=True)
    )


def test_only_the_first_examples_are_kept():
    """However many there are."""
    rows = [[Span("A", 0, 1)]] * 9

    found = errors(rows, [[]] * 9, examples=2)

    assert found.counts["missed"] == 9
    assert [case.row for case in found.examples["missed"]] == [0, 1]


def test_rows_must_be_as_many():
    """Else what is counted would be of other rows."""
    with pytest.raises(ValueError, match="zip"):
        errors([[]], [])


def test_long_rows_take_no_longer_for_each_span():
    """Ten thousand words, all of them wrong."""
    source = random.Random(0)
    gold = [Span("A", place, place + 1) for place in range(10_000)]
    predicted = [Span(source.choice("AB"), place, place + 1) for place in range(10_000)]

    counts = errors([gold], [predicted]).counts

    assert counts["right"] + counts["type"] == 10_000
