"""Comparisons: the difference of two models, its interval, and what may be said of it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head
from mlrecipe.significance import adjusted, compare, compare_all, measure, names
from mlrecipe.significance.comparison import Drawing
from tests.significance.tables import (
    numbers,
    one_label,
    right_or_wrong,
    sentences,
    table_of,
)

pytestmark = pytest.mark.heavy

TAGS = ("O", "B-PER", "I-PER")


def models(rows: int = 400, *, gain: float = 0.1, seed: int = 0) -> tuple[pa.Table, pa.Table]:
    """Two models of which the second is right more often by so large a share of the rows."""
    random = np.random.default_rng(seed)
    ease = random.random(rows)
    return right_or_wrong(ease < 0.7), right_or_wrong(ease < 0.7 + gain)


def test_a_clear_difference_is_told_in_words():
    """Which one is better, by how much, between which bounds, and how likely by chance."""
    a, b = models(gain=0.1)

    found = compare(a, b, "accuracy", names=("old", "new"))

    assert found.better == "new"
    assert found.difference == pytest.approx(measure(b, "accuracy") - measure(a, "accuracy"))
    assert 0 < found.interval.low < found.difference < found.interval.high
    assert found.p_value < 0.001
    assert found.verdict.startswith(f"new is better than old: accuracy {found.b:.4f} against")
    assert "95 % interval +0." in found.verdict
    assert "p < 0.001, 400 rows" in found.verdict


def test_where_chance_would_do_it_no_difference_is_told():
    """It says how large a difference would have been found, as none found is not none there."""
    a, b = models(100, gain=0.02)

    found = compare(a, b, "accuracy")

    assert found.better is None
    assert found.verdict.startswith("no difference can be told between a and b: accuracy")
    assert f"a true difference of {found.found:.4f} would be found in four of five" in found.verdict


def test_of_errors_the_smaller_one_is_better():
    """The mean absolute error of the second is larger: the first is better."""
    random = np.random.default_rng(0)
    there = random.normal(size=300)
    a, b = (numbers(there, there + random.normal(0, scale, 300)) for scale in (0.5, 1.0))

    found = compare(a, b, "mean-absolute-error")

    assert found.difference > 0
    assert found.better == "a"
    assert found.verdict.startswith("a is better than b: mean-absolute-error")
    assert f"{found.a:.4f} against {found.b:.4f} (difference -0." in found.verdict


def test_rows_are_counted_by_who_has_them_right():
    """Of what is a share of rows; also where the share is that of mistakes."""
    right = np.array([[1, 1], [1, 0], [0, 1], [0, 1], [0, 0], [1, 1]], bool)
    a, b = right_or_wrong(right[:, 0]), right_or_wrong(right[:, 1])

    found = compare_all(a, b, ["accuracy", "hamming-distance", "f1"], Drawing())

    expected = {"both": 2, "only_a": 1, "only_b": 2, "neither": 1}
    assert found["accuracy"].counts == found["hamming-distance"].counts == expected
    assert found["f1"].counts is None
    assert [found[name].differ for name in found] == [3, 3, 3]


def test_models_that_say_the_same_are_said_to():
    """No p-value is needed for it."""
    a, _ = models()

    found = compare(a, a, "f1", names=("x", "y"))

    assert found.verdict == "f1: x and y do the same in all 400 rows"
    assert (found.p_value, found.better) == (1.0, None)


@pytest.mark.parametrize("kind", ["label", "labels", "number", "tags"])
def test_every_metric_can_be_compared(kind: str):
    """Of each kind of predictions; the better model is found by the metrics that see it."""
    random = np.random.default_rng(5)
    if kind == "number":
        there = random.normal(size=200)
        a, b = (numbers(there, there + random.normal(0, s, 200)) for s in (2.0, 0.2))
    elif kind == "tags":
        there = [["B-PER", "I-PER", "O"]] * 80
        worse = [["B-PER", "O", "O"] if i % 2 else row for i, row in enumerate(there)]
        a, b = (sentences(there, given, tags=TAGS) for given in (worse, there))
    else:
        count = 2 if kind == "label" else 4
        ids = random.integers(0, count, 200)
        scores = [random.random((200, count)) + s * np.eye(count)[ids] for s in (0.1, 1.0)]
        scores = [each / each.sum(axis=1, keepdims=True) for each in scores]
        a, b = (one_label(ids, s.argmax(axis=1), labels=count, scores=s) for s in scores)

    found = compare_all(a, b, names(a), Drawing(resamples=300))

    assert all(
        np.isfinite([c.p_value, c.interval.low, c.interval.high]).all() for c in found.values()
    )
    main = names(a)[0]
    assert found[main].better == "b"
    assert all(c.a == pytest.approx(measure(a, name)) for name, c in found.items())
    assert all(c.b == pytest.approx(measure(b, name)) for name, c in found.items())


def test_rows_are_paired_by_their_numbers():
    """Not by where they stand."""
    a, b = models()
    shuffled = b.take(pa.array(np.random.default_rng(0).permutation(len(b))))

    assert compare(a, shuffled, "accuracy") == compare(a, b, "accuracy")


def test_other_rows_are_an_error_unless_the_common_ones_will_do():
    """It says how many each has, and how many are in both."""
    a, b = models()

    with pytest.raises(DataError, match="400 in the first, 300 in the second, 300 in both"):
        compare(a, b.slice(100), "accuracy")
    found = compare_all(a, b.slice(100), ["accuracy"], Drawing(), is_common=True)["accuracy"]

    assert found.rows == 300
    assert found.a == measure(a.slice(100), "accuracy")


def test_rows_with_another_label_are_other_rows():
    """Though they have the same numbers; the first such row is named."""
    a, b = models()
    label = b["label"].to_pylist()
    label[7] = "l0"

    with pytest.raises(DataError, match="row 7 has the label 'l1' in the first and 'l0' in"):
        compare(a, b.set_column(1, "label", pa.array(label)), "accuracy")


def test_models_with_other_labels_are_not_compared():
    """Nor are those that predict something else; labels in another order are the same labels."""
    there = np.array([0, 1, 1, 0, 1, 0])
    two, three = one_label(there, there), one_label(there, there, labels=3)

    with pytest.raises(DataError, match="only one of the two knows 'l2'"):
        compare(two, three, "accuracy")
    with pytest.raises(DataError, match="has the label"):
        compare(two, numbers(there, there), "accuracy")


def test_labels_in_another_order_are_the_same_labels():
    """F1 is that of the first model's second label, in both."""
    there = np.array([0, 1, 1, 0, 1, 1])
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3], [0.1, 0.9], [0.4, 0.6]])
    a = one_label(there, scores.argmax(axis=1), scores=scores)
    turned = [list(reversed(row)) for row in a["probabilities"].to_pylist()]
    head = a.schema.metadata[b"head"].replace(b'["l0", "l1"]', b'["l1", "l0"]')
    b = a.set_column(3, "probabilities", pa.array(turned, pa.list_(pa.float32())))
    b = b.replace_schema_metadata({"head": head, "labels": '["l1", "l0"]'})

    found = compare_all(a, b, ["f1", "auroc", "precision"], Drawing())

    assert [each.differ for each in found.values()] == [0, 0, 0]


