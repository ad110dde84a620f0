"""The ops that look at predictions: a recorder in, a recorder out."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sk

from mlrecipe import events
from mlrecipe.builtin.ops.calibration import calibration
from mlrecipe.builtin.ops.classification_report import classification_report
from mlrecipe.builtin.ops.confident_errors import confident_errors
from mlrecipe.builtin.ops.confusion_matrix import confusion_matrix
from mlrecipe.builtin.ops.error_clusters import error_clusters
from mlrecipe.builtin.ops.regression_report import regression_report
from mlrecipe.builtin.ops.slices import slices
from mlrecipe.builtin.ops.temperature_scaling import temperature_scaling
from mlrecipe.builtin.ops.threshold_sweep import threshold_sweep
from mlrecipe.builtin.ops.worst_mistakes import worst_mistakes
from mlrecipe.code.closure import code_digest
from mlrecipe.errors import DataError
from mlrecipe.graph.fingerprint import BUILTIN
from mlrecipe.recorder import Recorder, metrics_of
from mlrecipe.registry import registries
from mlrecipe.training.rules.evaluated import METRICS, is_possible
from tests.reporting.predicted import (
    numbers,
    one_label,
    outputs,
    random_scores,
    several,
    tagged,
)

TAGS = ["O", "B-X", "I-X", "B-Y"]
OPS = [
    calibration, classification_report, confident_errors, confusion_matrix, error_clusters,
    slices, temperature_scaling, worst_mistakes,
]  # fmt: skip


def predictions(labels: int = 3, rows: int = 200, **options: Any) -> Recorder:
    """Rows of labels, with texts and a site."""
    scores, targets = random_scores(labels, rows=rows, **options)
    texts = [f"{'long ' * (i % 9)}text {i % 5}" for i in range(rows)]
    names = [f"l{i}" for i in range(labels)]
    return Recorder(one_label(scores, targets, names, text=texts, site=["x", "y"] * (rows // 2)))


def sentences() -> Recorder:
    label = [["O", "B-X", "I-X"], ["B-Y", "O"], ["O", "O", "B-X"]] * 5
    given = [["O", "B-X", "O"], ["B-X", "O"], ["O", "B-Y", "B-X"]] * 5
    scores = [[0.9] * len(row) for row in label]
    words = [["in", "New", "York"], ["Rome", "is"], ["to", "the", "sea"]] * 5
    return Recorder(tagged(label, given, scores, TAGS, words=words))


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.__name__)
def test_every_op_gives_a_recorder_of_the_same_split(op):
    """With finite metrics; what is no longer predictions has no head."""
    found = op(predictions())

    assert isinstance(found, Recorder)
    assert found.split == "test"
    assert metrics_of(found)
    assert bool(found.head) == (op is temperature_scaling)


@pytest.mark.parametrize("op", OPS, ids=lambda op: op.__name__)
def test_the_same_predictions_give_the_same_recorder(op):
    """Row by row and number by number: the store may keep it."""
    assert op(predictions()) == op(predictions())


def test_classes_are_those_of_scikit_learn():
    """Precision, recall and F1 of each, and their means."""
    given = predictions()
    found = classification_report(given)

    expected: Any = sk.classification_report(
        given.column("label"), given.column("prediction"), output_dict=True, zero_division=0
    )
    for row in found.rows():
        own = expected[row["label"]]
        assert row["rows"] == own["support"]
        assert [row["precision"], row["recall"], row["f1"]] == pytest.approx(
            [own["precision"], own["recall"], own["f1-score"]], abs=1e-9
        )
    for mean in ("macro", "weighted"):
        assert found.statistics[f"{mean}/f1"] == pytest.approx(
            expected[f"{mean} avg"]["f1-score"], abs=1e-9
        )
    assert found.statistics["accuracy"] == pytest.approx(expected["accuracy"], abs=1e-9)
    assert "micro/f1" not in found.statistics


def test_classes_of_several_labels_tags_and_outputs():
    """Exact matches, types of spans or tags, and each output under its name."""
    random = np.random.default_rng(0)
    there = random.random((50, 2)) < 0.5
    scores = random.random((50, 2))
    labels = classification_report(Recorder(several(scores, there, ["a", "b"])))
    spans, words = (classification_report(sentences(), unit=u) for u in ("spans", "words"))
    own = {"x": ("a", "b"), "y": ("c", "d")}
    both = classification_report(Recorder(outputs(
        [{"x": "a", "y": "c"}], [{"x": "a", "y": "d"}], [[0.8, 0.2, 0.1, 0.9]], own
    )))  # fmt: skip

    matched = sk.accuracy_score(there, scores.astype(np.float32) > 0.5)
    assert labels.statistics["exact-match"] == pytest.approx(matched)
    assert spans.column("label") == ["X", "Y"]
    assert spans.column("spans") == [10, 5]
    assert words.column("label") == TAGS
    assert spans.statistics["accuracy"] == words.statistics["accuracy"] == pytest.approx(5 / 8)
    assert both.column("output") == ["x", "x", "y", "y"]
    assert (both.statistics["x/accuracy"], both.statistics["y/accuracy"]) == (1, 0)


def test_the_confusion_matrix_is_that_of_scikit_learn():
    """Counts and shares, and the commonest error in words."""
    given = predictions()

    found = confusion_matrix(given, share_of="prediction")

    names = ["l0", "l1", "l2"]
    label, said = given.column("label"), given.column("prediction")
    counts = sk.confusion_matrix(label, said, labels=names)
    shares = sk.confusion_matrix(label, said, labels=names, normalize="pred")
    for row in found.rows():
        place = names.index(row["label"]), names.index(row["prediction"])
        assert row["count"] == counts[place]
        assert row["share"] == pytest.approx(shares[place], abs=1e-9)
    assert sum(found.column("count")) == 200
    wrong = counts - np.diag(np.diag(counts))
    i, j = np.unravel_index(wrong.argmax(), wrong.shape)
    assert found.statistics["most-confused"] == f"l{i} as l{j}"
    assert found.statistics["error-rate"] == pytest.approx(wrong.sum() / 200)


def test_each_of_several_labels_has_a_table_of_two_by_two():
    """As scikit-learn's multilabel_confusion_matrix."""
    random = np.random.default_rng(0)
    there, scores = random.random((80, 2)) < 0.4, random.random((80, 2)).astype(np.float32)

    found = confusion_matrix(Recorder(several(scores, there, ["a", "b"])))

    expected = sk.multilabel_confusion_matrix(there, scores > 0.5)
    yes = {"no": 0, "yes": 1}
    for row in found.rows():
        own = expected["ab".index(row["label"])]
        assert row["count"] == own[yes[row["there"]], yes[row["given"]]]
    assert len(found) == 8
    assert found.statistics["errors"] == int((there != (scores > 0.5)).sum())


