"""Words: rows of words with tags as numbers, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from mlrecipe.errors import DataError
from mlrecipe.reporting.part import Ids
from mlrecipe.tagging.arrays import Decoder

_AT_ONCE = 1024
"""Rows whose words are padded together."""


@dataclass(frozen=True, slots=True)
class Words:
    """Rows of words with a tag each; words without a right one are left out."""

    labels: tuple[str, ...]
    rows: int
    row: Ids
    """The row of each word, (words,)."""

    there: Ids
    given: Ids
    spans: NDArray[np.int64]
    """Of each row and label of spans those predicted rightly, predicted, and there: (rows, 3 * labels)."""

    is_right: NDArray[np.bool_]
    """Whether all words of a row are right, (rows,)."""


def ids_of(column: pa.Array, labels: Sequence[str]) -> Ids:
    """The labels' numbers; -1 for none.

    Raises:
        DataError: there is one that is not known.
    """
    found = pc.index_in(column, value_set=pa.array(labels, pa.string()))
    unknown = pc.and_(pc.is_null(found), pc.is_valid(column))
    if pc.any(unknown).as_py():
        value = column.filter(unknown)[0].as_py()
        raise DataError(f"label {value!r} is not among those of the predictions", key="predictions")
    return np.asarray(pc.fill_null(found, -1).to_numpy(zero_copy_only=False), np.int64)


def words_of(label: pa.ListArray, given: pa.ListArray, head: Mapping[str, Any]) -> Words:
    """The words of rows that have a label; `head` says the tags and their scheme.

    Raises:
        DataError: a row has not as many predicted tags as words, or there is an unknown one.
    """
    labels, scheme = list(head["labels"]), str(head.get("scheme") or "plain")
    lengths = np.asarray(pc.list_value_length(label).to_numpy(zero_copy_only=False), np.int64)
    row = np.repeat(np.arange(len(label)), lengths)
    there, said = ids_of(label.flatten(), labels), ids_of(given.flatten(), labels)
    if len(there) != len(said):
        raise DataError("rows have not as many predicted tags as words", key="predictions")
    said[there < 0] = -1
    is_right = np.bincount(row[there != said], minlength=len(label)) == 0
    spans = _spans(there, said, lengths, Decoder(labels, scheme))
    known = there >= 0
    return Words(tuple(labels), len(label), row[known], there[known], said[known], spans, is_right)


def _spans(there: Ids, given: Ids, lengths: Ids, decoder: Decoder) -> NDArray[np.int64]:
    """Of each row and label of spans those predicted rightly, predicted and there."""
    ends = np.concatenate([[0], lengths.cumsum()])
    parts = [np.zeros((0, 3 * len(decoder.labels)), np.int64)]
    for start in range(0, len(lengths), _AT_ONCE):
        some = lengths[start : start + _AT_ONCE]
        words = slice(ends[start], ends[start + len(some)])
        parts.append(_counted(_padded(there[words], some), _padded(given[words], some), decoder))
    return np.concatenate(parts)


def _padded(ids: Ids, lengths: Ids) -> Ids:
    table = np.full((len(lengths), max(int(lengths.max(initial=0)), 1)), -1, np.int64)
    table[np.arange(table.shape[1]) < lengths[:, None]] = ids
    return table


def _counted(there: Ids, given: Ids, decoder: Decoder) -> NDArray[np.int64]:
    kinds, (rows, width) = max(len(decoder.labels), 1), there.shape
    sides = []
    for found in (decoder.spans(given), decoder.spans(there)):
        keys = ((found.rows * kinds + found.labels) * width + found.starts) * (
            width + 1
        ) + found.ends
        sides.append((found.rows * kinds + found.labels, keys))
    (said, said_keys), (gold, gold_keys) = sides
    right = said[np.isin(said_keys, gold_keys)]
    counts = [
        np.bincount(c, minlength=rows * kinds).reshape(rows, kinds) for c in (right, said, gold)
    ]
    return np.concatenate(counts, axis=1)[:, : 3 * len(decoder.labels)].astype(np.int64)
