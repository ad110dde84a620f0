"""The encoder of the op `tokenize-words`: from rows of words to windows of ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlrecipe.builtin.ops import _windows, _word_pieces
from mlrecipe.builtin.ops._tokenizing import load_tokenizer, warn_of_length
from mlrecipe.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder:
    """From words to windows."""

    split: _word_pieces.Splitter
    unknown: int | None
    """The id of a word that has no pieces."""

    frame: _windows.Frame

    def __call__(self, rows: pa.ListArray) -> _windows.Windowed:
        """The windows of some rows of words.

        Raises:
            Nothing: a word has no pieces, and there is no id for such.
        """
        import numpy as np

        pieces = self.split(rows)
        counts = np.diff(rows.offsets.to_numpy()).astype(np.int64)
        if not pieces.lengths.all():
            if self.unknown is None:
                raise Nothing(int(np.argmin(pieces.lengths)))
            pieces = _word_pieces.filled(pieces, self.unknown)
        return _windows.windowed(pieces, counts, self.frame)


class Nothing(Exception):
    """The tokenizer makes nothing of a word, the one with this number among those given."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def of_bytes() -> Encoder:
    """Words are their bytes, in one window without special tokens."""
    import numpy as np

    none, blank = np.empty(0, np.int32), _word_pieces.NO_BYTE
    room = np.iinfo(np.int32).max
    frame = _windows.Frame(before=none, after=none, room=room, stride=0, blank=blank)
    return Encoder(split=_word_pieces.of_bytes, unknown=blank, frame=frame)


def of_tokenizer(source: str, revision: str | None, max_length: int, stride: int) -> Encoder:
    """Words are the pieces that a tokenizer makes of them.

    Raises:
        DataError: there is no such tokenizer, or a window has no room for pieces.
    """
    import numpy as np

    loaded = load_tokenizer(source, revision)
    warn_of_length(loaded, max_length)
    split = _word_pieces.of_tokenizer(loaded)
    before, after = (np.array(ids, np.int32) for ids in _word_pieces.around(loaded))
    special = len(before) + len(after)
    if max_length <= special:
        raise DataError(
            f"max_length {max_length} leaves no room for words",
            key="max_length",
            hint=f"the tokenizer adds {special} special tokens",
        )
    room, unknown = max_length - special, loaded.unk_token_id
    blank = next((i for i in (unknown, loaded.pad_token_id) if i is not None), 0)
    frame = _windows.Frame(
        before=before, after=after, room=room, stride=min(stride, room // 2), blank=blank
    )
    return Encoder(split=split, unknown=unknown, frame=frame)
