"""Tagged: predictions of words with tags, and of intents with slots, as columns of predictions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlrecipe.interfaces import Head

TAGS, FRAMES = "token_classification", "intent_and_slots"
KINDS = (TAGS, FRAMES)
"""Problem types whose scores begin with the id of what is decided on, -1 where a row has no such word."""


def kind(outputs: Iterable[str]) -> pa.DataType:
    """The type of predictions of the columns of the intent and of the slots."""
    intent, slots = outputs
    return pa.struct([(intent, pa.string()), (slots, pa.list_(pa.string()))])


def decided(head: Head, scores: NDArray[Any]) -> pa.Array:
    """The predictions of scores, (rows, words, 1 + labels), or with the intent before the words."""
    return _named(head, scores[:, :, 0].astype(np.int64))


def given(head: Head, targets: NDArray[Any]) -> pa.Array:
    """The targets, (rows, words), or with the intent before the words, as the column `label` holds them."""
    return _named(head, targets)


def probabilities(head: Head, scores: NDArray[Any]) -> pa.Array:
    """The probability of each decision of a row: of its intent, where there is one, then of each word's tag."""
    ids = scores[:, :, 0].astype(np.int64)
    own = np.take_along_axis(scores[:, :, 1:], ids.clip(min=0)[:, :, None], axis=2)[:, :, 0]
    there = ids >= 0
    return _lists(pa.array(own[there], pa.float32()), there)


def _named(head: Head, ids: NDArray[Any]) -> pa.Array:
    if head.problem_type == TAGS:
        return _tags(ids, head.labels)
    (intent, intents), (slots, found) = head.outputs.items()
    wants = pa.array(intents, pa.string()).take(pa.array(ids[:, 0]))
    return pa.StructArray.from_arrays([wants, _tags(ids[:, 1:], found)], names=[intent, slots])


def _tags(ids: NDArray[Any], labels: Sequence[str]) -> pa.Array:
    """Ids below 0 are no words."""
    there = ids >= 0
    return _lists(pa.array(labels, pa.string()).take(pa.array(ids[there])), there)


def _lists(values: pa.Array, there: NDArray[np.bool_]) -> pa.Array:
    """The values of each row, of which there are as many as places that are there."""
    ends = np.concatenate([[0], there.sum(axis=1).cumsum()]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), values)
