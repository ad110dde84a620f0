"""The report of a test: what predictions come to, class by class, from their file alone."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from scipy import stats
from sklearn import metrics as sk

from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head
from mlrecipe.recipe.schema import TestSpec
from mlrecipe.registry import registries
from mlrecipe.reporting.glue import glue_score
from mlrecipe.reporting.report import report, write
from mlrecipe.training.fit import fit
from mlrecipe.training.predictions import Predictions
from mlrecipe.training.test import test as run_test
from tests.training.tiny import LABELS, components, make_spec, make_splits

pytestmark = pytest.mark.heavy

EXACT = 1e-9


def predicted(
    folder: Path, head: Head, scores: np.ndarray, targets: np.ndarray | None, *, size: int = 7
) -> Path:
    """A file of predictions, written in batches of `size`."""
    path = folder / "predictions.arrow"
    with Predictions(path, head) as file:
        for start in range(0, len(scores), size):
            rows = np.arange(start, min(start + size, len(scores)))
            given = None if targets is None else torch.tensor(targets[rows])
            file.add(torch.tensor(scores[rows]), given, rows=rows)
    return path


def one_label(labels: int, *, rows: int = 101, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    targets = random.integers(0, labels, rows)
    logits = random.normal(size=(rows, labels)) + np.eye(labels)[targets]
    return torch.tensor(logits, dtype=torch.float32).softmax(dim=1).numpy(), targets


def head_of(*labels: str, kind: str = "single_label_classification", **settings: Any) -> Head:
    return Head(problem_type=kind, labels=labels, **settings)


def test_each_class_has_what_scikit_learn_says_of_it(tmp_path: Path):
    """Precision, recall, F1 and rows of each label, their means, and the confusion matrix."""
    scores, targets = one_label(4)
    names = ["ant", "bee", "cat", "dog"]

    found = report(predicted(tmp_path, head_of(*names), scores, targets))

    given = scores.argmax(axis=1)
    expected: Any = sk.classification_report(
        targets, given, target_names=names, output_dict=True, zero_division=0
    )
    rates = ("precision", "recall")
    for name in names:
        assert found["classes"][name]["rows"] == expected[name]["support"]
        assert found["classes"][name]["f1"] == pytest.approx(expected[name]["f1-score"], abs=EXACT)
        for rate in rates:
            assert found["classes"][name][rate] == pytest.approx(expected[name][rate], abs=EXACT)
    for mean in ("macro", "weighted"):
        for rate in rates:
            assert found[mean][rate] == pytest.approx(expected[f"{mean} avg"][rate], abs=EXACT)
    assert found["accuracy"] == pytest.approx(expected["accuracy"], abs=EXACT)
    table = [[found["confusion"].get(a, {}).get(b, 0) for b in names] for a in names]
    assert table == sk.confusion_matrix(targets, given).tolist()


@pytest.mark.parametrize("labels", [2, 5])
def test_what_report_and_metrics_have_both_is_equal(tmp_path: Path, labels: int):
    """Computed twice, with numpy from the file and with torch while testing."""
    scores, targets = one_label(labels)
    head = head_of(*"abcde"[:labels])

    found = report(predicted(tmp_path, head, scores, targets))

    def metric(name: str) -> float:
        meter = registries["metric"].get(name)(head)
        meter.update(torch.tensor(scores), torch.tensor(targets))
        return float(meter.compute())

    assert found["accuracy"] == pytest.approx(metric("accuracy"), abs=EXACT)
    assert found["macro"]["f1"] == pytest.approx(metric("f1-macro"), abs=EXACT)
    assert found["weighted"]["f1"] == pytest.approx(metric("f1-weighted"), abs=EXACT)
    assert found["calibration"]["error"] == pytest.approx(metric("calibration-error"), abs=EXACT)
    assert sum(each["rows"] for each in found["calibration"]["bins"]) == len(targets)


def test_the_calibration_error_is_the_gap_of_confidence_and_accuracy(tmp_path: Path):
    """Four rows, all 75 % sure and half of them right; full certainty is in the last bin."""
    scores = np.array([[0.75, 0.25]] * 4 + [[0.0, 1.0]], np.float32)
    targets = np.array([0, 0, 1, 1, 1])

    found = report(predicted(tmp_path, head_of("a", "b"), scores, targets))["calibration"]

    assert found["error"] == pytest.approx(0.25 * 4 / 5, abs=EXACT)
    assert [(b["rows"], b["accuracy"], b["confidence"]) for b in found["bins"]] == [
        (4, 0.5, 0.75),
        (1, 1.0, 1.0),
    ]
    assert found["bins"][-1]["to"] == 1.0


def test_of_several_labels_each_has_its_rates(tmp_path: Path):
    """As scikit-learn has them; the threshold is that of the predictions."""
    random = np.random.default_rng(0)
    scores = random.random((101, 3)).astype(np.float32)
    targets = random.integers(0, 2, (101, 3))
    targets[0] = 0
    head = head_of("a", "b", "c", kind="multi_label_classification", threshold=0.25)

    found = report(predicted(tmp_path, head, scores, targets))

    given = scores > np.float32(0.25)
    expected: Any = sk.classification_report(
        targets, given, target_names=["a", "b", "c"], output_dict=True, zero_division=0
    )
    for name in head.labels:
        assert found["classes"][name]["f1"] == pytest.approx(expected[name]["f1-score"], abs=EXACT)
    for mean in ("micro", "macro", "weighted"):
        assert found[mean]["f1"] == pytest.approx(expected[f"{mean} avg"]["f1-score"], abs=EXACT)
    assert found["exact_match"] == pytest.approx(sk.accuracy_score(targets, given), abs=EXACT)


def test_of_numbers_there_are_correlations_and_errors(tmp_path: Path):
    """As SciPy and scikit-learn have them, of what the file says."""
    random = np.random.default_rng(0)
    targets = np.round(random.random(101) * 5, 1).astype(np.float32)
    scores = (targets + random.normal(size=101)).astype(np.float32)

    found = report(predicted(tmp_path, head_of("score", kind="regression"), scores, targets))

    ours, theirs = scores.astype(np.float64), targets.astype(np.float64)
    assert found["pearson"] == pytest.approx(stats.pearsonr(ours, theirs).statistic, abs=EXACT)
    assert found["spearman"] == pytest.approx(stats.spearmanr(ours, theirs).statistic, abs=EXACT)
    assert found["mean_squared_error"] == pytest.approx(
        sk.mean_squared_error(theirs, ours), abs=EXACT
    )
    assert found["mean_absolute_error"] == pytest.approx(
        sk.mean_absolute_error(theirs, ours), abs=EXACT
    )
    assert found["r2"] == pytest.approx(sk.r2_score(theirs, ours), abs=EXACT)


def test_glue_15_the_report_of_constant_numbers_is_whole(tmp_path: Path):
    """A correlation of what never changes is 0; what is no number is null, as JSON has no other."""
    head = head_of("score", kind="regression")
    same = report(predicted(tmp_path, head, np.full(8, 2.5, np.float32), np.arange(8.0)))
    broken = report(predicted(tmp_path, head, np.full(8, np.nan, np.float32), np.arange(8.0)))

    assert (same["pearson"], same["spearman"]) == (0.0, 0.0)
    assert broken["pearson"] is None
    assert json.dumps(broken, allow_nan=False)


def test_each_of_several_outputs_has_a_report(tmp_path: Path):
    """Of its own labels and its own part of the probabilities."""
    intent, topic = one_label(2, seed=1), one_label(3, seed=2)
    outputs = {"intent": ("ask", "tell"), "topic": ("a=b", "c", "d")}
    head = head_of(
        *(f"{column}={label}" for column, labels in outputs.items() for label in labels),
        kind="multi_output_classification", outputs=outputs,
    )  # fmt: skip
    scores = np.concatenate([intent[0], topic[0]], axis=1)
    path = predicted(tmp_path, head, scores, np.stack([intent[1], topic[1]], axis=1))

    found = report(path)["outputs"]

    for column, (own, targets) in {"intent": intent, "topic": topic}.items():
        alone = report(predicted(tmp_path, head_of(*outputs[column]), own, targets))
        assert found[column] == alone


def test_glue_7_rows_without_labels_are_counted_but_not_judged(tmp_path: Path):
    """How often each label was predicted is known; nothing else is."""
    scores, _ = one_label(2)

    found = report(predicted(tmp_path, head_of("a", "b"), scores, None))

    counts = np.bincount(scores.argmax(axis=1)).tolist()
    assert found == {
        "kind": "single_label_classification", "rows": 101, "labelled": 0,
        "predicted": {"a": counts[0], "b": counts[1]},
    }  # fmt: skip


def test_a_report_can_be_made_again_from_the_file(tmp_path: Path):
    """It says the same, byte for byte, with a table for each split."""
    scores, targets = one_label(2)
    path = predicted(tmp_path, head_of("a", "b"), scores, targets)

    first = write(tmp_path, {"dev": path, "test": path}).read_bytes()

    assert write(tmp_path, {"dev": path, "test": path}).read_bytes() == first
    assert list(json.loads(first)["splits"]) == ["dev", "test"]


@pytest.fixture(scope="module")
def tested(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, float], Path]:
    """Validation metrics of a short training, and a test of its checkpoint on the same rows."""
    names = ["accuracy", "f1", "auroc", "matthews-corrcoef", "calibration-error"]
    task, rows = TextClassification(labels=LABELS, metrics=names), make_splits(valid=37)
    trained = fit(
        task=task, model=Transformer(config=str(tiny)), spec=make_spec(), seed=1, data=rows,
        components=components(), folder=tmp_path_factory.mktemp("trained"),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("tested")
    run_test(
        task=task, model=Transformer(config="/nowhere"), spec=TestSpec(split="valid", batch_size=4),
        data=rows, checkpoint=trained.model_folder, folder=folder, trainer={"accelerator": "cpu"},
    )  # fmt: skip
    return dict(trained.best_metrics), folder


def stored(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and label ids of a test's predictions."""
    with pa.ipc.open_stream(folder / "predictions.arrow") as stream:
        table = stream.read_all()
    ids = [LABELS.index(name) for name in table["label"].to_pylist()]
    return np.array(table["probabilities"].to_pylist()), np.array(ids)


