"""Terms: the words and the pairs of neighbouring words of many texts, as numbers, by Arrow and NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlrecipe.reporting.part import Ids, Numbers

_NO_WORD = r"[^\pL\pN'\x{2019}]+"
"""What stands between words: all but letters, digits and apostrophes."""

_APOSTROPHES = "'\u2019"

_ROWS = 2048
"""Texts that are looked at together."""


@dataclass(frozen=True, slots=True)
class Found:
    """Which rows have which terms, each once; both arrays have shape (pairs,), by row, then by term."""

    rows: Ids
    terms: Ids


@dataclass(frozen=True, slots=True)
class Terms:
    """A vocabulary: words, then pairs of them."""

    words: pa.Array
    """Lower-cased, by how they are first met."""

    pairs: Ids
    """`first * len(words) + second`, sorted, (pairs,)."""

    def __len__(self) -> int:
        return len(self.words) + len(self.pairs)

    def name(self, term: int) -> str:
        """The word, or the two with a space between them."""
        count = len(self.words)
        if term < count:
            return str(self.words[term])
        first, second = divmod(int(self.pairs[term - count]), count)
        return f"{self.words[first]} {self.words[second]}"

    def find(self, texts: pa.ChunkedArray) -> Iterator[Found]:
        """The terms of texts, some rows at a time; rows are places among all of them."""
        start = 0
        for part in _parts(texts):
            words = pc.index_in(part.flatten(), value_set=self.words)
            ids = pc.fill_null(words, -1).to_numpy(zero_copy_only=False).astype(np.int64)
            found = self._found(_parents(part), ids)
            yield Found(found.rows + start, found.terms)
            start += len(part)

    def _found(self, rows: Ids, ids: Ids) -> Found:
        """The terms of words, by their rows and numbers, -1 for what is not known."""
        before, keys = _neighbours(rows, ids, len(self.words))
        place = np.searchsorted(self.pairs, keys)
        place[place == len(self.pairs)] = 0
        is_known = self.pairs[place] == keys if len(self.pairs) else np.zeros(len(keys), np.bool_)
        return _once(
            np.concatenate([rows[ids >= 0], before[is_known]]),
            np.concatenate([ids[ids >= 0], len(self.words) + place[is_known]]), len(self),
        )  # fmt: skip


def vocabulary(texts: pa.ChunkedArray, *, least: int) -> tuple[Terms, Found]:
    """The words, and pairs of neighbours, that at least `least` texts have; and which texts have them."""
    parts = list(_parts(texts))
    starts = np.cumsum([0, *map(len, parts)])
    rows = np.concatenate(
        [np.zeros(0, np.int64), *(_parents(p) + s for p, s in zip(parts, starts[:-1], strict=True))]
    )
    coded = pa.chunked_array([part.flatten() for part in parts], pa.string()).combine_chunks()
    coded = pc.dictionary_encode(coded)
    all_ids = coded.indices.to_numpy().astype(np.int64)
    names = coded.dictionary.to_pylist()
    counts = np.bincount(_once(rows, all_ids, len(names)).terms, minlength=len(names))
    kept = [i for i, name in enumerate(names) if counts[i] >= least and name.strip(_APOSTROPHES)]
    fresh = np.full(len(names) + 1, -1, np.int64)
    fresh[kept] = np.arange(len(kept))
    ids = fresh[all_ids]
    before, keys = _neighbours(rows, ids, len(kept))
    distinct, places = np.unique(keys, return_inverse=True)
    once = _once(before, places, len(distinct))
    pairs = distinct[np.bincount(once.terms, minlength=len(distinct)) >= least]
    found = Terms(pa.array([names[i] for i in kept], pa.string()), pairs)
    return found, found._found(rows, ids)


def log_odds(some: Ids, some_rows: int, others: Ids, other_rows: int, *, prior: float) -> Numbers:
    """How much likelier each term is in some rows than in others, in standard errors, (terms,).

    The log odds ratio with an informative Dirichlet prior of Monroe, Colaresi & Quinn (2008, "Fightin' Words",
    equations 15, 22 and 23), where not words are counted but rows that have the word, and so the prior of each
    is a Beta distribution: `prior` rows, of which as many have the word as of all rows.

    Args:
        some: rows that have each term, (terms,).
        some_rows: all of these rows.
        others: rows of the others that have each term.
        other_rows: all of the others.
        prior: its weight in rows.
    """
    share = (some + others) / max(some_rows + other_rows, 1)
    has, lacks = prior * share, prior * (1 - share)
    yes, no = some + has, some_rows - some + lacks
    other_yes, other_no = others + has, other_rows - others + lacks
    parts = [np.maximum(part, 1e-9) for part in (yes, no, other_yes, other_no)]
    gap = np.log(parts[0] / parts[1]) - np.log(parts[2] / parts[3])
    found: Numbers = gap / np.sqrt(sum(1 / part for part in parts))
    return found


def _parts(texts: pa.ChunkedArray) -> Iterator[pa.ListArray]:
    """The words of each text, some texts at a time."""
    for start in range(0, len(texts), _ROWS):
        some = texts.slice(start, _ROWS).combine_chunks()
        whole = some.chunk(0) if isinstance(some, pa.ChunkedArray) else some
        # Large strings are texts too; a part of them is never too large for plain ones.
        lower = pc.utf8_lower(whole.cast(pa.string()))
        spaced = pc.replace_substring_regex(lower, _NO_WORD, " ")
        yield pc.ascii_split_whitespace(pc.ascii_trim_whitespace(spaced))


def _parents(words: pa.ListArray) -> Ids:
    """The row of each word."""
    rows: Ids = pc.list_parent_indices(words).to_numpy().astype(np.int64)
    return rows


def _neighbours(rows: Ids, ids: Ids, count: int) -> tuple[Ids, Ids]:
    """Of two known words next to each other their row and their key."""
    is_pair = (rows[:-1] == rows[1:]) & (ids[:-1] >= 0) & (ids[1:] >= 0)
    return rows[:-1][is_pair], (ids[:-1] * count + ids[1:])[is_pair]


def _once(rows: Ids, terms: Ids, count: int) -> Found:
    """Each row's terms once, by row, then by term."""
    keys = np.sort(rows * max(count, 1) + terms)
    is_first = np.ones(len(keys), np.bool_)
    is_first[1:] = keys[1:] != keys[:-1]
    return Found(*np.divmod(keys[is_first], max(count, 1)))
