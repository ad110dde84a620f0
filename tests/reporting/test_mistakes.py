"""Mistakes: what went worst, and what was surest and wrong."""

from __future__ import annotations

import numpy as np
import pytest

from mlrecipe.errors import DataError
from mlrecipe.reporting.decisions import judge
from mlrecipe.reporting.mistakes import confident, statistics, sureness, worst
from tests.reporting.predicted import numbers, one_label, outputs, random_scores, several, tagged

TAGS = ["O", "B-X", "I-X"]


def test_the_worst_rows_are_those_of_the_greatest_loss():
    """-log of the probability of the label, wrong rows only, with the columns of the tested rows."""
    scores, targets = random_scores(3, rows=200)
    table = one_label(scores, targets, "abc", text=[f"text {i}" for i in range(200)])

    found = worst(table, 7)

    loss = -np.log(scores[np.arange(200), targets].astype(float))
    loss[scores.argmax(1) == targets] = -1
    order = np.argsort(-loss, kind="stable")[:7]
    assert found.column("row").to_pylist() == order.tolist()
    assert found.column("loss").to_numpy() == pytest.approx(loss[order])
    assert found.column_names == ["row", "label", "prediction", "confidence", "loss", "text"]
    assert found.column("text").to_pylist() == [f"text {i}" for i in order]


def test_the_surest_errors_come_first():
    """By the probability of what was predicted; at most some of each pair."""
    scores, targets = random_scores(3, rows=300)
    table = one_label(scores, targets, "abc")

    found, few = confident(table, 300), confident(table, 300, per_pair=2)

    wrong = np.flatnonzero(scores.argmax(1) != targets)
    assert sorted(found.column("row").to_pylist()) == wrong.tolist()
    sure = found.column("confidence").to_numpy()
    assert (np.diff(sure) <= 0).all()
    assert sure[0] == scores.max(1)[wrong].max()
    pairs = list(
        zip(few.column("label").to_pylist(), few.column("prediction").to_pylist(), strict=True)
    )
    assert len(pairs) == 12
    assert all(pairs.count(pair) == 2 for pair in pairs)
    assert sureness(table)["mean-confidence"] == pytest.approx(sure.mean())


def test_rows_are_counted_that_are_wrong():
    """Rows without a label are not."""
    table = one_label([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]], [0, 0, -1], "ab")

    assert statistics(table) == {"rows": 2, "errors": 1, "rate": 0.5}
    assert worst(table).column("row").to_pylist() == [1]


def test_of_several_labels_all_count():
    """The loss is the sum over them, and the surest wrong one is named."""
    there = np.array([[True, False], [False, False], [True, True]])
    scores = np.array([[0.3, 0.9], [0.2, 0.1], [0.4, 0.6]], np.float32)
    table = several(scores, there, ["a", "b"])

    found, sure = worst(table), confident(table)

    assert found.column("row").to_pylist() == [0, 2]
    assert found.column("wrong").to_pylist() == [2, 1]
    assert found.column("loss")[0].as_py() == pytest.approx(-np.log(0.3) - np.log(0.1), abs=1e-5)
    assert sure.select(["about", "expected", "given"]).to_pylist() == [
        {"about": "b", "expected": "no", "given": "yes"},
        {"about": "a", "expected": "yes", "given": "no"},
    ]
    assert statistics(table)["wrong-share"] == 0.5


def test_of_several_outputs_the_surest_wrong_one_is_named():
    """With what is expected of it, and what was given."""
    label = [{"x": "a", "y": "c"}, {"x": "b", "y": None}]
    given = [{"x": "a", "y": "d"}, {"x": "b", "y": "d"}]
    scores = [[0.8, 0.2, 0.1, 0.9], [0.1, 0.9, 0.1, 0.9]]
    table = outputs(label, given, scores, {"x": ("a", "b"), "y": ("c", "d")})

    found = confident(table)

    assert found.column("row").to_pylist() == [0]
    assert found.select(["about", "expected", "given"]).to_pylist() == [
        {"about": "y", "expected": "c", "given": "d"}
    ]
    assert judge(table).decisions.tolist() == [2, 1]


