"""Encoding by words: each word of the data is tokenized once, and rows are put together from words.

Tokenizers that split at white space, and whose normalizer never looks across it, tokenize a text as
its pieces between spaces, one after the other. For those, and only those, a piece's ids can be kept
and used again, and what lies beyond `max_length` need not be looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from tokenizers import Tokenizer

_LOCAL_NORMALIZERS = frozenset(
    {"BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "StripAccents"}
)
_SPACE_SPLITTERS = frozenset({"BertPreTokenizer", "Whitespace", "WhitespaceSplit"})
_LOCAL_SPLITTERS = _SPACE_SPLITTERS | {"Digits", "Punctuation"}

_GROUP = 64
"""Words per text given to the tokenizer: the cost of a call is shared, and the cores have work."""

_MOST_WORDS = 400_000
"""Words to remember; beyond that all are forgotten, so that memory does not grow with the data."""

_LONG_WORD = 32
"""Mean bytes per piece above which texts are not made of words (Chinese, encoded data)."""


def make_words(rust: Tokenizer, max_length: int) -> Words | None:
    """An encoder by words that gives what `rust` gives, or None where that cannot be proved.

    `rust` truncates at `max_length`.
    """
    spec = json.loads(rust.to_str())
    if not _is_local(spec, rust) or (rust.truncation or {}).get("direction") != "right":
        return None
    plain = type(rust).from_str(json.dumps(spec | {"truncation": None, "padding": None}))
    separator = _separator(plain)
    around = None if separator is None else _around(plain, separator)
    if separator is None or around is None:
        return None
    return Words(plain, separator, around, max_length)


class Words:
    """Encodes texts by words.

    Args:
        rust: the tokenizer, without truncation and padding.
        separator: a word with one id of its own.
        around: the special tokens' ids before and after a text.
        max_length: most ids of a row, special tokens included.
    """

    def __init__(
        self,
        rust: Tokenizer,
        separator: str,
        around: tuple[list[int], list[int]],
        max_length: int,
    ) -> None:
        import numpy as np

        self._rust = rust
        self._separator = separator
        self._separator_id = _id_of(rust, separator)
        self._before, self._after = (np.array(ids, dtype=np.int32) for ids in around)
        self._room = max_length - len(self._before) - len(self._after)
        self._known: dict[str, int] = {}
        self._starts: np.ndarray[Any, Any] = np.empty(0, np.int64)
        self._lengths: np.ndarray[Any, Any] = np.empty(0, np.int64)
        self._tokens: np.ndarray[Any, Any] = np.empty(0, np.int32)

    def __call__(self, texts: pa.Array) -> tuple[Any, Any, Any, Any] | None:
        """All rows' ids, ids per row, whether each row lost ids, and which rows are surely right.

        The arrays are int32 (ids,), then int64, bool and bool, all (rows,). None when words do not
        pay for these texts.
        """
        import numpy as np

        pieces, per_row, has_rest = _split(texts, self._room + 1)
        if pieces.nbytes > _LONG_WORD * max(len(pieces), 1000):
            return None
        words = self._numbers(pieces)
        if words is None:
            return None
        lengths = self._lengths[words]
        ends = np.concatenate([[0], np.cumsum(lengths)])
        row_ends = np.concatenate([[0], np.cumsum(per_row)])
        full = np.diff(ends[row_ends])
        ids = self._assemble(words, lengths, ends[row_ends[:-1]], full)
        # The rest of a row may give no id at all, or ids that the row still has room for.
        is_sure = ~has_rest | (full > self._room)
        kept = np.minimum(full, self._room) + len(self._before) + len(self._after)
        return ids, kept, full > self._room, is_sure

    def _assemble(
        self,
        words: np.ndarray[Any, Any],
        lengths: np.ndarray[Any, Any],
        row_starts: np.ndarray[Any, Any],
        full: np.ndarray[Any, Any],
    ) -> np.ndarray[Any, Any]:
        """All rows' ids: before, as many of the words' ids as there is room for, after."""
        import numpy as np

        tokens = self._tokens[_ranges(self._starts[words], lengths)]
        kept = np.minimum(full, self._room)
        n_before, n_after = len(self._before), len(self._after)
        ends = np.cumsum(kept + n_before + n_after)
        starts = ends - kept - n_before - n_after
        ids = np.empty(ends[-1] if len(ends) else 0, dtype=np.int32)
        ids[_ranges(starts + n_before, kept)] = tokens[_ranges(row_starts, kept)]
        ids[starts[:, None] + np.arange(n_before)] = self._before
        ids[(ends - n_after)[:, None] + np.arange(n_after)] = self._after
        return ids

    def _numbers(self, pieces: pa.Array) -> np.ndarray[Any, Any] | None:
        """Each piece's word number, new words tokenized; None when too many are new."""
        import numpy as np

        coded = pieces.dictionary_encode()
        words: list[str] = coded.dictionary.to_pylist()
        if len(self._known) > _MOST_WORDS:
            self._forget()
        new = [word for word in words if word not in self._known]
        if len(new) * 2 > len(pieces) + 1000:
            return None
        if new:
            self._learn(new)
        numbers = np.fromiter(map(self._known.__getitem__, words), np.int64, len(words))
        found: np.ndarray[Any, Any] = numbers[coded.indices.to_numpy()]
        return found

    def _learn(self, words: Sequence[str]) -> None:
        import numpy as np

        encoded = list(self._encode(words))
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        tokens = np.fromiter(chain.from_iterable(encoded), np.int32, int(lengths.sum()))
        starts = len(self._tokens) + np.cumsum(lengths) - lengths
        first = len(self._known)
        self._known.update(zip(words, range(first, first + len(words)), strict=True))
        self._starts = np.concatenate([self._starts, starts])
        self._lengths = np.concatenate([self._lengths, lengths])
        self._tokens = np.concatenate([self._tokens, tokens])

    def _encode(self, words: Sequence[str]) -> Iterator[list[int]]:
        groups = [words[i : i + _GROUP] for i in range(0, len(words), _GROUP)]
        joined = [f" {self._separator} ".join(group) for group in groups]
        for group, encoding in zip(groups, self._batch(joined), strict=True):
            split = list(_split_ids(encoding.ids, self._separator_id))
            if len(split) != len(group):  # a word of the data has the separator in it
                split = [one.ids for one in self._batch(group)]
            yield from split

    def _batch(self, texts: Sequence[str]) -> Any:
        return self._rust.encode_batch_fast(texts, add_special_tokens=False)

    def _forget(self) -> None:
        self._known = {}
        self._starts, self._lengths = self._starts[:0], self._lengths[:0]
        self._tokens = self._tokens[:0]


