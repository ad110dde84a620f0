"""Metrics of stored predictions equal those that were measured while testing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from mlrecipe.builtin.tasks.intent_and_slots import IntentAndSlots
from mlrecipe.builtin.tasks.multi_output_classification import MultiOutputClassification
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head
from mlrecipe.registry import registries
from mlrecipe.significance import is_error, measure, names
from mlrecipe.training.predictions import Predictions
from tests.significance.tables import numbers, one_label, right_or_wrong, sentences

pytestmark = pytest.mark.heavy

EXACT = 1e-9
TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


def written(folder: Path, head: Head, scores: np.ndarray, targets: np.ndarray) -> pa.Table:
    """What a test writes of scores and targets, read back."""
    path = folder / "predictions.arrow"
    with Predictions(path, head) as file:
        file.add(torch.tensor(scores), torch.tensor(targets), rows=np.arange(len(scores)))
    with pa.memory_map(str(path)) as stream:
        return pa.ipc.open_stream(stream).read_all()


def registered(head: Head, scores: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """All metrics that go with the head, as `task.metrics` computes them."""
    found = {}
    for entry in registries["metric"]:
        if head.problem_type not in entry.types:
            continue
        try:
            meter = registries["metric"].get(entry.name)(head)
        except DataError:  # the three best of two labels
            continue
        meter.update(torch.tensor(scores), torch.tensor(targets))
        found[entry.name] = float(meter.compute())
    return found


def softmax(logits: np.ndarray) -> np.ndarray:
    return torch.tensor(logits, dtype=torch.float32).softmax(dim=-1).numpy()


@pytest.mark.parametrize("labels", [2, 3, 7])
def test_metrics_of_one_label_equal_those_of_the_test(tmp_path: Path, labels: int):
    """All that `task.metrics` knows, with equal probabilities and a label that is never there.

    Which of equally probable labels are among the three best torch leaves open: of seven none are equal.
    """
    random = np.random.default_rng(labels)
    targets = random.integers(0, max(labels - 1, 2), 211)
    noise = random.normal(size=(211, labels))
    logits = (noise if labels > 3 else np.round(noise, 1)) + np.eye(labels)[targets]
    scores = softmax(logits)
    head = Head(
        problem_type="single_label_classification", labels=tuple(f"l{i}" for i in range(labels))
    )

    table = written(tmp_path, head, scores, targets)

    expected = registered(head, scores, targets)
    assert set(names(table)) == set(expected)
    assert {name: measure(table, name) for name in expected} == pytest.approx(expected, abs=EXACT)


def test_metrics_of_several_labels_equal_those_of_the_test(tmp_path: Path):
    """One label is in no row, and some rows have none."""
    random = np.random.default_rng(1)
    targets = (random.random((211, 4)) < [0.3, 0.5, 0.1, 0.0]).astype(np.int64)
    scores = torch.tensor(np.round(random.normal(size=(211, 4)), 1) + targets).sigmoid().numpy()
    scores = scores.astype(np.float32)
    head = Head(
        problem_type="multi_label_classification", labels=("a", "b", "c", "d"), threshold=0.4
    )

    table = written(tmp_path, head, scores, targets)

    expected = registered(head, scores, targets)
    assert set(names(table)) == set(expected)
    assert {name: measure(table, name) for name in expected} == pytest.approx(expected, abs=EXACT)


@pytest.mark.parametrize("case", ["plain", "far from 0", "constant target", "constant prediction"])
def test_metrics_of_numbers_equal_those_of_the_test(tmp_path: Path, case: str):
    """Also where all numbers are the same, and where float32 has few digits left for differences."""
    random = np.random.default_rng(2)
    targets = np.round(random.normal(1000 if case == "far from 0" else 0, 2, 211), 1)
    scores = targets + random.normal(0, 1, 211)
    targets = np.full(211, 3.0) if case == "constant target" else targets
    scores = np.full(211, 3.1) if case == "constant prediction" else scores
    targets, scores = targets.astype(np.float32), scores.astype(np.float32)
    head = Head(problem_type="regression", labels=("score",))

    table = written(tmp_path, head, scores, targets)

    expected = registered(head, scores, targets)
    assert set(names(table)) == set(expected)
    assert {name: measure(table, name) for name in expected} == pytest.approx(expected, abs=EXACT)


def of_words(
    head: Head, *, seed: int, rows: int = 60, width: int = 9
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and targets of words, as a task with tags gives them; rows are of different lengths."""
    random = np.random.default_rng(seed)
    labels = len(head.labels)
    targets = random.integers(0, labels, (rows, width))
    ids = np.where(
        random.random((rows, width)) < 0.7, targets, random.integers(0, labels, (rows, width))
    )
    is_word = np.arange(width) < random.integers(1, width + 1, rows)[:, None]
    ids, targets = np.where(is_word, ids, -1), np.where(is_word, targets, -100)
    sure = np.where(is_word[..., None], np.eye(labels)[ids.clip(min=0)], 0)
    return np.concatenate([ids[..., None], sure], axis=-1).astype(np.float32), targets


@pytest.mark.parametrize("scheme", ["IOB2", "plain"])
def test_metrics_of_words_equal_those_of_the_test(tmp_path: Path, scheme: str):
    """Of tags and of spans, with tags that are not legal."""
    head = Head(problem_type="token_classification", labels=TAGS, scheme=scheme)
    scores, targets = of_words(head, seed=3)

    table = written(tmp_path, head, scores, targets)

    expected = registered(head, scores, targets)
    assert set(names(table)) == set(expected)
    assert {name: measure(table, name) for name in expected} == pytest.approx(expected, abs=EXACT)


