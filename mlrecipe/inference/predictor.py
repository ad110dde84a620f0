"""Predictor: a trained model for scripts, from texts, words or rows to answers."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from mlrecipe.errors import RequestError
from mlrecipe.inference import items, tagged
from mlrecipe.inference.hearing import heard
from mlrecipe.inference.items import Item, Taking
from mlrecipe.inference.reading import ROWS, Piece
from mlrecipe.inference.replies import Answer, Labels, Number, Outputs
from mlrecipe.inference.tables import TablePredictor
from mlrecipe.interfaces import Head, Predicting
from mlrecipe.training.predictions import parts

One = str | Mapping[str, Any] | tuple[str, str]
"""One item: a text, a row by its columns, or two texts that belong together."""


class Predictor:
    """Predicts with one trained model; any number of them live side by side.

    Made by `mlrecipe.load`. Threads may share it: their items go through the model one call at a time.
    """

    def __init__(self, tables: TablePredictor, *, name: str) -> None:
        """Predict with what predicts tables; `name` is what it is shown by."""
        self._tables = tables
        self._name = name
        self._lock = threading.Lock()
        if isinstance(tables.task, Predicting):
            tables.gold.close()

    def __repr__(self) -> str:
        count = len(self.labels)
        what = f"{count} labels" if count > 1 else "a number"
        return f"<Predictor: {self.head.problem_type}, {what} ({self._name})>"

    @property
    def head(self) -> Head:
        """What the model puts out."""
        return self._tables.head

    @property
    def labels(self) -> tuple[str, ...]:
        """The model's labels, or tags; of several outputs `column=label`."""
        return self.head.labels

    @overload
    def predict(  # type: ignore[overload-overlap]  # texts, rows and pairs can be gone through, too
        self, item: One, *, top: int | None = None, progress: bool | None = None
    ) -> Answer: ...
    @overload
    def predict(
        self, item: list[str] | Iterable[One | Sequence[str]], *, top: int | None = None,
        progress: bool | None = None,
    ) -> list[Answer]: ...  # fmt: skip
    @overload
    def predict(
        self, item: None = None, *, tokens: Sequence[str], top: int | None = None,
        progress: bool | None = None,
    ) -> Answer: ...  # fmt: skip

    def predict(
        self, item: Any = None, *, tokens: Sequence[str] | None = None, top: int | None = None,
        progress: bool | None = None,
    ) -> Answer | list[Answer]:  # fmt: skip
        """The answer to one item, or those to many in their order.

        One item is a text; a mapping, which is a row by the columns that the training's data had, or a `text`;
        or a tuple of two texts, where the model reads pairs. Anything else that can be gone through is many of
        them: `["a", "b"]` is two texts, and `[["New", "York"], ["Rome"]]` two items of which the words are
        known already. The words of one item are given as `tokens=["New", "York"]`.

        Where words have tags, a text is split into words as the training's were, and spans say where they
        stand in it to the character. No item is too long: long ones go through the model in windows that
        overlap, where the recipe says `tokenize-words`; `tokenize` cuts them as in training. An empty text has
        an answer like any other, without words it is one without tags.

        Args:
            item: one, or many.
            tokens: the words of one, in place of it.
            top: this many labels with their probabilities, best first, not all; of words with tags these are
                left out unless it is given.
            progress: whether a line on standard error tells how far it is, after two seconds; by default on a
                terminal.

        Raises:
            RequestError: an item is not what the model takes; the message says which.
            TrainingError: the model's scores cannot be.
        """
        _check_top(top, self.head)
        if item is not None and tokens is not None:
            raise RequestError("give either items or `tokens`, not both")
        if item is None and tokens is None:
            raise RequestError("there is no item: give either items or `tokens`, the words of one")
        made = items.of(item, tokens, self._taking)
        with self._lock, heard(progress=progress):
            self._tables.total = len(made.items)
            answers: list[Answer] = []
            for start in range(0, len(made.items), ROWS):
                some = made.items[start : start + ROWS]
                try:
                    answers += self._answers(some, start, top)
                except RequestError as error:  # which blames an option of the command
                    raise RequestError(error.message, hint=error.hint) from error
        return answers[0] if made.is_one else answers

    @property
    def _taking(self) -> Taking:
        """What items of this model are made of."""
        if tagged.has_tags(self.head):
            words = self._tables.wording.column
            return Taking(words=words, splitting=self.head.splitting or "whitespace")
        return Taking(texts=tuple(self._tables.text_columns))

    def _answers(self, some: Sequence[Item], start: int, top: int | None) -> list[Answer]:
        piece = Piece(start=start, table=items.table(some, self._taking), objects=[])
        if not tagged.has_tags(self.head):
            return [_answer(self.head, row, top) for row in self._tables.scores(piece)]
        return [
            tagged.answer(self.head, scores, item.worded, top=top)
            for item, scores in zip(some, self._tables.sequences(piece), strict=True)
            if item.worded is not None
        ]


def _answer(head: Head, scores: NDArray[np.float32], top: int | None) -> Answer:
    """What one row of scores says, (labels,)."""
    if head.problem_type == "regression":
        return Number(float(scores[0]))
    if head.problem_type == "multi_label_classification":
        names = tuple(n for n, p in zip(head.labels, scores, strict=True) if p > head.threshold)
        return Labels(names, tagged.ranking(head.labels, scores, top))
    if head.outputs:
        return Outputs(
            {
                column: tagged.best(head.outputs[column], scores[places], top)
                for column, places in parts(head).items()
            }
        )
    return tagged.best(head.labels, scores, top)


def _check_top(top: Any, head: Head) -> None:
    if top is None:
        return
    if isinstance(top, bool) or not isinstance(top, int | np.integer):
        raise RequestError(f"{top!r} is no whole number", key="top")
    if head.problem_type == "regression":
        raise RequestError("a number has no labels to choose the best of", key="top")
    if top < 1:
        raise RequestError(f"{top!r} is not at least 1", key="top")
