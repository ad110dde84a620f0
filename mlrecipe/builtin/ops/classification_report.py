"""The op `classification-report`: precision, recall and F1 of each class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import mlrecipe
from mlrecipe.builtin.ops import _evaluated

if TYPE_CHECKING:
    from mlrecipe.recorder import Recorder


@mlrecipe.op("classification-report")
def classification_report(
    predictions: Recorder, *, unit: Literal["spans", "words"] = "spans"
) -> Recorder:
    """Count how often each class is found, and how often it is given rightly.

    A row for each class: `label`, `precision`, `recall`, `f1`, how often it is there (`rows`; of tags `spans`
    or `words`; of several outputs `count`, after a column `output`) and how often it is `predicted`.

    Statistics: `rows` with a label; `accuracy`, of tags that of the words; `exact-match` where more than one
    thing is said of a row; `macro/f1`, `weighted/f1` and the like, and `micro/…` where it is not the
    accuracy. Of several outputs they stand under `<output>/`.

    Args:
        predictions: those of labels or tags.
        unit: what counts where words have tags: `spans`, each class a type of these, or `words`, each class
            a tag.
    """
    from mlrecipe.reporting import summary

    rows, statistics = summary.classes(_evaluated.rows_of(predictions), unit=unit)
    return _evaluated.recorder(rows, statistics, predictions)
