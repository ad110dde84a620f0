"""Metrics equal scikit-learn and SciPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from sklearn import metrics as sk

from mlrecipe.interfaces import Head
from mlrecipe.registry import registries

EXACT = 1e-9
SEEDS = range(5)

Pair = tuple[np.ndarray, np.ndarray]


def value(
    name: str, head: Head, scores: np.ndarray, targets: np.ndarray, *, size: int = 7
) -> float:
    """The metric over batches of `size` rows, the last of which has one row at least."""
    meter = registries["metric"].get(name)(head)
    for start in range(0, len(targets), size):
        rows = slice(start, start + size)
        meter.update(torch.tensor(scores[rows]), torch.tensor(targets[rows]))
    found = meter.compute()
    assert found.dtype == torch.float64
    return float(found)


def one_label(labels: int, *, seed: int, rows: int = 211, digits: int = 1) -> Pair:
    """Probabilities in float32, as models give them, and label ids; with few digits many are equal."""
    random = np.random.default_rng(seed)
    targets = random.integers(0, labels, rows)
    logits = np.round(random.normal(size=(rows, labels)), digits) + np.eye(labels)[targets]
    scores = torch.tensor(logits, dtype=torch.float32).softmax(dim=1).numpy()
    return scores, targets


def several_labels(labels: int, *, seed: int, rows: int = 211) -> Pair:
    random = np.random.default_rng(seed)
    targets = (random.random((rows, labels)) < 0.3).astype(np.int64)
    logits = np.round(random.normal(size=(rows, labels)), 1) + targets
    return torch.tensor(logits, dtype=torch.float32).sigmoid().numpy(), targets


def numbers(*, seed: int, rows: int = 211) -> Pair:
    """Numbers around 1,000, where float32 has four digits left for their differences."""
    random = np.random.default_rng(seed)
    targets = np.round(random.normal(1000, 2, rows), 1).astype(np.float32)
    return (targets + random.normal(0, 1, rows)).astype(np.float32), targets


def head_of(kind: str, labels: int, **settings: Any) -> Head:
    return Head(problem_type=kind, labels=tuple(f"l{i}" for i in range(labels)), **settings)


def of_labels(function: Callable[..., float], **settings: Any) -> Callable[[Pair], float]:
    """A function of targets and predicted ids."""
    return lambda pair: function(pair[1], pair[0].argmax(axis=1), **settings)


def of_second(function: Callable[..., float], **settings: Any) -> Callable[[Pair], float]:
    """As scikit-learn has it by default for two labels, and the plain mean for more."""

    def compute(pair: Pair) -> float:
        average = "binary" if pair[0].shape[1] == 2 else "macro"
        return function(pair[1], pair[0].argmax(axis=1), average=average, **settings)

    return compute


def auroc(pair: Pair) -> float:
    scores, targets = pair
    if scores.shape[1] == 2:
        return sk.roc_auc_score(targets, scores[:, 1])
    each = [sk.roc_auc_score(targets == i, scores[:, i]) for i in range(scores.shape[1])]
    return float(np.mean(each))


def average_precision(pair: Pair) -> float:
    scores, targets = pair
    if scores.shape[1] == 2:
        return sk.average_precision_score(targets, scores[:, 1])
    each = [sk.average_precision_score(targets == i, scores[:, i]) for i in range(scores.shape[1])]
    return float(np.mean(each))


def specificity(pair: Pair, *, of_given: bool = False) -> float:
    """Recall (or precision) of not having a label."""
    scores, targets = pair
    given = scores.argmax(axis=1)
    function = sk.precision_score if of_given else sk.recall_score
    each = [function(targets != i, given != i) for i in range(scores.shape[1])]
    return each[1] if len(each) == 2 else float(np.mean(each))


def calibration_error(pair: Pair) -> float:
    """As Guo et al. (2017) define it, bin by bin."""
    scores, targets = pair
    confidence = scores.max(axis=1).astype(np.float64)
    is_right = scores.argmax(axis=1) == targets
    found = 0.0
    for number in range(15):
        inside = (confidence >= number / 15) & (confidence < (number + 1) / 15)
        if inside.any():
            gap = abs(is_right[inside].mean() - confidence[inside].mean())
            found += gap * inside.mean()
    return found


ONE_LABEL: dict[str, Callable[[Pair], float]] = {
    "accuracy": of_labels(sk.accuracy_score),
    "auroc": auroc,
    "average-precision": average_precision,
    "balanced-accuracy": of_labels(sk.balanced_accuracy_score),
    "calibration-error": calibration_error,
    "cohen-kappa": of_labels(sk.cohen_kappa_score),
    "f1": of_second(sk.f1_score),
    "f1-macro": of_labels(sk.f1_score, average="macro"),
    "f1-micro": of_labels(sk.f1_score, average="micro"),
    "f1-weighted": of_labels(sk.f1_score, average="weighted"),
    "hamming-distance": of_labels(sk.hamming_loss),
    "jaccard-index": of_second(sk.jaccard_score),
    "matthews-corrcoef": of_labels(sk.matthews_corrcoef),
    "negative-predictive-value": lambda pair: specificity(pair, of_given=True),
    "precision": of_second(sk.precision_score),
    "precision-macro": of_labels(sk.precision_score, average="macro"),
    "precision-micro": of_labels(sk.precision_score, average="micro"),
    "recall": of_second(sk.recall_score),
    "recall-macro": of_labels(sk.recall_score, average="macro"),
    "recall-micro": of_labels(sk.recall_score, average="micro"),
    "specificity": specificity,
    "top-3-accuracy": lambda pair: sk.top_k_accuracy_score(pair[1], pair[0], k=3),
    "top-5-accuracy": lambda pair: sk.top_k_accuracy_score(pair[1], pair[0], k=5),
}


def of_decisions(function: Callable[..., float], **settings: Any) -> Callable[[Pair], float]:
    """A function of which labels rows have and which they are given."""
    return lambda pair: function(pair[1], pair[0] > 0.5, **settings)


def flat(function: Callable[..., float]) -> Callable[[Pair], float]:
    return lambda pair: function(pair[1].ravel(), (pair[0] > 0.5).ravel())


def inverse(function: Callable[..., float]) -> Callable[[Pair], float]:
    """Of not having a label, the plain mean over the labels."""
    return lambda pair: function(1 - pair[1], pair[0] <= 0.5, average="macro")


SEVERAL_LABELS: dict[str, Callable[[Pair], float]] = {
    "accuracy": flat(sk.accuracy_score),
    "auroc": lambda pair: sk.roc_auc_score(pair[1], pair[0], average="macro"),
    "average-precision": lambda pair: sk.average_precision_score(pair[1], pair[0]),
    "exact-match": of_decisions(sk.accuracy_score),
    "f1": of_decisions(sk.f1_score, average="macro"),
    "f1-macro": of_decisions(sk.f1_score, average="macro"),
    "f1-micro": of_decisions(sk.f1_score, average="micro"),
    "f1-weighted": of_decisions(sk.f1_score, average="weighted"),
    "hamming-distance": of_decisions(sk.hamming_loss),
    "jaccard-index": of_decisions(sk.jaccard_score, average="macro"),
    "matthews-corrcoef": flat(sk.matthews_corrcoef),
    "negative-predictive-value": inverse(sk.precision_score),
    "precision": of_decisions(sk.precision_score, average="macro"),
    "precision-macro": of_decisions(sk.precision_score, average="macro"),
    "precision-micro": of_decisions(sk.precision_score, average="micro"),
    "recall": of_decisions(sk.recall_score, average="macro"),
    "recall-macro": of_decisions(sk.recall_score, average="macro"),
    "recall-micro": of_decisions(sk.recall_score, average="micro"),
    "specificity": inverse(sk.recall_score),
}


def of_numbers(function: Callable[..., Any]) -> Callable[[Pair], float]:
    """A function of targets and predictions, in float64."""
    return lambda pair: function(pair[1].astype(np.float64), pair[0].astype(np.float64))


NUMBERS: dict[str, Callable[[Pair], float]] = {
    "explained-variance": of_numbers(sk.explained_variance_score),
    "mean-absolute-error": of_numbers(sk.mean_absolute_error),
    "mean-squared-error": of_numbers(sk.mean_squared_error),
    "pearson-corrcoef": of_numbers(lambda a, b: stats.pearsonr(a, b).statistic),
    "r2-score": of_numbers(sk.r2_score),
    "root-mean-squared-error": of_numbers(sk.root_mean_squared_error),
    "spearman-corrcoef": of_numbers(lambda a, b: stats.spearmanr(a, b).statistic),
}


FIXED = {
    "mean-absolute-error": 0.5,
    "mean-squared-error": 0.25,
    "pearson-corrcoef": 0.9569516697198784,
    "root-mean-squared-error": 0.5,
    "spearman-corrcoef": 0.9746794344808964,
}


def names_for(kind: str) -> list[str]:
    return [entry.name for entry in registries["metric"] if kind in entry.types]


@pytest.mark.parametrize("labels", [2, 3, 7])
@pytest.mark.parametrize("name", names_for("single_label_classification"))
def test_glue_14_of_one_label_equals_scikit_learn(name: str, labels: int):
    """To 1e-9, on random vectors, whatever the batches."""
    if name.startswith("top-") and labels < 7:
        pytest.skip("needs more labels")
    for seed in SEEDS:
        # Which of equal ones is among the first three is for nobody to say.
        pair = one_label(labels, seed=seed, digits=9 if name.startswith("top-") else 1)
        found = value(name, head_of("single_label_classification", labels), *pair)
        assert found == pytest.approx(ONE_LABEL[name](pair), abs=EXACT, rel=0)


@pytest.mark.parametrize("name", names_for("multi_label_classification"))
def test_glue_14_of_several_labels_equals_scikit_learn(name: str):
    """To 1e-9, on random vectors."""
    for seed in SEEDS:
        pair = several_labels(6, seed=seed)
        found = value(name, head_of("multi_label_classification", 6), *pair)
        assert found == pytest.approx(SEVERAL_LABELS[name](pair), abs=EXACT, rel=0)


@pytest.mark.parametrize("name", names_for("regression"))
def test_glue_14_of_numbers_equals_scipy(name: str):
    """To 1e-9, on random vectors with ties, far from 0."""
    for seed in SEEDS:
        pair = numbers(seed=seed)
        found = value(name, head_of("regression", 1), *pair)
        assert found == pytest.approx(NUMBERS[name](pair), abs=EXACT, rel=0)


def test_glue_14_fixed_numbers_give_fixed_values():
    """What SciPy 1.17 said of them, so that neither it nor we change unseen."""
    scores = np.array([0.5, 1.5, 3.0, 2.0, 4.5], np.float32)
    targets = np.array([0.0, 2.0, 2.5, 2.5, 5.0], np.float32)
    head = head_of("regression", 1)

    for name, expected in FIXED.items():
        assert value(name, head, scores, targets, size=2) == pytest.approx(
            expected, abs=EXACT, rel=0
        )


def test_glue_14_f1_of_two_labels_is_that_of_the_second():
    """MRPC and QQP are judged so: not the mean over both labels."""
    pair = one_label(2, seed=3)
    head = Head(problem_type="single_label_classification", labels=("not_equivalent", "equivalent"))

    found = value("f1", head, *pair)

    given = pair[0].argmax(axis=1)
    assert found == pytest.approx(sk.f1_score(pair[1], given, pos_label=1), abs=EXACT, rel=0)
    assert abs(found - sk.f1_score(pair[1], given, average="macro")) > 1e-3


def test_the_threshold_of_the_head_decides_which_labels_a_row_has():
    """Above it, not at it, as predictions have it."""
    scores, targets = several_labels(4, seed=1)
    scores[0] = 0.75
    head = head_of("multi_label_classification", 4, threshold=0.75)

    found = value("f1-micro", head, scores, targets)

    expected = sk.f1_score(targets, scores > np.float32(0.75), average="micro")
    assert found == pytest.approx(expected, abs=EXACT, rel=0)


def test_a_label_that_no_row_has_is_no_part_of_a_mean_over_one_label_each():
    """As scikit-learn, which does not know of it."""
    scores, targets = one_label(3, seed=2)
    scores = np.concatenate([scores, np.zeros((len(scores), 1), np.float32)], axis=1)

    for name in ("f1", "balanced-accuracy", "recall-macro", "auroc"):
        found = value(name, head_of("single_label_classification", 4), scores, targets)
        assert found == pytest.approx(ONE_LABEL[name]((scores[:, :3], targets)), abs=EXACT, rel=0)


@pytest.mark.parametrize("name", names_for("single_label_classification"))
@pytest.mark.parametrize("labels", [2, 7])
def test_glue_15_constant_classes_give_a_declared_value(name: str, labels: int):
    """One label is predicted in all rows; all have it, or all have another; the last batch is one row."""
    if name.startswith("top-") and labels < 7:
        pytest.skip("needs more labels")
    head = head_of("single_label_classification", labels)
    scores = np.eye(labels, dtype=np.float32)[np.zeros(8, np.int64)]

    found = [value(name, head, scores, np.full(8, label)) for label in (0, 1)]

    assert all(0 <= each <= 1 for each in found)
    if name in ("matthews-corrcoef", "cohen-kappa"):
        assert found == [0.0, 0.0]
    if name == "auroc":
        assert found == [0.5, 0.5]
    if name in ("f1", "precision", "recall") and labels == 2:
        assert found == [0.0, 0.0]


@pytest.mark.parametrize("name", names_for("multi_label_classification"))
def test_glue_15_constant_labels_give_a_declared_value(name: str):
    """No label anywhere, given or there, and all labels everywhere."""
    head = head_of("multi_label_classification", 3)

    for given in (0.0, 1.0):
        for there in (0, 1):
            scores = np.full((8, 3), given, np.float32)
            found = value(name, head, scores, np.full((8, 3), there, np.int64))
            assert 0 <= found <= 1


@pytest.mark.parametrize("name", names_for("regression"))
@pytest.mark.parametrize("constant", ["predictions", "targets", "both", "one row"])
def test_glue_15_constant_numbers_give_a_declared_value(name: str, constant: str):
    """A correlation of what never changes is 0."""
    scores, targets = numbers(seed=0, rows=1 if constant == "one row" else 8)
    if constant in ("predictions", "both"):
        scores[:] = 2.5
    if constant in ("targets", "both"):
        targets[:] = 0.1

    found = value(name, head_of("regression", 1), scores, targets)

    assert math.isfinite(found)
    if name.endswith("corrcoef"):
        assert found == 0.0
    if name in ("r2-score", "explained-variance") and constant in ("targets", "one row"):
        assert found == 0.0


def test_glue_15_shapes_with_and_without_a_column_agree():
    """(N, 1) and (N,), also where the last batch has one row."""
    scores, targets = numbers(seed=1, rows=8)
    head = head_of("regression", 1)

    for name in names_for("regression"):
        plain = value(name, head, scores, targets)
        assert value(name, head, scores[:, None], targets) == plain
        assert value(name, head, scores[:, None], targets[:, None]) == plain
