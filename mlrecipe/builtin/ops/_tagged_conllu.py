"""CoNLL-U's sentences: lines of words, of tokens that are several words, and of words that nobody wrote."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from mlrecipe.builtin.ops._files import Source
from mlrecipe.tagging.layouts import FIELDS, ID

Line: TypeAlias = tuple[int, list[str]]
"""Number of a line in its file, from 1, and its cells."""

_FORM = FIELDS.index("form")


def words(source: Source, sentence: Sequence[Line], which: str) -> list[list[str]]:
    """The cells of each word of a sentence; words that nobody wrote (`8.1`) are left out.

    Args:
        source: the file, which errors name.
        sentence: its lines.
        which: `syntactic` for the words of syntax (`do`, `n't`), `surface` for what is written (`don't`), with
            the values of its words joined by `+`.

    Raises:
        DataError: a line has no number of a word, or a token has words that are not there.
    """
    for number, cells in sentence:
        if not ID.fullmatch(cells[0]):
            raise source.error(
                f"its first column {cells[0][:20]!r} is no number of a word", line=number
            )
    if which == "surface":
        return list(_written(source, sentence))
    return [cells for _, cells in sentence if cells[0].isdigit()]


def _written(source: Source, sentence: Sequence[Line]) -> Iterator[list[str]]:
    by_id = {int(cells[0]): cells for _, cells in sentence if cells[0].isdigit()}
    last = 0
    for number, cells in sentence:
        first, _, end = cells[0].partition("-")
        if end:
            last = int(end)
            parts = [by_id.get(place) for place in range(int(first), last + 1)]
            if not parts or None in parts:
                raise source.error(f"not all words of token {cells[0]} are there", line=number)
            yield _joined(cells, [part for part in parts if part is not None])
        elif first.isdigit() and int(first) > last:
            yield cells


def _joined(token: Sequence[str], parts: Sequence[Sequence[str]]) -> list[str]:
    cells = ["+".join(values) for values in zip(*parts, strict=True)]
    cells[_FORM] = token[_FORM]
    return cells
