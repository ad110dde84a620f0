"""The op `worst-mistakes`: the wrong rows of the greatest loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlrecipe
from mlrecipe.builtin.ops import _evaluated

if TYPE_CHECKING:
    from mlrecipe.recorder import Recorder


@mlrecipe.op("worst-mistakes")
def worst_mistakes(predictions: Recorder, *, top: int = 50) -> Recorder:
    """Show the wrong rows that went worst, with all columns that were kept of them.

    The worst first, by `loss`: -log of the probability of the label, of several labels or outputs, or of tags,
    the sum over them. Of predicted numbers by the amount of `error`, prediction less label.

    Statistics: `rows` with a label, `errors`, and `rate`, the share of rows that are wrong; where more than
    one thing is said of a row `decisions` and `wrong-share`, the share of these; of numbers `mean-error`, the
    mean of the amounts, and `largest-error`.

    Args:
        predictions: any with labels.
        top: rows to show at most.
    """
    from mlrecipe.reporting import mistakes

    table = _evaluated.rows_of(predictions)
    return _evaluated.recorder(mistakes.worst(table, top), mistakes.statistics(table), predictions)
