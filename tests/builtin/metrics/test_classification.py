"""Metrics agree with their textbook formulas."""

from __future__ import annotations

import math

import pytest
import torch

from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head
from mlrecipe.registry import registries

# Two labels: 3 true positives, 1 false positive, 2 false negatives, 4 true negatives.
TARGETS_2 = [1, 1, 1, 0, 1, 1, 0, 0, 0, 0]
SECOND = [0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.35, 0.2, 0.1, 0.05]

# Three labels, confusion matrix (rows are targets): [[2, 1, 0], [0, 2, 1], [1, 0, 1]].
TARGETS_3 = [0, 0, 0, 1, 1, 1, 2, 2]
GUESSES_3 = [0, 0, 1, 1, 1, 2, 0, 2]


def two_labels(name: str) -> float:
    scores = torch.tensor([[1 - p, p] for p in SECOND])
    return value(name, 2, scores, torch.tensor(TARGETS_2))


def three_labels(name: str) -> float:
    scores = torch.nn.functional.one_hot(torch.tensor(GUESSES_3), 3) * 0.7 + 0.1
    return value(name, 3, scores, torch.tensor(TARGETS_3))


def value(name: str, labels: int, scores: torch.Tensor, targets: torch.Tensor) -> float:
    head = Head(problem_type="single_label_classification", labels=tuple("abc"[:labels]))
    meter = registries["metric"].get(name)(head)
    for rows in (slice(0, 3), slice(3, None)):  # as it comes, in batches
        meter.update(scores[rows], targets[rows])
    return float(meter.compute())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", 7 / 10),
        ("balanced-accuracy", (3 / 5 + 4 / 5) / 2),
        ("precision", 3 / 4),
        ("recall", 3 / 5),
        ("f1", 2 * 3 / (2 * 3 + 1 + 2)),
        ("f1-macro", (6 / 9 + 8 / 11) / 2),
        ("f1-micro", 7 / 10),
        ("f1-weighted", (6 / 9 + 8 / 11) / 2),
        # Of 25 pairs of a positive and a negative, 0.4 loses to 0.6, 0.3 to 0.6 and to 0.35.
        ("auroc", 22 / 25),
        # Precision at each positive: 1, 1, 1, 4/5, 5/7.
        ("average-precision", (1 + 1 + 1 + 4 / 5 + 5 / 7) / 5),
        ("matthews-corrcoef", (3 * 4 - 1 * 2) / math.sqrt(4 * 5 * 5 * 6)),
        ("cohen-kappa", (0.7 - 0.5) / (1 - 0.5)),
        ("specificity", 4 / 5),
        ("negative-predictive-value", 4 / 6),
        ("jaccard-index", 3 / 6),
        ("hamming-distance", 3 / 10),
    ],
)
def test_glue_14_two_labels_follow_the_formula(name: str, expected: float):
    """With two labels a metric is that of the second one, as scikit-learn has it."""
    assert two_labels(name) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("accuracy", 5 / 8),
        ("balanced-accuracy", (2 / 3 + 2 / 3 + 1 / 2) / 3),
        ("precision", (2 / 3 + 2 / 3 + 1 / 2) / 3),
        ("recall", (2 / 3 + 2 / 3 + 1 / 2) / 3),
        ("f1", (2 / 3 + 2 / 3 + 1 / 2) / 3),
        ("f1-macro", (2 / 3 + 2 / 3 + 1 / 2) / 3),
        ("f1-micro", 5 / 8),
        ("f1-weighted", (3 * 2 / 3 + 3 * 2 / 3 + 2 * 1 / 2) / 8),
        ("matthews-corrcoef", (5 * 8 - 22) / (64 - 22)),
        ("cohen-kappa", (5 / 8 - 22 / 64) / (1 - 22 / 64)),
    ],
)
def test_glue_14_three_labels_follow_the_formula(name: str, expected: float):
    """With more labels precision, recall and F1 are the plain mean over the labels."""
    assert three_labels(name) == pytest.approx(expected, abs=1e-9)


def test_calibration_error_is_the_gap_of_confidence_and_accuracy():
    """Eight guesses, all 80 % sure, five of them right."""
    assert three_labels("calibration-error") == pytest.approx(0.8 - 5 / 8, abs=1e-6)


KINDS = ("single_label_classification", "multi_label_classification", "regression")


@pytest.mark.parametrize("kind", [*KINDS, "multi_output_classification"])
def test_every_metric_answers_for_its_problem_types_and_refuses_others(kind: str):
    """What the catalog says of each is so; the refusal names those that do."""
    head = Head(problem_type=kind, labels=tuple("abcdefg"))
    does = [entry.name for entry in registries["metric"] if kind in entry.types]

    for name in registries["metric"].names():
        factory = registries["metric"].get(name)
        if name in does:
            factory(head)
            continue
        with pytest.raises(DataError, match=f"metric '{name}' does not go with") as caught:
            factory(head)
        assert caught.value.key == "metrics"
        assert caught.value.hint == (f"those that do: {', '.join(does)}" if does else None)


def test_among_the_first_of_few_labels_the_right_one_always_is():
    """`top-3-accuracy` of three labels would say nothing."""
    head = Head(problem_type=KINDS[0], labels=tuple("abc"))

    with pytest.raises(DataError, match="'top-3-accuracy' is always 1: there are only 3 labels"):
        registries["metric"].get("top-3-accuracy")(head)
