"""Generated texts and what they should have been: reading them from a recorder, and the packages that judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlrecipe.builtin.ops import _recorders
from mlrecipe.errors import DataError

if TYPE_CHECKING:
    from mlrecipe.recorder import Recorder


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """What was written, and what might have been."""

    predictions: list[str]
    """One text for each row."""

    references: list[list[str]]
    """One text or more for each row."""

    @property
    def streams(self) -> list[list[str | None]]:
        """The first reference of every row, the second of every row, …; None where a row has no more."""
        most = max(map(len, self.references), default=0)
        return [
            [texts[place] if place < len(texts) else None for texts in self.references]
            for place in range(most)
        ]


def read(
    found: Recorder, *, prediction: str, reference: str, remove: Sequence[str] | None
) -> Texts:
    """The texts in two columns; of the predictions those in `remove` and white space around are taken away.

    Raises:
        DataError: there is no row, no such column, or a row has no text.
    """
    for key, name in (("prediction", prediction), ("reference", reference)):
        _recorders.check_column(found, name, key=key)
    if not len(found):
        raise DataError("there are no rows to judge", key="inputs")
    numbers = found.column("row") if "row" in found.column_names else range(len(found))
    return Texts(
        predictions=[
            _cleaned(_text(value, row, prediction, "prediction"), remove or ())
            for row, value in zip(numbers, found.column(prediction), strict=True)
        ],
        references=[
            _several(value, row, reference)
            for row, value in zip(numbers, found.column(reference), strict=True)
        ],
    )


def with_scores(
    found: Recorder, columns: dict[str, list[float]], statistics: dict[str, Any], *, into: str
) -> Recorder:
    """The rows with columns of scores after the others, and statistics of them.

    Raises:
        DataError: a column of that name is there, and is no score of such an op.
    """
    from mlrecipe.recorder.recorder import Recorder

    scored = Recorder(found.table, statistics=statistics)
    for name, values in columns.items():
        if name in found.column_names:
            raise DataError(
                f"there is a column {name!r} already", key=into, hint="choose another name"
            )
        scored.set_column(name, values)
    return scored


def sacrebleu() -> Any:
    """The module `sacrebleu.metrics`.

    Raises:
        DataError: it is not installed.
    """
    try:
        from sacrebleu import metrics
    except ImportError as error:
        raise _missing("sacrebleu") from error
    return metrics


def rouge_score() -> Any:
    """The module `rouge_score.rouge_scorer`.

    Raises:
        DataError: it is not installed.
    """
    try:
        from rouge_score import rouge_scorer
    except ImportError as error:
        raise _missing("rouge-score") from error
    return rouge_scorer


def _missing(distribution: str) -> DataError:
    return DataError(
        f"needs the package {distribution}, which is not installed",
        key="use",
        hint="pip install 'mlrecipe[text-metrics]'",
    )


def _several(value: Any, row: int, column: str) -> list[str]:
    texts = value if isinstance(value, list) else [value]
    if not texts:
        raise DataError(f"row {row} has no reference in column {column!r}", key="reference")
    return [_text(text, row, column, "reference") for text in texts]


def _text(value: Any, row: int, column: str, key: str) -> str:
    if isinstance(value, str):
        return value
    what = "nothing" if value is None else f"a value of type {type(value).__name__!r}"
    raise DataError(f"row {row} has {what} in column {column!r}, where a text is expected", key=key)


def _cleaned(text: str, remove: Sequence[str]) -> str:
    for token in remove:
        text = text.replace(token, "")
    return text.strip()