def test_several_pairs_are_corrected():
    """What a single pair would be told of may be chance among many."""
    a, b = models(300, gain=0.012)
    alone = compare(a, b, "accuracy")

    corrected = adjusted([alone] * 5)

    assert alone.better == "b"
    assert corrected[0].p_adjusted == pytest.approx(5 * alone.p_value)
    assert corrected[0].better is None
    assert "after Holm's correction" in corrected[0].verdict


def test_outputs_in_another_order_are_the_same_outputs():
    """Each is exchanged with itself, in whatever order a recipe names them."""
    random = np.random.default_rng(0)
    names = {"topic": ("x", "y", "z"), "tone": ("bad", "good")}
    rows = [{name: str(random.choice(own)) for name, own in names.items()} for _ in range(60)]
    given = [row if random.random() < 0.7 else {"topic": "x", "tone": "bad"} for row in rows]

    def table(said, order):
        outputs = {name: names[name] for name in order}
        labels = tuple(f"{name}={one}" for name, own in outputs.items() for one in own)
        head = Head(problem_type="multi_output_classification", labels=labels, outputs=outputs)
        kind = pa.struct([(name, pa.string()) for name in order])
        return table_of(head, pa.array(rows, kind), pa.array(said, kind))

    usual, turned = (
        compare(table(given, names), table(rows, order), "f1-macro")
        for order in (["topic", "tone"], ["tone", "topic"])
    )

    assert (turned.p_value, turned.differ) == (usual.p_value, usual.differ)
