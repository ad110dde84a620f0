"""Encoders: from columns of text to columns of token ids, as `AutoTokenizer` would give them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from mlrecipe.builtin.ops._words import Words, make_words
from mlrecipe.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Encoded:
    """Rows of token ids."""

    ids: np.ndarray[Any, Any]
    """Ids of all rows, one row after the other; int32, shape (ids,)."""

    lengths: np.ndarray[Any, Any]
    """Ids of each row; int64, shape (rows,)."""

    truncated: np.ndarray[Any, Any]
    """Whether the row lost tokens; bool, shape (rows,)."""

    type_ids: np.ndarray[Any, Any] | None = None
    """0 or 1 for each id: which text it comes from; int8, shape (ids,)."""


Encoder = Callable[["pa.Array", "pa.Array | None"], Encoded]
"""Encodes texts, and the second texts of pairs; strings without nulls."""


def make_encoder(tokenizer: Any, max_length: int, *, pairs: bool, with_types: bool) -> Encoder:
    """The fastest encoder that gives what `tokenizer` gives when it truncates.

    Raises:
        DataError: `max_length` leaves no room for text.
    """
    special = tokenizer.num_special_tokens_to_add(pair=pairs)
    if max_length <= special:
        raise DataError(
            f"max_length {max_length} leaves no room for text",
            key="max_length",
            hint=f"the tokenizer adds {special} special tokens",
        )
    if not tokenizer.is_fast:
        return _PythonEncoder(tokenizer, max_length, with_types)
    # One call leaves the Rust tokenizer with the truncation, padding and handling of special tokens
    # that `tokenizer` itself works with.
    tokenizer("", truncation=True, max_length=max_length)
    rust = tokenizer.backend_tokenizer
    return _RustEncoder(rust, make_words(rust, max_length), max_length, with_types)


class _RustEncoder:
    """Encodes with the Rust library: by words where that is exact, else whole rows on all cores."""

    def __init__(self, rust: Any, words: Words | None, max_length: int, with_types: bool) -> None:
        self._rust = rust
        self._words = words
        self._max_length = max_length
        self._with_types = with_types

    def __call__(self, texts: pa.Array, pairs: pa.Array | None) -> Encoded:
        if pairs is not None or self._words is None:
            return self._encode_rows(texts, pairs)
        found = self._words(texts)
        if found is None:
            return self._encode_rows(texts, None)
        ids, lengths, truncated, is_sure = found
        by_words = Encoded(ids, lengths, truncated)
        if is_sure.all():
            return by_words
        return _replace(by_words, ~is_sure, self._encode_rows(texts.filter(~is_sure), None))

    def _encode_rows(self, texts: pa.Array, pairs: pa.Array | None) -> Encoded:
        rows = texts.to_pylist()
        batch = rows if pairs is None else list(zip(rows, pairs.to_pylist(), strict=True))
        encodings = self._rust.encode_batch_fast(batch)
        ids = [encoding.ids for encoding in encodings]
        # Truncated rows are as long as they may be: no need to ask any other for its overflow.
        truncated = [
            len(row) >= self._max_length and bool(encoding.overflowing)
            for row, encoding in zip(ids, encodings, strict=True)
        ]
        types = [encoding.type_ids for encoding in encodings] if self._with_types else None
        return _encoded(ids, truncated, types)


class _PythonEncoder:
    """Encodes with a tokenizer that is written in Python."""

    def __init__(self, tokenizer: Any, max_length: int, with_types: bool) -> None:
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._with_types = with_types

    def __call__(self, texts: pa.Array, pairs: pa.Array | None) -> Encoded:
        first = texts.to_pylist()
        second = None if pairs is None else pairs.to_pylist()
        ids, types = self._encode(first, second, {})
        truncated = [len(row) > self._max_length for row in ids]
        long = [index for index, is_long in enumerate(truncated) if is_long]
        if long:
            cut = {"truncation": "longest_first", "max_length": self._max_length}
            some = None if second is None else [second[i] for i in long]
            short_ids, short_types = self._encode([first[i] for i in long], some, cut)
            for position, index in enumerate(long):
                ids[index], types[index] = short_ids[position], short_types[position]
        return _encoded(ids, truncated, types if self._with_types else None)

    def _encode(
        self, first: list[str], second: list[str] | None, options: dict[str, Any]
    ) -> tuple[list[list[int]], list[list[int]]]:
        if not first:
            return [], []
        found = self._tokenizer(
            first,
            second,
            return_attention_mask=False,
            return_token_type_ids=self._with_types,
            verbose=False,
            **options,
        )
        return found["input_ids"], found["token_type_ids"] if self._with_types else [[]] * len(
            first
        )


def _encoded(
    ids: Sequence[list[int]], truncated: Sequence[bool], types: Sequence[list[int]] | None
) -> Encoded:
    import numpy as np

    lengths = np.fromiter(map(len, ids), np.int64, len(ids))
    total = int(lengths.sum())
    return Encoded(
        np.fromiter(chain.from_iterable(ids), np.int32, total),
        lengths,
        np.array(truncated, dtype=bool),
        None if types is None else np.fromiter(chain.from_iterable(types), np.int8, total),
    )


def _replace(encoded: Encoded, rows: np.ndarray[Any, Any], others: Encoded) -> Encoded:
    """`encoded` with the marked rows taken from `others`, which has those rows only."""
    import numpy as np

    ids = np.split(encoded.ids, np.cumsum(encoded.lengths)[:-1])
    lengths, truncated = encoded.lengths.copy(), encoded.truncated.copy()
    new = np.split(others.ids, np.cumsum(others.lengths)[:-1])
    for position, row in enumerate(np.flatnonzero(rows)):
        ids[row] = new[position]
    lengths[rows], truncated[rows] = others.lengths, others.truncated
    return Encoded(np.concatenate(ids), lengths, truncated)
