"""The pieces of words, by a tokenizer or as bytes: each word by itself, whatever stands around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from mlrecipe.builtin.ops._windows import ranges

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

NO_BYTE = 256
"""The id of the byte 255, which no text in UTF-8 has: what an empty word is made of."""

_MOST_WORDS = 400_000
"""Words to remember; beyond that all are forgotten, so that memory does not grow with the data."""

_PROBED = 20
"""Rows with which it is tried whether words are tokenized without regard to each other."""


@dataclass(frozen=True, slots=True)
class Pieces:
    """Words of pieces."""

    ids: NDArray[np.int32]
    """Ids of all words' pieces, one word after the other, shape (pieces,)."""

    lengths: NDArray[np.int64]
    """Pieces of each word, shape (words,)."""


Splitter = Callable[["pa.ListArray"], Pieces]
"""Gives the pieces of all words of some rows, in their order; a word may have none."""


def of_tokenizer(tokenizer: Any) -> Splitter:
    """What gives the pieces that `tokenizer(words, is_split_into_words=True)` has between the special tokens.

    A byte-level tokenizer that would glue words together gets a space before each, as transformers has it
    where such a tokenizer is made with `add_prefix_space=True`.
    """
    if not tokenizer.is_fast:
        return _Known(lambda words: [_slowly(tokenizer, word) for word in words])
    rust = tokenizer.backend_tokenizer
    rust.no_truncation()
    rust.no_padding()
    rust.encode_special_tokens = tokenizer.split_special_tokens
    spaced = _with_space(rust)
    rows = _Rows(rust, spaced)
    # With dropout the pieces of a word differ from one time to the next.
    if getattr(rust.model, "dropout", None):
        return rows
    return _Probed(_Known(lambda words: _singly(rust, spaced(words))), rows)


