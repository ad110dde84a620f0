"""The op `confident-errors`: rows that are wrong and sure of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlrecipe
from mlrecipe.builtin.ops import _evaluated

if TYPE_CHECKING:
    from mlrecipe.recorder import Recorder


@mlrecipe.op("confident-errors")
def confident_errors(
    predictions: Recorder, *, top: int = 50, per_pair: int | None = None
) -> Recorder:
    """Show the wrong rows that were surest, with all columns that were kept of them.

    The surest first, by `confidence`, the probability of what was decided wrongly. Such rows often have a wrong
    label. Where more than one thing is said of a row, `about` names the label, output or word that was surest
    and wrong, with what was `expected` and `given`.

    Statistics: `rows` with a label, `errors` and `rate`; of the errors the mean confidence,
    `mean-confidence`, and the greatest, `highest-confidence`, both 0 where there are none.

    Args:
        predictions: those of labels or tags.
        top: rows to show at most.
        per_pair: rows at most of each pair of label and prediction; by default any number.
    """
    from mlrecipe.reporting import mistakes

    table = _evaluated.rows_of(predictions)
    rows = mistakes.confident(table, top, per_pair=per_pair)
    statistics = mistakes.statistics(table) | mistakes.sureness(table)
    return _evaluated.recorder(rows, statistics, predictions)