def test_of_tags_words_are_counted_and_the_surest_wrong_one_is_named():
    """Words without a tag are left out; a sentence's loss is at least what the decided tags leave."""
    table = tagged(
        [["O", "B-X", None], ["O", "O"], ["B-X"]],
        [["O", "O", "B-X"], ["O", "O"], ["O"]],
        [[0.9, 0.8, 0.99], [0.5, 0.5], [0.6]], TAGS,
        words=[["in", "Rome", "?"], ["no", "place"], ["Paris"]],
    )  # fmt: skip

    found, sure = worst(table), confident(table)

    assert found.column("row").to_pylist() == [0, 2]
    assert found.column("wrong").to_pylist() == [1, 1]
    assert found.column("loss")[0].as_py() == pytest.approx(-np.log(0.9) - np.log(0.2), abs=1e-6)
    assert sure.column("about").to_pylist() == ["word 1: Rome", "word 0: Paris"]
    assert sure.column("given").to_pylist() == ["O", "O"]
    assert statistics(table) == {
        "rows": 3, "errors": 2, "rate": 2 / 3, "decisions": 5, "wrong-share": 2 / 5
    }  # fmt: skip


def test_of_numbers_the_largest_error_is_the_worst():
    """Whatever its sign; and nothing is sure."""
    table = numbers([1.0, 2.0, 3.0, 4.0], [1.5, 0.0, 3.0, 5.0])

    found = worst(table, 2)

    assert found.column("row").to_pylist() == [1, 3]
    assert found.column("error").to_pylist() == [-2.0, 1.0]
    assert statistics(table) == {"rows": 4, "mean-error": 3.5 / 4, "largest-error": 2.0}
    with pytest.raises(DataError, match="a list of confident errors is of one label"):
        confident(table)


def test_a_probability_of_0_is_a_great_loss_and_no_infinite_one():
    """It can still be put in order and be a metric."""
    found = worst(one_label([[1.0, 0.0], [0.6, 0.4]], [1, 1], "ab"))

    assert found.column("row").to_pylist() == [0, 1]
    assert np.isfinite(found.column("loss").to_numpy()).all()


def test_a_column_that_is_called_as_a_fact_keeps_its_values_under_another_name():
    """Nothing of the tested rows is lost."""
    found = worst(one_label([[0.9, 0.1]], [1], "ab", loss=["mine"]))

    assert found.column("input_loss").to_pylist() == ["mine"]
    assert found.column("loss").to_pylist() == pytest.approx([-np.log(0.1)], abs=1e-6)


def test_rows_are_judged_alike_in_however_many_parts_they_come():
    """Parts of the file leave no trace."""
    import pyarrow as pa

    scores, targets = random_scores(4, rows=101)
    table = one_label(scores, targets, "abcd")
    parts = pa.concat_tables([table.slice(i, 7) for i in range(0, 101, 7)])

    one, other = judge(table), judge(parts)

    assert all((getattr(one, name) == getattr(other, name)).all() for name in one.__slots__)


@pytest.mark.parametrize("top", [0, -1])
def test_at_least_a_row_is_asked_for(top):
    """Otherwise the key at fault is named."""
    with pytest.raises(DataError, match=r"top: .* rows cannot be shown"):
        worst(one_label([[0.9, 0.1]], [1], "ab"), top)


@pytest.mark.parametrize(("top", "per_pair"), [(0, None), (-5, None), (5, 0)])
def test_fewer_than_one_confident_error_cannot_be_shown(top: int, per_pair: int | None):
    """As of the worst mistakes."""
    table = one_label([[0.9, 0.1], [0.2, 0.8]], [1, 1], ["a", "b"])

    with pytest.raises(DataError, match="rows cannot be shown"):
        confident(table, top, per_pair=per_pair)