def around(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Ids of the special tokens before and after the pieces of a text."""
    if not tokenizer.is_fast:
        found = tokenizer.build_inputs_with_special_tokens([-1])
        return found[: found.index(-1)], found[found.index(-1) + 1 :]
    rust = tokenizer.backend_tokenizer
    all_ids: list[int] = rust.encode([], is_pretokenized=True).ids
    for word in ("a", "1", "."):
        probe = rust.encode([word], is_pretokenized=True)
        if len(probe.ids) > len(all_ids):
            before = probe.special_tokens_mask.index(0)
            return all_ids[:before], all_ids[before:]
    return all_ids, []


def of_bytes(rows: pa.ListArray) -> Pieces:
    """The bytes of each word in UTF-8, each with the id that is one more than it."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    words = pc.list_flatten(rows).cast(pa.binary())
    if not len(words):
        return Pieces(np.empty(0, np.int32), np.empty(0, np.int64))
    _, offsets, data = words.buffers()
    ends = np.frombuffer(offsets, np.int32)[words.offset : words.offset + len(words) + 1]
    ids = np.frombuffer(data or b"", np.uint8)[ends[0] : ends[-1]]
    return Pieces(ids.astype(np.int32) + 1, np.diff(ends).astype(np.int64))


def filled(pieces: Pieces, unknown: int) -> Pieces:
    """The pieces with the one id `unknown` for each word that has none."""
    import numpy as np

    is_empty = pieces.lengths == 0
    lengths = pieces.lengths + is_empty
    ids = np.full(int(lengths.sum()), unknown, dtype=np.int32)
    ids[ranges(np.cumsum(lengths) - lengths, pieces.lengths)] = pieces.ids
    return Pieces(ids, lengths)


class _Known:
    """Tokenizes each different word once, and puts rows together from what it knows."""

    def __init__(self, tokenize: Callable[[list[str]], list[list[int]]]) -> None:
        self._tokenize = tokenize
        self._numbers: dict[str, int] = {}
        self._ids: NDArray[np.int32]
        self._starts: NDArray[np.int64]
        self._lengths: NDArray[np.int64]
        self._forget()

    def __call__(self, rows: pa.ListArray) -> Pieces:
        import numpy as np
        import pyarrow.compute as pc

        coded = pc.list_flatten(rows).dictionary_encode()
        words: list[str] = coded.dictionary.to_pylist()
        if len(self._numbers) > _MOST_WORDS:
            self._forget()
        if new := [word for word in words if word not in self._numbers]:
            self._learn(new)
        distinct = np.fromiter(map(self._numbers.__getitem__, words), np.int64, len(words))
        numbers = distinct[coded.indices.to_numpy()]
        lengths = self._lengths[numbers]
        return Pieces(self._ids[ranges(self._starts[numbers], lengths)], lengths)

    def _learn(self, words: list[str]) -> None:
        import numpy as np

        ids, lengths = _flat(self._tokenize(words))
        starts = len(self._ids) + np.cumsum(lengths) - lengths
        first = len(self._numbers)
        self._numbers.update(zip(words, range(first, first + len(words)), strict=True))
        self._ids = np.concatenate([self._ids, ids])
        self._lengths = np.concatenate([self._lengths, lengths])
        self._starts = np.concatenate([self._starts, starts])

    def _forget(self) -> None:
        import numpy as np

        self._numbers = {}
        self._ids = np.empty(0, np.int32)
        self._starts, self._lengths = np.empty(0, np.int64), np.empty(0, np.int64)


class _Rows:
    """Tokenizes whole rows with the Rust library, which says of each piece which word it is of."""

    def __init__(self, rust: Any, spaced: Callable[[Sequence[str]], Sequence[str]]) -> None:
        self._rust = rust
        self._spaced = spaced

    def __call__(self, rows: pa.ListArray) -> Pieces:
        import numpy as np

        words = [self._spaced(row) for row in rows.to_pylist()]
        encodings = self._rust.encode_batch(words, is_pretokenized=True, add_special_tokens=False)
        ids, _ = _flat([encoding.ids for encoding in encodings])
        lengths = [
            np.bincount(np.array(encoding.word_ids, np.int64), minlength=len(row))
            for encoding, row in zip(encodings, words, strict=True)
        ]
        return Pieces(ids, np.concatenate([np.empty(0, np.int64), *lengths]))


class _Probed:
    """Takes the fast way where, on the first rows, it gives what the safe way gives."""

    def __init__(self, fast: Splitter, safe: Splitter) -> None:
        self._fast, self._safe = fast, safe
        self._chosen: Splitter | None = None

    def __call__(self, rows: pa.ListArray) -> Pieces:
        if self._chosen is None:
            some = rows.slice(0, _PROBED)
            if not len(some.flatten()):
                return self._safe(rows)
            is_same = _are_equal(self._fast(some), self._safe(some))
            self._chosen = self._fast if is_same else self._safe
        return self._chosen(rows)


def _are_equal(one: Pieces, other: Pieces) -> bool:
    import numpy as np

    return np.array_equal(one.ids, other.ids) and np.array_equal(one.lengths, other.lengths)


def _flat(lists: Sequence[list[int]]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The items of all lists, and how many each has."""
    import numpy as np

    lengths = np.fromiter(map(len, lists), np.int64, len(lists))
    return np.fromiter(chain.from_iterable(lists), np.int32, int(lengths.sum())), lengths


def _singly(rust: Any, words: Sequence[str]) -> list[list[int]]:
    rows = [[word] for word in words]
    found = rust.encode_batch_fast(rows, is_pretokenized=True, add_special_tokens=False)
    return [encoding.ids for encoding in found]


def _slowly(tokenizer: Any, word: str) -> list[int]:
    found: list[int] = tokenizer.convert_tokens_to_ids(tokenizer.tokenize(word))
    return found


def _with_space(rust: Any) -> Callable[[Sequence[str]], Sequence[str]]:
    """What words need before they are tokenized: bytes begin a new word where there is a space.

    A tokenizer that does nothing else is told to put it there; where texts are split before that, each part
    would get one, and so the words themselves do.
    """
    from tokenizers.pre_tokenizers import ByteLevel
    from tokenizers.pre_tokenizers import Sequence as Several

    splitter: Any = rust.pre_tokenizer
    if isinstance(splitter, ByteLevel) and not splitter.add_prefix_space:
        splitter.add_prefix_space = True
        rust.pre_tokenizer = splitter
    is_several = isinstance(splitter, Several)
    parts = list(splitter) if is_several else []
    if any(isinstance(part, ByteLevel) and not part.add_prefix_space for part in parts):
        return lambda words: [f" {word}" if word and word[0] != " " else word for word in words]
    return lambda words: words