def _is_local(spec: Mapping[str, Any], rust: Tokenizer) -> bool:
    """Whether the pieces between spaces are tokenized without regard to each other."""
    splitters = _parts(spec["pre_tokenizer"], "pretokenizers")
    return (
        {part["type"] for part in _parts(spec["normalizer"], "normalizers")} <= _LOCAL_NORMALIZERS
        and {part["type"] for part in splitters} <= _LOCAL_SPLITTERS
        and any(part["type"] in _SPACE_SPLITTERS for part in splitters)
        and not spec["model"].get("dropout")
        and all(_is_local_token(token, rust) for token in spec["added_tokens"])
    )


def _parts(spec: Mapping[str, Any] | None, key: str) -> list[Mapping[str, Any]]:
    if spec is None:
        return []
    if spec["type"] != "Sequence":
        return [spec]
    return [part for inner in spec[key] for part in _parts(inner, key)]


def _is_local_token(token: Mapping[str, Any], rust: Tokenizer) -> bool:
    """Whether an added token can only be found within a piece."""
    content = token["content"]
    if token["normalized"] and rust.normalizer is not None:
        content += rust.normalizer.normalize_str(content)
    has_space = any(char.isspace() for char in content)
    return bool(content) and not has_space and not token["lstrip"] and not token["rstrip"]


def _separator(plain: Tokenizer) -> str | None:
    """A word of ASCII letters that is one id, the rarest as far as ids are by frequency."""
    names = sorted(plain.get_vocab().items(), key=lambda item: -item[1])
    candidates = [
        (word, i) for word, i in names if len(word) > 1 and word.isascii() and word.isalpha()
    ]
    for word, i in candidates[:100]:
        if plain.encode(f"{word} {word}", add_special_tokens=False).ids == [i, i]:
            return word
    return None


def _around(plain: Tokenizer, word: str) -> tuple[list[int], list[int]] | None:
    """The special tokens' ids before and after a text, or None where that is not all they do."""
    found = plain.encode(f"{word} {word}").ids
    marker = _id_of(plain, word)
    if found.count(marker) != 2:
        return None
    start = found.index(marker)
    before, after = found[:start], found[start + 2 :]
    is_all = found[start : start + 2] == [marker] * 2 and plain.encode("").ids == before + after
    return (before, after) if is_all else None


def _id_of(rust: Tokenizer, word: str) -> int:
    found = rust.token_to_id(word)
    assert found is not None
    return found


def _split(texts: pa.Array, most: int) -> tuple[Any, Any, Any]:
    """All rows' first `most` pieces between spaces, how many a row has, which have a rest."""
    import numpy as np
    import pyarrow.compute as pc

    lists = pc.split_pattern(texts, " ", max_splits=most)
    offsets = lists.offsets.to_numpy()
    per_row = np.diff(offsets)
    has_rest = per_row > most
    pieces = lists.values[offsets[0] : offsets[-1]]
    if has_rest.any():
        is_kept = np.ones(len(pieces), dtype=bool)
        is_kept[(offsets[1:] - offsets[0])[has_rest] - 1] = False
        pieces = pieces.filter(is_kept)
    return pieces, per_row - has_rest, has_rest


def _ranges(starts: np.ndarray[Any, Any], lengths: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The indices `start`, `start + 1`, … of each range, one range after the other."""
    import numpy as np

    ends = np.cumsum(lengths)
    return np.repeat(starts - ends + lengths, lengths) + np.arange(ends[-1] if len(ends) else 0)


def _split_ids(ids: list[int], separator: int) -> Iterator[list[int]]:
    start = 0
    for _ in range(ids.count(separator)):
        end = ids.index(separator, start)
        yield ids[start:end]
        start = end + 1
    yield ids[start:]
