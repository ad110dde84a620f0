"""Scores as columns: every kind of head, flat and nested."""

from __future__ import annotations

import numpy as np
import pytest

from mlrecipe.errors import RequestError
from mlrecipe.inference.answers import Shape, shortest, wrong_row
from mlrecipe.interfaces import Head

ONE = Head(problem_type="single_label_classification", labels=("a", "b", "c"))
MANY = Head(problem_type="multi_label_classification", labels=("a", "b", "c"))
NUMBER = Head(problem_type="regression", labels=("score",))
SEVERAL = Head(
    problem_type="multi_output_classification",
    labels=("intent=go", "intent=stop", "mood=glad", "mood=sad", "mood=so"),
    outputs={"intent": ("go", "stop"), "mood": ("glad", "sad", "so")},
)
SCORES = np.array([[0.2, 0.5, 0.3], [0.7, 0.1, 0.2]], np.float32)
WIDE = np.array([[0.9, 0.1, 0.2, 0.5, 0.3], [0.4, 0.6, 0.7, 0.1, 0.2]], np.float32)


def made(shape: Shape, scores: np.ndarray) -> dict[str, list[object]]:
    columns = shape.columns(shortest(scores), start=10)
    assert list(columns) == shape.names()
    return {name: column.to_pylist() for name, column in columns.items()}


def test_one_label_flat():
    """A column for each probability."""
    assert made(Shape(head=ONE, is_flat=True), SCORES) == {
        "row": [10, 11], "prediction": ["b", "a"], "probability": [0.5, 0.7],
        "p_a": [0.2, 0.7], "p_b": [0.5, 0.1], "p_c": [0.3, 0.2],
    }  # fmt: skip


def test_one_label_nested():
    """One column with a probability for each label."""
    found = made(Shape(head=ONE), SCORES)

    assert found["probabilities"] == [
        {"a": 0.2, "b": 0.5, "c": 0.3},
        {"a": 0.7, "b": 0.1, "c": 0.2},
    ]


def test_several_labels():
    """Those above the threshold; their probabilities need not sum to 1."""
    found = made(Shape(head=MANY), SCORES * np.float32(1.4))
    flat = made(
        Shape(head=MANY, is_flat=True, separator=";"), np.array([[0.9, 0.1, 0.8]], np.float32)
    )

    assert found["prediction"] == [["b"], ["a"]]
    assert "probability" not in found
    assert flat["prediction"] == ["a;c"]


def test_a_number():
    """It alone; there are no labels to choose the best of."""
    assert made(Shape(head=NUMBER), np.array([[2.5]], np.float32)) == {
        "row": [10],
        "prediction": [2.5],
    }
    with pytest.raises(RequestError, match="no labels"):
        Shape(head=NUMBER, top=2)


def test_several_outputs_flat():
    """Each has columns that end in its name."""
    found = made(Shape(head=SEVERAL, is_flat=True, prefix="m."), WIDE)

    assert found["m.prediction_intent"] == ["go", "stop"]
    assert found["m.probability_mood"] == [0.5, 0.7]
    assert found["m.p_mood=sad"] == [0.5, 0.1]


@pytest.mark.parametrize("is_flat", [True, False], ids=["flat", "nested"])
def test_inference_32_top_labels_of_every_output_with_sums(is_flat: bool):
    """Of each output the best first; all of them sum to 1, more than there are is all."""
    found = made(Shape(head=SEVERAL, top=9, is_flat=is_flat), WIDE)

    for output, best in {"intent": ["go", "stop"], "mood": ["sad", "so", "glad"]}.items():
        if is_flat:
            labels = [found[f"top_{n + 1}_{output}"][0] for n in range(len(best))]
            shares = [found[f"top_{n + 1}_probability_{output}"][0] for n in range(len(best))]
        else:
            labels = [each["label"] for each in found[f"top_{output}"][0]]
            shares = [each["probability"] for each in found[f"top_{output}"][0]]
        assert labels == best
        assert shares == sorted(shares, reverse=True)
        assert sum(shares) == pytest.approx(1, abs=1e-6)


def test_inference_32_of_equal_labels_the_first_comes_first():
    """As for the prediction."""
    found = made(Shape(head=ONE, top=2), np.full((1, 3), 1 / 3, np.float32))

    assert found["prediction"] == ["a"]
    assert [each["label"] for each in found["top"][0]] == ["a", "b"]


@pytest.mark.parametrize(
    ("head", "scores", "why"),
    [
        (ONE, [[0.2, 0.5, 0.3], [0.2, 0.5, np.nan]], "not finite"),
        (ONE, [[0.2, 0.5, 0.3], [2.0, 5.0, 3.0]], "sum to 10, not to 1"),
        (SEVERAL, [WIDE[0].tolist(), [0.4, 0.6, 0.7, 0.1, 0.9]], "sum to 1.7, not to 1"),
        (MANY, [[0.9, 0.9, 0.9], [np.inf, 0, 0]], "not finite"),
    ],
)
def test_inference_32_sums_are_checked(head: Head, scores: list[list[float]], why: str):
    """The second row is the first that cannot be; several labels of a row need no sum."""
    found = wrong_row(head, np.array(scores, np.float32))

    assert found is not None
    assert found[0] == 1
    assert why in found[1]
    assert wrong_row(head, np.array(scores[:1], np.float32)) is None