def test_glue_14_reported_values_equal_scikit_learn(tested: tuple[dict[str, float], Path]):
    """What `metrics.json` says of a test to 1e-9, what was shown while training to 1e-6."""
    valid, folder = tested
    scores, targets = stored(folder)
    given = scores.argmax(axis=1)
    expected = {
        "accuracy": sk.accuracy_score(targets, given),
        "f1": sk.f1_score(targets, given),
        "auroc": sk.roc_auc_score(targets, scores[:, 1]),
        "matthews-corrcoef": sk.matthews_corrcoef(targets, given),
    }

    found = json.loads((folder / "metrics.json").read_text())["metrics"]

    for name, value in expected.items():
        assert found[f"test/{name}"] == pytest.approx(value, abs=EXACT, rel=0)
        assert valid[f"valid/{name}"] == pytest.approx(value, abs=1e-6, rel=0)


def test_a_test_leaves_its_report(tested: tuple[dict[str, float], Path]):
    """`report.json` beside the metrics, and it agrees with them."""
    _, folder = tested

    found = json.loads((folder / "report.json").read_text())["splits"]["valid"]

    metrics = json.loads((folder / "metrics.json").read_text())["metrics"]
    assert found["rows"] == 37
    assert found["accuracy"] == pytest.approx(metrics["test/accuracy"], abs=EXACT)
    assert found["calibration"]["error"] == pytest.approx(
        metrics["test/calibration-error"], abs=EXACT
    )


