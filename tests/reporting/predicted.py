"""Predictions as a file of them would hold them, made of arrays."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from mlrecipe.interfaces import Head

ONE, SEVERAL = "single_label_classification", "multi_label_classification"


def table_of(head: Head, label: Any, prediction: Any, scores: Any, **columns: Any) -> pa.Table:
    """The four columns, then those of the tested rows, with what the file says of them."""
    lists = pa.array([np.asarray(row, np.float32) for row in scores], pa.list_(pa.float32()))
    own = {"row": pa.array(range(len(lists)), pa.int64()), "label": label,
           "prediction": prediction, "probabilities": lists}  # fmt: skip
    facts = {"labels": json.dumps(list(head.labels)), "head": json.dumps(asdict(head))}
    return pa.table(own | columns).replace_schema_metadata(facts | {"split": "test"})


def one_label(scores: Any, targets: Any, names: Sequence[str], **columns: Any) -> pa.Table:
    """Rows with one label; the target -1 is no label."""
    head = Head(problem_type=ONE, labels=tuple(names))
    label = pa.array([None if i < 0 else names[i] for i in targets], pa.string())
    given = pa.array([names[i] for i in np.asarray(scores, np.float32).argmax(1)], pa.string())
    return table_of(head, label, given, scores, **columns)


def several(
    scores: Any, there: Any, names: Sequence[str], *, threshold: float = 0.5, **columns: Any
) -> pa.Table:
    """Rows with any number of labels."""
    head = Head(problem_type=SEVERAL, labels=tuple(names), threshold=threshold)
    given = np.asarray(scores, np.float32) > threshold
    sides = [[[names[i] for i in np.flatnonzero(row)] for row in side] for side in (there, given)]
    label, prediction = (pa.array(side, pa.list_(pa.string())) for side in sides)
    return table_of(head, label, prediction, scores, **columns)


def outputs(
    label: Any, prediction: Any, scores: Any, labels: dict[str, tuple[str, ...]]
) -> pa.Table:
    """Rows with a label of each of several columns."""
    names = tuple(f"{column}={name}" for column, own in labels.items() for name in own)
    head = Head(problem_type="multi_output_classification", labels=names, outputs=labels)
    kind = pa.struct([(column, pa.string()) for column in labels])
    return table_of(head, pa.array(label, kind), pa.array(prediction, kind), scores)


def tagged(
    label: Any, prediction: Any, scores: Any, tags: Sequence[str], **columns: Any
) -> pa.Table:
    """Rows of words with tags; scores are those of the predicted ones."""
    head = Head(problem_type="token_classification", labels=tuple(tags), scheme="IOB2")
    kind = pa.list_(pa.string())
    return table_of(head, pa.array(label, kind), pa.array(prediction, kind), scores, **columns)


def numbers(targets: Any, given: Any, **columns: Any) -> pa.Table:
    """Rows with a number each."""
    head = Head(problem_type="regression", labels=("score",))
    label, prediction = (pa.array(side, pa.float32()) for side in (targets, given))
    return table_of(head, label, prediction, np.asarray(given)[:, None], **columns)


def random_scores(
    labels: int, *, rows: int = 400, seed: int = 0, sharp: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, as sure as they are right where `sharp` is 1, and ids of labels."""
    random = np.random.default_rng(seed)
    logits = 1.5 * random.normal(size=(rows, labels))
    powers = np.exp(logits)
    chances = powers / powers.sum(1, keepdims=True)
    targets = np.array([random.choice(labels, p=row) for row in chances])
    return softmax(logits * sharp).astype(np.float32), targets


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)
