"""Tables of predictions, as a test writes them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from mlrecipe.interfaces import Head

Names = Sequence[Any]


def table_of(
    head: Head, label: pa.Array, prediction: pa.Array, scores: np.ndarray | None = None
) -> pa.Table:
    """The four columns and what the file says of them."""
    rows = len(label)
    if scores is None:
        probabilities = pa.nulls(rows, pa.list_(pa.float32()))
    else:
        ends = np.arange(rows + 1, dtype=np.int32) * np.int32(scores.shape[1])
        flat = pa.array(scores.astype(np.float32).reshape(-1))
        probabilities = pa.ListArray.from_arrays(pa.array(ends), flat)
    facts = {"labels": json.dumps(list(head.labels)), "head": json.dumps(asdict(head))}
    columns = {
        "row": pa.array(range(rows), pa.int64()), "label": label, "prediction": prediction,
        "probabilities": probabilities,
    }  # fmt: skip
    return pa.table(columns).replace_schema_metadata(facts)


def one_label(
    there: np.ndarray, given: np.ndarray, *, labels: int = 2, scores: np.ndarray | None = None
) -> pa.Table:
    """Ids of labels as rows with one label; by default what is given is certain."""
    names = tuple(f"l{i}" for i in range(labels))
    head = Head(problem_type="single_label_classification", labels=names)
    taken = pa.array(names)
    scores = np.eye(labels)[given] if scores is None else scores
    return table_of(head, taken.take(pa.array(there)), taken.take(pa.array(given)), scores)


def right_or_wrong(right: np.ndarray) -> pa.Table:
    """Rows of two labels, half of each, that are right where it is said."""
    there = np.arange(len(right)) % 2
    return one_label(there, np.where(right, there, 1 - there))


def numbers(there: np.ndarray, given: np.ndarray) -> pa.Table:
    """Rows with a number each."""
    head = Head(problem_type="regression", labels=("score",))
    sides = (pa.array(side, pa.float32()) for side in (there, given))
    return table_of(head, *sides, given[:, None])


def sentences(there: Names, given: Names, *, tags: Sequence[str], scheme: str = "IOB2") -> pa.Table:
    """Rows of words with tags."""
    head = Head(problem_type="token_classification", labels=tuple(tags), scheme=scheme)
    sides = (pa.array(side, pa.list_(pa.string())) for side in (there, given))
    return table_of(head, *sides)