def test_the_confusion_of_spans_says_what_became_of_them():
    """Kinds of errors with their counts."""
    found = confusion_matrix(sentences(), unit="spans")

    assert dict(zip(found.column("kind"), found.column("count"), strict=True)) == {
        "right": 5, "boundary": 5, "type": 5, "both": 0, "missed": 0, "spurious": 5
    }  # fmt: skip
    assert found.statistics["boundary"] == 5


def test_numbers_are_reported_as_scikit_learn_has_them():
    """Over all rows, and over ranges of the label."""
    random = np.random.default_rng(0)
    targets = random.normal(size=100).astype(np.float32)
    given = (targets * 0.8 + 0.3 + random.normal(size=100)).astype(np.float32)

    found = regression_report(Recorder(numbers(targets, given)), bins=4)

    assert found.statistics["r2-score"] == pytest.approx(sk.r2_score(targets, given), abs=1e-6)
    squared = sk.mean_squared_error(targets, given)
    assert found.statistics["root-mean-squared-error"] == pytest.approx(squared**0.5, abs=1e-6)
    assert found.statistics["bias"] == pytest.approx(float((given - targets).mean()), abs=1e-6)
    assert found.column("rows") == [25] * 4
    assert found.column("high") == sorted(found.column("high"))


def test_scaled_predictions_are_predictions():
    """Other ops take them; the temperature was fitted on other rows, which are told apart by nothing."""
    sharp, held_out = predictions(rows=600, sharp=3), predictions(rows=600, sharp=3, seed=1)

    found = temperature_scaling(sharp, held_out)

    assert found.statistics["temperature"] == pytest.approx(3, rel=0.2)
    assert found.column("prediction") == sharp.column("prediction")
    assert found.column("text") == sharp.column("text")
    before = calibration(sharp).statistics["calibration-error"]
    after = calibration(found).statistics["calibration-error"]
    assert found.statistics["calibration-error-before"] == before
    assert found.statistics["calibration-error"] == after < before


