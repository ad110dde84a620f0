"""Windows: the pieces of a row's words as what a network takes at once, so that nothing is dropped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlrecipe.builtin.ops._word_pieces import Pieces


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What every window is like."""

    before: NDArray[np.int32]
    """Ids of the special tokens that a window begins with."""

    after: NDArray[np.int32]
    """Ids of those that it ends with."""

    room: int
    """Most pieces between them."""

    stride: int
    """Pieces that neighbours share; fewer than `room`."""

    blank: int
    """The id in a window that would have none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Windowed:
    """Rows of windows."""

    ids: NDArray[np.int32]
    """Ids of all windows of all rows, one after the other, shape (ids,)."""

    ids_per_row: NDArray[np.int64]
    """Shape (rows,)."""

    windows: NDArray[np.int32]
    """Ids of each window, shape (windows,)."""

    windows_per_row: NDArray[np.int64]
    """Shape (rows,)."""

    word_starts: NDArray[np.int32]
    """For each word the place of its first piece among its row's ids, shape (words,)."""

    word_lengths: NDArray[np.int32]
    """Pieces of each word, shape (words,)."""

    truncated: NDArray[np.bool_]
    """Whether a word of the row lost pieces, for it had more than fit in a window; shape (rows,)."""


def windowed(pieces: Pieces, words: NDArray[np.int64], frame: Frame) -> Windowed:
    """The windows of rows with so many words each, shape (rows,).

    Windows begin with a word, and as many pieces before the end of the last one as neighbours share. The last
    begins as late as it can and still be full. A word is read where it is whole and the smaller of the numbers
    of pieces before and after it is largest, in the first of such windows.
    """
    import numpy as np

    lengths = np.minimum(pieces.lengths, frame.room)
    is_cut = pieces.lengths > frame.room
    ids = pieces.ids
    if is_cut.any():
        ids = ids[ranges(np.cumsum(pieces.lengths) - pieces.lengths, lengths)]
    row_of_word = np.repeat(np.arange(len(words)), words)
    ends, word_ends = np.cumsum(lengths), np.cumsum(words)
    row_ends = np.concatenate([[0], ends])[np.concatenate([[0], word_ends])]
    places = ends - lengths - row_ends[row_of_word]
    sizes = np.diff(row_ends)
    shift = np.full(len(lengths), len(frame.before))
    starts: dict[int, NDArray[np.int64]] = {}
    for row in np.flatnonzero(sizes > frame.room).tolist():
        own = slice(word_ends[row] - words[row], word_ends[row])
        starts[row] = window_starts(places[own], int(sizes[row]), frame)
        shift[own] = _shifts(places[own], lengths[own], starts[row], int(sizes[row]), frame)
    rows, first = _laid_out(len(words), starts)
    found = np.minimum(sizes[rows] - first, frame.room)
    framed, widths = _framed(ids, row_ends[rows] + first, found, frame)
    return Windowed(
        ids=framed,
        ids_per_row=np.bincount(rows, widths, len(words)).astype(np.int64),
        windows=widths.astype(np.int32),
        windows_per_row=np.bincount(rows, minlength=len(words)),
        word_starts=(places + shift).astype(np.int32),
        word_lengths=lengths.astype(np.int32),
        truncated=np.bincount(row_of_word[is_cut], minlength=len(words)) > 0,
    )


def window_starts(places: NDArray[np.int64], size: int, frame: Frame) -> NDArray[np.int64]:
    """Where the windows of a row with so many pieces begin, from 0 up; `places` are its words' first pieces.

    No word has more pieces than a window has room for, and each is whole in one of them.
    """
    import numpy as np

    found = [0]
    while (end := found[-1] + frame.room) < size:
        word = int(np.searchsorted(places, end - frame.stride, side="right")) - 1
        if (
            places[word] <= found[-1]
        ):  # this word alone has more pieces than the others could be shared
            word += 1
        if places[word] + frame.room >= size:
            word = int(np.searchsorted(places, size - frame.room))
        found.append(int(places[word]))
    return np.array(found, dtype=np.int64)


def ranges(starts: NDArray[Any], lengths: NDArray[Any]) -> NDArray[np.int64]:
    """The indices `start`, `start + 1`, … of each range, one range after the other."""
    import numpy as np

    ends = np.cumsum(lengths)
    return np.repeat(starts - ends + lengths, lengths) + np.arange(ends[-1] if len(ends) else 0)


def _shifts(
    places: NDArray[np.int64],
    lengths: NDArray[np.int64],
    starts: NDArray[np.int64],
    size: int,
    frame: Frame,
) -> NDArray[np.int64]:
    """How much further each word of a row stands among the ids than among the pieces, shape (words,)."""
    import numpy as np

    ends = np.minimum(starts + frame.room, size)
    widths = ends - starts + len(frame.before) + len(frame.after)
    shift = np.cumsum(widths) - widths - starts + len(frame.before)
    window = np.searchsorted(ends, places + lengths)  # the first in which the word is whole
    last = np.searchsorted(starts, places, side="right") - 1
    best, context = window.copy(), np.full(len(places), -1)
    while (is_inside := window <= last).any():
        at = np.minimum(window, last)
        own = np.minimum(places - starts[at], ends[at] - places - lengths)
        is_better = is_inside & (own > context)
        best, context = np.where(is_better, at, best), np.where(is_better, own, context)
        window = window + 1
    return np.asarray(shift[best])


def _laid_out(
    count: int, starts: dict[int, NDArray[np.int64]]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each window its row and its first piece in it; a row not in `starts` has one from 0 on."""
    import numpy as np

    per_row = np.ones(count, dtype=np.int64)
    per_row[list(starts)] = [len(own) for own in starts.values()]
    first = np.zeros(int(per_row.sum()), dtype=np.int64)
    ends = np.cumsum(per_row)
    for row, own in starts.items():
        first[ends[row] - len(own) : ends[row]] = own
    return np.repeat(np.arange(count), per_row), first


def _framed(
    ids: NDArray[np.int32], first: NDArray[np.int64], sizes: NDArray[np.int64], frame: Frame
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The ids of all windows, of `sizes` pieces from `first` on each, and how many ids each has."""
    import numpy as np

    before, after = len(frame.before), len(frame.after)
    widths = np.maximum(sizes + before + after, 1)
    begins = np.cumsum(widths) - widths
    framed = np.full(int(widths.sum()), frame.blank, dtype=np.int32)
    framed[ranges(begins + before, sizes)] = ids[ranges(first, sizes)]
    framed[begins[:, None] + np.arange(before)] = frame.before
    framed[(begins + before + sizes)[:, None] + np.arange(after)] = frame.after
    return framed, widths
