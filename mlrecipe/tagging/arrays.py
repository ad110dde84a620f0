"""Spans of many rows at once, by numpy: equal to `mlrecipe.tagging.spans`, some hundred times as fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from mlrecipe.tagging import schemes
from mlrecipe.tagging.schemes import OUTSIDE, role

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]
    Flags = NDArray[np.bool_]
    T = TypeVar("T", bound=np.generic)

_OUT, _B, _I, _E, _S = range(5)
_CODES = {"B": _B, "I": _I, "E": _E, "S": _S}


@dataclass(frozen=True, slots=True)
class Found:
    """The spans of all rows, by row and place; each array has shape (spans,)."""

    rows: Ids
    labels: Ids
    """Indices into the decoder's `labels`."""

    starts: Ids
    """The first words."""

    ends: Ids
    """The words after the last ones."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Of each label how many spans there are; each array has shape (labels,)."""

    right: Ids
    """Predicted just as they are."""

    predicted: Ids
    gold: Ids


class Decoder:
    """Makes spans of tag ids."""

    def __init__(self, tags: Sequence[str], scheme: str) -> None:
        """`tags` are the names of the ids.

        Raises:
            DataError: there is no such scheme.
        """
        import numpy as np

        schemes.check(scheme)
        marks = [_mark(tag, scheme) for tag in tags]
        self.labels: tuple[str, ...] = tuple(sorted({label for code, label in marks if code}))
        """The labels of spans, sorted."""

        self._scheme = scheme
        # One more in the end, for -1: nothing is there.
        self._codes = np.array([*(code for code, _ in marks), _OUT], dtype=np.int8)
        places = {label: place for place, label in enumerate(self.labels)}
        ids = [places[label] if code else -1 for code, label in marks]
        self._labels = np.array([*ids, -1], dtype=np.int64)

    def spans(self, ids: Ids) -> Found:
        """The spans of tag ids of shape (rows, words); what is below 0 is no word, and passed over."""
        starts, ends, labels, places = self._flat(ids, ids >= 0)
        width = ids.shape[1] + 1
        rows = places[starts] // width
        return Found(
            rows=rows, labels=labels, starts=places[starts] - rows * width,
            ends=places[ends - 1] + 1 - rows * width,
        )  # fmt: skip

    def count(self, predicted: Ids, gold: Ids) -> Counted:
        """The spans of two taggings of the same words, both of shape (rows, words), against each other.

        What is below 0 in `gold` is no word in either, and passed over.
        """
        import numpy as np

        starts, ends, labels, places = self._flat(gold, gold >= 0)
        given = self._flat(predicted, gold >= 0)
        end_of, label_of = np.zeros(len(places), np.int64), np.full(len(places), -1)
        end_of[starts], label_of[starts] = ends, labels
        is_right = (end_of[given[0]] == given[1]) & (label_of[given[0]] == given[2])
        return Counted(
            right=self._of_each(given[2][is_right]), predicted=self._of_each(given[2]),
            gold=self._of_each(labels),
        )  # fmt: skip

    def _of_each(self, labels: Ids) -> Ids:
        import numpy as np

        return np.bincount(labels, minlength=len(self.labels)).astype(np.int64)

    def _flat(self, ids: Ids, is_word: Flags) -> tuple[Ids, Ids, Ids, Ids]:
        """Starts, ends and labels of spans, as places among the words of all rows with an `O` after each row.

        The last are where these lie, when nothing is passed over.
        """
        import numpy as np

        kept = np.pad(is_word, ((0, 0), (0, 1)), constant_values=True).ravel()
        places = np.flatnonzero(kept)
        words = np.pad(ids, ((0, 0), (0, 1)), constant_values=-1).ravel()[places]
        codes, labels = self._codes[words], self._labels[words]
        begins, goes_on = _marks(self._scheme, codes, _shifted(codes), labels == _shifted(labels))
        starts, breaks = np.flatnonzero(begins), np.flatnonzero(~goes_on)
        # The first break after each start: there is one, for an `O` ends each row.
        ends = breaks[np.searchsorted(breaks, starts, side="right")]
        is_whole = _whole(self._scheme, codes, labels, ends)
        return starts[is_whole], ends[is_whole], labels[starts][is_whole], places


def _mark(tag: str, scheme: str) -> tuple[int, str]:
    """What a tag does, and the label of its span."""
    if scheme == "plain":
        return (_OUT, "") if tag == OUTSIDE else (_I, tag)
    kind, label = role(tag, scheme)
    return (_CODES[kind], label) if kind in _CODES else (_OUT, "")


def _marks(
    scheme: str, codes: NDArray[np.int8], old: NDArray[np.int8], same: Flags
) -> tuple[Flags, Flags]:
    """Which words begin a span, and which go on with the one of the word before.

    `old` are the codes of the words before, `same` says whether these have the same label.
    """
    after_inside = same & (old == _I)
    after_begin = same & (old == _B)
    if scheme == "plain":
        goes_on = after_inside & (codes == _I)
        return (codes == _I) & ~goes_on, goes_on
    if scheme == "IOB1":
        second = (codes == _B) & (after_inside | after_begin)
        goes_on = (codes == _I) & (after_inside | (after_begin & _shifted(second)))
        return second | ((codes == _I) & ~goes_on), goes_on
    goes_on = ((codes == _I) | (codes == _E)) & (after_inside | after_begin)
    return (codes == _B) | (codes == _S), goes_on


def _whole(scheme: str, codes: NDArray[np.int8], labels: Ids, ends: Ids) -> Flags:
    """Which spans have a legal end; `ends` are the words after them."""
    last = codes[ends - 1]
    is_whole: Flags = last >= 0
    if scheme == "IOB1":
        is_whole = (last != _B) | (codes[ends] != _B) | (labels[ends] == labels[ends - 1])
    if scheme in ("BIOES", "BILOU"):
        is_whole = (last == _E) | (last == _S)
    return is_whole


def _shifted(values: NDArray[T]) -> NDArray[T]:
    """The value of the word before; before the first one stands the last, which is an `O`."""
    import numpy as np

    return np.concatenate((values[-1:], values[:-1]))