def test_without_other_rows_the_temperature_is_fitted_in_folds():
    """The mean of theirs is said; another seed deals otherwise."""
    given = predictions(rows=600, sharp=3)

    one, other = temperature_scaling(given, seed=1), temperature_scaling(given, seed=2)

    assert one.statistics["temperature"] == pytest.approx(3, rel=0.2)
    assert one.table != other.table
    with pytest.raises(DataError, match="folds: 600 rows cannot be dealt to 1 folds"):
        temperature_scaling(given, folds=1)


def test_a_threshold_is_chosen_on_other_rows(notes):
    """And judged on those of the first input; without such a note says that the number flatters."""
    judged, validation = predictions(2), predictions(2, seed=1)

    fair, flattered = threshold_sweep(judged, validation), threshold_sweep(judged)

    own = threshold_sweep(validation)
    assert fair.statistics["best-threshold"] == own.statistics["best-threshold"]
    assert fair.statistics["f1"] <= flattered.statistics["f1"]
    assert flattered.statistics["f1"] >= flattered.statistics["f1-default"]
    given = [row[1] > fair.statistics["best-threshold"] for row in judged.column("probabilities")]
    expected = sk.f1_score([name == "l1" for name in judged.column("label")], given)
    assert fair.statistics["f1"] == pytest.approx(expected)
    assert len([text for text in notes if "chosen on the rows that it is judged on" in text]) == 2


def test_several_labels_have_a_threshold_each(notes):
    """Beside one for all."""
    random = np.random.default_rng(0)
    there = random.random((100, 2)) < [0.5, 0.1]
    given = Recorder(several(there * 0.3 + random.random((100, 2)) * 0.5, there, ["a", "b"]))

    found = threshold_sweep(given, steps=10)

    assert set(found.statistics["thresholds"]) == {"a", "b"}
    assert found.statistics["f1-apart"] >= found.statistics["f1"] >= found.statistics["f1-default"]
    assert len(found) == 3 * 11
    assert notes


def test_inputs_of_other_labels_are_an_error():
    """A temperature or a threshold of other labels says nothing."""
    other = Recorder(one_label([[0.9, 0.1]], [0], ["l0", "pos"]))

    for op in (temperature_scaling, threshold_sweep):
        with pytest.raises(DataError, match="only one of them knows 'l1', 'pos'"):
            op(predictions(2), other)
        with pytest.raises(DataError, match="at most one input more"):
            op(predictions(2), predictions(2), predictions(2))


def test_slices_by_length_and_columns():
    """Each cut on its own; the worst of all is said."""
    found = slices(predictions(), by=["length", "site"], least=40, resamples=100)

    assert found.column("by") == ["length"] * 4 + ["site"] * 2
    assert found.statistics["metric"] == "accuracy"
    values = [row["value"] for row in found.rows() if row["rows"] >= 40]
    assert found.statistics["worst"] == min(values)
    assert found.statistics["worst-slice"].startswith(("length: ", "site: "))
    assert all(row["low"] <= row["value"] <= row["high"] for row in found.rows())


@pytest.mark.parametrize(
    ("least", "rows", "told"),
    [
        (20, None, ""),
        (60, None, "fewer than two slices have 60 rows: `worst` and `gap` are of the largest alone "
                   "(1 of 4, with 68 rows)"),
        (100, None, "(1 of 4, with 68 rows); for those of smaller ones set `least` to fewer rows"),
        (100, 1000, ""),  # some rows of many more: these have slices that are large enough
        (1000, 2000, "fewer than two slices have 1,000 rows"),
    ],
)  # fmt: skip
def test_a_worst_slice_of_too_few_is_told(least: int, rows: int | None, told: str):
    """It would be better than the rest, and no sign of that."""
    given, notes = predictions(), list[events.Event]()
    facts = {"rows": str(rows)} if rows else {}
    metadata = given.table.schema.metadata | {k.encode(): v.encode() for k, v in facts.items()}
    table = given.table.replace_schema_metadata(metadata)

    with events.listening(notes.append):
        slices(Recorder(table), least=least, resamples=0)

    assert [note.level for note in notes if isinstance(note, events.Note)] == ["warning"] * bool(
        told
    )
    assert told in "".join(note.text for note in notes if isinstance(note, events.Note))