# What the test server says of BERT-base, as published.
BERT = {
    "mnli_matched": {"accuracy": 84.6}, "mnli_mismatched": {"accuracy": 83.4}, "qqp": {"f1": 71.2},
    "qnli": {"accuracy": 90.5}, "sst2": {"accuracy": 93.5}, "cola": {"matthews-corrcoef": 52.1},
    "stsb": {"spearman-corrcoef": 85.8}, "mrpc": {"f1": 88.9}, "rte": {"accuracy": 66.4},
}  # fmt: skip


def test_glue_16_the_score_follows_its_convention():
    """BERT's published row is 79.6 as its paper counts, and 79.05 with MNLI as one task."""
    bert, paper = glue_score(BERT, "bert"), glue_score(BERT, "paper")

    assert round(bert.score, 1) == 79.6
    assert len(bert.parts) == 9
    assert paper.score == pytest.approx(79.05, abs=EXACT)
    assert len(paper.parts) == 8
    assert paper.parts["mnli"] == pytest.approx(84.0, abs=EXACT)


def test_glue_16_the_score_says_its_convention_and_what_is_missing():
    """In words, with every task and metric that was not there."""
    bert, paper = glue_score(BERT, "bert"), glue_score(BERT, "paper")

    assert bert.missing == ()
    assert bert.text.startswith('convention "bert", that of the BERT paper')
    assert "WNLI left out" in bert.text
    assert paper.missing == (
        "mrpc/accuracy", "stsb/pearson-corrcoef", "qqp/accuracy", "wnli",
    )  # fmt: skip
    assert "MNLI's two sets as one task" in paper.text
    assert paper.text.endswith(
        "over 8 of 9, without mrpc/accuracy, stsb/pearson-corrcoef, qqp/accuracy, wnli"
    )


def test_glue_16_a_task_with_two_metrics_counts_as_their_mean():
    """Of all nine tasks, with accuracy and F1, Pearson and Spearman; the diagnostic set does not count."""
    tasks = {name: dict(values) for name, values in BERT.items()}
    tasks["mrpc"]["accuracy"] = 84.9
    tasks["wnli"] = {"accuracy": 56.0, "f1": 1.0}
    tasks["ax"] = {"matthews-corrcoef": 34.0}

    found = glue_score(tasks)

    assert found.convention == "paper"
    assert found.parts["mrpc"] == pytest.approx((88.9 + 84.9) / 2)
    assert found.parts["wnli"] == 56.0
    assert len(found.parts) == 9
    assert math.isclose(found.score, sum(found.parts.values()) / 9)


@pytest.mark.parametrize(
    ("tasks", "convention", "message"),
    [
        ({"mnli": {"accuracy": 1.0}}, "paper", "'mnli' is no task of GLUE"),
        (BERT, "mean", "'mean' is no convention"),
        ({"rte": {"f1": 1.0}}, "paper", "there is no metric of a GLUE task"),
        ({}, "bert", "there is no metric of a GLUE task"),
    ],
)
def test_glue_16_what_makes_no_score_is_refused(tasks: Any, convention: str, message: str):
    """Never a number of nothing, or one by another convention than the one asked for."""
    with pytest.raises(DataError, match=message):
        glue_score(tasks, convention)
