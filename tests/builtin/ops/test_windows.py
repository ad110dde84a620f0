"""Windows over the pieces of words, held against a plain search through all of them."""

from __future__ import annotations

import random
from itertools import pairwise

import numpy as np
import pytest

from mlrecipe.builtin.ops._windows import Frame, Windowed, windowed
from mlrecipe.builtin.ops._word_pieces import Pieces

pytestmark = pytest.mark.heavy

CLS, SEP, BLANK = 1, 2, 3


def frame(room: int, stride: int, before: int = 1, after: int = 1) -> Frame:
    return Frame(
        before=np.full(before, CLS, np.int32),
        after=np.full(after, SEP, np.int32),
        room=room,
        stride=stride,
        blank=BLANK,
    )


def rows_of(words: list[list[int]]) -> tuple[Pieces, np.ndarray]:
    """Rows of words of so many pieces; the pieces are numbered from 10 on, in each row anew."""
    lengths = np.array([n for row in words for n in row], np.int64)
    ids = [np.arange(10, 10 + sum(row)) for row in words]
    flat = np.concatenate([np.empty(0), *ids]).astype(np.int32)
    return Pieces(flat, lengths), np.array([len(row) for row in words], np.int64)


def split(found: Windowed) -> list[dict[str, list]]:
    """Each row by itself: its windows, and the pieces of each of its words where they are read."""
    rows = []
    ids = 0
    counts = [0, *np.cumsum(found.windows_per_row).tolist()]
    for row, length in enumerate(found.ids_per_row.tolist()):
        own = found.ids[ids : ids + length].tolist()
        sizes = found.windows[counts[row] : counts[row + 1]].tolist()
        assert sum(sizes) == length
        edges = np.cumsum([0, *sizes]).tolist()
        rows.append({"ids": own, "windows": [own[a:b] for a, b in pairwise(edges)]})
        ids += length
    return rows


def test_sequence_6_a_long_row_is_cut_into_windows_that_share_pieces():
    """Each window has its special tokens and begins with a word; the last one is as full as the others."""
    pieces, words = rows_of([[1, 2, 1, 3, 1, 1, 2, 1]])  # words begin at 0, 1, 3, 4, 7, 8, 9, 11

    found = windowed(pieces, words, frame(room=6, stride=2))

    (row,) = split(found)
    assert row["windows"] == [
        [CLS, 10, 11, 12, 13, 14, 15, SEP],
        [CLS, 14, 15, 16, 17, 18, 19, SEP],
        [CLS, 17, 18, 19, 20, 21, SEP],  # 16 would cut a word
    ]
    assert not found.truncated.any()


def test_sequence_6_a_word_is_read_where_most_stands_around_it():
    """The smaller of what is before and after it counts; where two are alike, the first."""
    pieces, words = rows_of([[1] * 8])

    found = windowed(pieces, words, frame(room=6, stride=4, before=0, after=0))

    # Windows 0-5 and 2-7: words 3 and 4 have 3 and 2, then 1 and 2 pieces before them.
    assert split(found)[0]["windows"] == [[*range(10, 16)], [*range(12, 18)]]
    assert found.word_starts.tolist() == [0, 1, 2, 3, 8, 9, 10, 11]


@pytest.mark.parametrize("seed", range(60))
def test_sequence_6_no_word_of_a_long_row_is_dropped(seed: int):
    """Random rows: all that the docstring says of windows, and where words are read, by a plain search."""
    pick = random.Random(seed)
    room, before, after = pick.randint(2, 12), pick.randint(0, 2), pick.randint(0, 2)
    stride = pick.randint(0, room // 2)
    most = min(pick.choice([1, 3, room]), room)
    words = [[pick.randint(1, most) for _ in range(pick.choice([0, 1, 5, 40]))] for _ in range(6)]
    pieces, counts = rows_of(words)

    found = windowed(pieces, counts, frame(room, stride, before, after))

    starts = np.split(found.word_starts, np.cumsum(counts)[:-1])
    for row, lengths, own in zip(split(found), words, starts, strict=True):
        _check_windows(row["windows"], lengths, room, stride, before, after)
        ends = np.cumsum(lengths)
        for number, start in enumerate(own.tolist()):
            first = int(ends[number]) - lengths[number]
            assert start == _best(row["windows"], 10 + first, lengths[number], before, after)
    assert found.word_lengths.tolist() == pieces.lengths.tolist()
    assert not found.truncated.any()


def _check_windows(windows, lengths, room, stride, before, after) -> None:
    borders = {10 + n for n in np.cumsum([0, *lengths]).tolist()}
    total = sum(lengths)
    parts = [window[before : len(window) - after] for window in windows]
    assert all(w[:before] == [CLS] * before for w in windows)
    assert all(w[len(w) - after :] == [SEP] * after for w in windows)
    if not total and not before and not after:
        assert windows == [[BLANK]]
        return
    assert all(len(part) <= room for part in parts)
    assert sorted({n for part in parts for n in part}) == list(range(10, 10 + total))
    assert all(part[0] in borders for part in parts if part)
    assert all(len(part) == room for part in parts[:-1])
    for one, two in pairwise(parts):
        shared = len(set(one) & set(two))
        assert one[0] < two[0]
        alone = max(n for n in borders if n <= one[-1] + 1 - stride) <= one[0]
        assert shared >= stride or alone
    if len(parts) > 1:
        earlier = [n for n in borders if 10 + total - room <= n < parts[-1][0]]
        assert not earlier


def _best(windows, first: int, length: int, before: int, after: int) -> int:
    """The place of the word among the row's ids, by trying every window."""
    best, found, at = -1, -1, 0
    for window in windows:
        part = window[before : len(window) - after]
        if set(range(first, first + length)) <= set(part):
            place = part.index(first)
            context = min(place, len(part) - place - length)
            if context > best:
                best, found = context, at + before + place
        at += len(window)
    return found


def test_a_word_of_more_pieces_than_fit_is_cut_and_said():
    """It stays a word: it has a window of its own, and its row is truncated."""
    pieces, words = rows_of([[1, 9, 1], [2, 1]])

    found = windowed(pieces, words, frame(room=4, stride=2))

    assert found.truncated.tolist() == [True, False]
    assert found.word_lengths.tolist() == [1, 4, 1, 2, 1]
    assert [CLS, 11, 12, 13, 14, SEP] in split(found)[0]["windows"]
    assert split(found)[1]["windows"] == [[CLS, 10, 11, 12, SEP]]


def test_many_words_take_no_time_to_speak_of():
    """A row of 50,000 words has hundreds of windows."""
    pieces, words = rows_of([[1, 2] * 25_000])

    found = windowed(pieces, words, frame(room=510, stride=64))

    assert len(found.windows) == 169
    assert found.ids[found.word_starts].tolist() == [
        10 + n for pair in range(25_000) for n in (3 * pair, 3 * pair + 1)
    ]