def test_metrics_of_several_outputs_equal_those_of_the_test(tmp_path: Path):
    """Of each output, and the mean over all, also of what hangs on order."""
    random = np.random.default_rng(4)
    targets = np.stack([random.integers(0, 2, 99), random.integers(0, 3, 99)], axis=1)
    parts = [np.round(random.normal(size=(99, n)), 1) + np.eye(n)[targets[:, i]]
             for i, n in enumerate((2, 3))]  # fmt: skip
    scores = np.concatenate([softmax(part) for part in parts], axis=1)
    outputs = {"topic": ("a", "b"), "mood": ("x", "y", "z")}
    head = Head(
        problem_type="multi_output_classification", outputs=outputs,
        labels=tuple(f"{column}={label}" for column, found in outputs.items() for label in found),
    )  # fmt: skip
    wanted = ["accuracy", "f1-macro", "auroc", "matthews-corrcoef", "calibration-error"]
    task = MultiOutputClassification(outputs=list(outputs), metrics=wanted)

    table = written(tmp_path, head, scores, targets)

    expected = {}
    for name, meter in task.meters(head).items():
        meter.update(torch.tensor(scores), torch.tensor(targets))
        expected[name] = float(meter.compute())
    assert set(expected) <= set(names(table))
    assert {name: measure(table, name) for name in expected} == pytest.approx(expected, abs=EXACT)


def test_metrics_of_intent_and_slots_equal_those_of_the_test(tmp_path: Path):
    """Of the intent, of the words, and of rows in which all is right."""
    outputs = {"intent": ("play", "stop", "find"), "slots": TAGS}
    head = Head(
        problem_type="intent_and_slots", outputs=outputs, scheme="IOB2",
        labels=tuple(f"{column}={label}" for column, found in outputs.items() for label in found),
    )  # fmt: skip
    words, tags = of_words(Head(problem_type="token_classification", labels=TAGS), seed=5)
    random = np.random.default_rng(5)
    intents = random.integers(0, 3, len(tags))
    said = softmax(random.normal(size=(len(tags), 3)) + np.eye(3)[intents])
    first = np.zeros((len(tags), 1, words.shape[2]), np.float32)
    first[:, 0, 0], first[:, 0, 1:4] = said.argmax(axis=1), said
    scores, targets = np.concatenate([first, words], axis=1), np.column_stack([intents, tags])
    wanted = ["accuracy", "span-f1", "exact-match", "f1-macro"]
    task = IntentAndSlots(intent="intent", slots="slots", metrics=wanted)

    table = written(tmp_path, head, scores, targets)

    expected = {}
    for name, meter in task.meters(head).items():
        meter.update(torch.tensor(scores), torch.tensor(targets))
        expected[name] = float(meter.compute())
    assert set(expected) <= set(names(table))
    assert {name: measure(table, name) for name in expected} == pytest.approx(expected, abs=EXACT)


def test_the_metric_that_is_asked_for_most_comes_first():
    """It is what a comparison decides by where nothing else is said."""
    there = np.array([0, 1, 1, 0])

    assert names(one_label(there, there))[:2] == ["accuracy", "f1"]
    assert names(one_label(there, there, labels=3))[:2] == ["accuracy", "f1-macro"]
    assert names(numbers(there, there))[0] == "pearson-corrcoef"
    assert names(sentences([["O"]], [["O"]], tags=TAGS))[0] == "span-f1"
    assert names(sentences([["O"]], [["O"]], tags=["N", "O"], scheme="plain"))[0] == "accuracy"


def test_rows_without_a_label_do_not_count():
    """What is predicted for them is neither right nor wrong."""
    table = right_or_wrong(np.array([True, True, False, True]))
    some = pa.array(["l0", None, "l0", None])

    assert measure(table.set_column(1, "label", some), "accuracy") == 0.5


def test_words_without_a_tag_do_not_count():
    """Neither as words nor as part of spans."""
    there = [["B-PER", None, "O"], ["O", "O"]]
    given = [["B-PER", "I-PER", "O"], ["O", "B-LOC"]]

    table = sentences(there, given, tags=TAGS)

    assert measure(table, "accuracy") == 3 / 4
    assert measure(table, "span-recall") == 1.0
    assert measure(table, "exact-match") == 0.5


def test_files_of_before_heads_were_written_can_be_measured():
    """They say the labels, and their columns show the rest."""
    table = right_or_wrong(np.array([True, False, True, True]))

    old = table.replace_schema_metadata({"labels": json.dumps(["l0", "l1"])})

    assert measure(old, "accuracy") == 0.75


def test_a_metric_that_does_not_go_with_the_predictions_is_an_error():
    """It says which metric, and what is near; so does a table that holds no predictions."""
    table = right_or_wrong(np.ones(4, bool))

    with pytest.raises(DataError, match="'pearson-corrcoef' cannot be computed"):
        measure(table, "pearson-corrcoef")
    with pytest.raises(DataError, match="did you mean 'accuracy'"):
        measure(table, "acuracy")
    with pytest.raises(DataError, match="no column 'label'"):
        names(table.select(["row"]))
    with pytest.raises(DataError, match="no row has a label"):
        measure(table.set_column(1, "label", pa.nulls(4, pa.string())), "accuracy")


@pytest.mark.parametrize(("name", "is_less"), [("accuracy", False), ("topic/hamming-distance", True),
                                              ("mean-squared-error", True), ("r2-score", False)])  # fmt: skip
def test_it_is_known_of_which_metrics_less_is_better(name: str, is_less: bool):
    """Also with an output's name before it."""
    assert is_error(name) is is_less
