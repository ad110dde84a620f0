"""Wording: the words of an input's rows, where they stand in a column of lists, in JSON, or in texts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
from datasets import Features

from mlrecipe import columns
from mlrecipe.errors import DataError, RequestError
from mlrecipe.inference import refusals, words
from mlrecipe.inference.reading import Piece, Types, whole
from mlrecipe.inference.words import Worded
from mlrecipe.interfaces import Head


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """How the rows of an input come by their words."""

    head: Head

    column: str
    """The column with words that the preparation reads."""

    origin: Mapping[str, Any]
    """What the op was given that read the files of the training."""

    def is_in(self, piece: Piece) -> bool:
        """Whether the rows have their words."""
        return self.column in piece.table.column_names

    def of(self, piece: Piece) -> tuple[Piece, list[Worded]]:
        """The rows with a column of words, and where these stand in their texts.

        Raises:
            RequestError: there are neither words nor texts, or a cell is not what it should be.
        """
        refusals.check_layout(piece, self.origin)
        tags = self._tags(piece)
        if self.is_in(piece):
            cells = piece.table[self.column].to_pylist()
            texts = self._texts_beside(piece) if None in cells else [None] * len(cells)
            found = [
                self._joined(cell, piece.start + row) if cell is not None or text is None
                else words.split(text, self.head.splitting or "whitespace")
                for row, (cell, text) in enumerate(zip(cells, texts, strict=True))
            ]  # fmt: skip
        else:
            found = self._split(piece, tags)
        kept = {self.column: [whole(each.words) for each in found]}
        if tags is not None:
            kept[self._gold] = tags
        return _with(piece, kept), found

    def _joined(self, cell: Any, row: int) -> Worded:
        """The words of a cell: a list, JSON of one, or words with white space between."""
        listed = _list_of(cell)
        if listed is None:
            what = f"column {self.column!r} of row {row} is no list of words: {cell!r:.60}"
            raise RequestError(what, key="--input", hint="texts go into a column `text`")
        return words.join(["" if word is None else str(word) for word in listed])

    def _texts_beside(self, piece: Piece) -> list[str | None]:
        """The texts of rows that may have one in place of words; None where they have none."""
        others = [name for name in piece.table.column_names if name != self.column]
        rest = replace(
            piece, table=piece.table.select(others),
            odd={name: error for name, error in piece.odd.items() if name != self.column},
        )  # fmt: skip
        try:
            name = "text" if "text" in others else self._text_column(rest)
        except RequestError:
            return [None] * len(piece.table)
        return [cell if isinstance(cell, str) else None for cell in rest.table[name].to_pylist()]

    def _split(self, piece: Piece, tags: list[list[str] | None] | None) -> list[Worded]:
        """The words of texts: as the tags beside them have been split, else as the model's own were."""
        name = self._text_column(piece)
        texts = [_text(cell, name, piece) for cell in piece.table[name].to_pylist()]
        made = [words.split(text, self.head.splitting or "whitespace") for text in texts]
        if tags is None:
            return made
        spaced = [words.split(text, "whitespace") for text in texts]
        fits = all(len(t or ()) == len(w.offsets) for t, w in zip(tags, spaced, strict=True) if t)
        return spaced if fits else made

    def _text_column(self, piece: Piece) -> str:
        schema = Types().typed(piece).schema.remove_metadata()
        kinds = columns.kinds_of(Features.from_arrow_schema(schema))
        known = {name: kind for name, kind in kinds.items() if name not in self.head.targets}
        if len(known) == 1 and next(iter(known.values())) not in ("list", "other"):
            return next(iter(known))
        try:
            (name,) = columns.find_texts(known)
        except (DataError, ValueError) as error:
            listed = ", ".join(map(repr, piece.table.column_names)) or "none"
            raise RequestError(
                f"the input has no column {self.column!r} with words, and none with texts; it has {listed}",
                key="--input",
                hint=f"name the column with lists of words {self.column!r}, or that with texts 'text'",
            ) from error
        return name

    @property
    def _gold(self) -> str:
        """The column with tags, where the training had it."""
        names = tuple(self.head.outputs) or self.head.targets
        return names[-1] if names else ""

    def _tags(self, piece: Piece) -> list[list[str] | None] | None:
        """The tags that came along as texts, as lists; None where there are none."""
        if self._gold not in piece.table.column_names:
            return None
        kind = piece.table[self._gold].type
        if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            return None
        found = [_list_of(cell) for cell in piece.table[self._gold].to_pylist()]
        is_names = all(isinstance(tag, str) for tags in found for tag in tags or ())
        return found if is_names else None


def has_text(word: Any) -> bool:
    """Whether a word is more than white space."""
    return bool(word.strip()) if isinstance(word, str) else word is not None


def _list_of(cell: Any) -> list[Any] | None:
    """A cell as a list; None where it is none."""
    if cell is None:
        return []
    if isinstance(cell, list):
        return cell
    if not isinstance(cell, str):
        return None
    if cell.lstrip().startswith("["):
        try:
            found = json.loads(cell)
        except ValueError:
            return cell.split()
        return found if isinstance(found, list) else None
    return cell.split()


def _text(cell: Any, name: str, piece: Piece) -> str:
    if cell is None or isinstance(cell, str):
        return cell or ""
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return str(cell)
    message = f"column {name!r} holds {type(cell).__name__}, not texts (rows from {piece.start} on)"
    raise RequestError(message, key="--input")


def _with(piece: Piece, lists: Mapping[str, Sequence[list[str] | None]]) -> Piece:
    """The rows with these columns of lists, in place of any of the same name."""
    table = piece.table
    for name, values in lists.items():
        column = pa.array(values, pa.list_(pa.string()))
        at = table.schema.get_field_index(name)
        table = table.append_column(name, column) if at < 0 else table.set_column(at, name, column)
    odd = {name: error for name, error in piece.odd.items() if name not in lists}
    return replace(piece, table=table, odd=odd, objects=piece.objects or [])