def test_mistakes_keep_the_columns_of_the_rows():
    """And the errors are counted."""
    given = predictions()

    worst, sure = worst_mistakes(given, top=5), confident_errors(given, top=5, per_pair=1)

    wrong = sum(
        a != b for a, b in zip(given.column("label"), given.column("prediction"), strict=True)
    )
    for found in (worst, sure):
        assert found.statistics["errors"] == wrong
        assert found.statistics["rate"] == wrong / 200
        assert len(found) == 5
        assert [row["text"] for row in found.rows()] == [
            given.column("text")[row["row"]] for row in found.rows()
        ]
    assert sure.statistics["highest-confidence"] == sure.column("confidence")[0]


def test_clusters_of_errors_are_rows_with_examples():
    """All of the wrong rows are in them."""
    found = error_clusters(predictions(), examples=1)

    assert sum(found.column("rows")) == found.statistics["errors"]
    assert all(len(row["examples"]) == 1 for row in found.rows())


def test_a_few_rows_that_are_all_right_have_the_same_metrics():
    """A training is checked on one batch: a metric that it is judged by must not come and go."""
    right = Recorder(one_label([[0.9, 0.1], [0.8, 0.2]], [0, 0], ["l0", "l1"], text=["a", "b"]))

    for op in (calibration, confident_errors, confusion_matrix, error_clusters, slices):
        assert metrics_of(op(right)).keys() == metrics_of(op(predictions(2))).keys()


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("worst_mistakes", "../reporting/mistakes.py::worst"),
        ("calibration", "../reporting/bins.py::Calibration"),
        ("slices", "../significance/slices.py::by_length"),
    ],
)
def test_the_code_that_computes_is_part_of_the_fingerprint(name, symbol):
    """What was computed by other code is not taken from the store, though the op is the same."""
    path = BUILTIN[0] / "ops" / f"{name}.py"

    assert symbol in code_digest(path, name, roots=BUILTIN).symbols


@pytest.mark.parametrize("value", [{"rows": 3}, pa.table({"a": [1]}), None])
def test_what_is_no_recorder_is_no_input(value):
    """The message says what to take."""
    with pytest.raises(DataError, match=r'inputs: expected predictions, got .*take the input "pre'):
        worst_mistakes(value)


def test_rows_that_are_no_predictions_are_told_from_them():
    """The rows of another op, say; the message has their columns."""
    with pytest.raises(
        DataError, match=r"no predictions: their columns are row, label, prediction, co"
    ):
        calibration(worst_mistakes(predictions()))


@pytest.mark.parametrize("op", sorted(METRICS))
def test_the_metrics_of_an_op_that_are_known_before_it_runs_are_those_that_it_gives(op: str):
    """Of labels, several labels, several outputs, tags and numbers: a monitor that has one is not refused."""
    run = registries["op"].get(op)
    random = np.random.default_rng(0)
    scores, there = random.random((40, 2)), random.integers(0, 2, (40, 2))
    both = [{"x": "p", "y": "r"}, {"x": "q", "y": "s"}] * 20
    of_both = outputs(
        both, both[1:] + both[:1], [[0.8, 0.2, 0.3, 0.7]] * 40, {"x": ("p", "q"), "y": ("r", "s")}
    )
    text = [f"{'long ' * (i % 9)}text" for i in range(40)]
    given = [predictions(2), sentences(), *(Recorder(table.append_column("text", [text])) for table in (
        several(scores, there, ["a", "b"]), of_both, numbers(scores[:, 0], scores[:, 1])))]  # fmt: skip

    names = set()
    for each in given:
        with contextlib.suppress(DataError):  # not of this kind
            names |= metrics_of(run(each)).keys()

    assert names
    assert all(is_possible(op, name) for name in names), sorted(names)
    assert not is_possible(op, "worts")
