"""The op `regression-report`: how predicted numbers differ from the labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlrecipe
from mlrecipe.builtin.ops import _evaluated

if TYPE_CHECKING:
    from mlrecipe.recorder import Recorder


@mlrecipe.op("regression-report")
def regression_report(predictions: Recorder, *, bins: int = 10) -> Recorder:
    """Tell how predicted numbers differ from the labels, over all rows and over ranges of the label.

    A row for each range: `low` and `high`, `rows`, the means `label` and `prediction`, `bias` (the mean of
    prediction less label) and `absolute-error` (the mean of its amount).

    Statistics: `rows` with a label, `pearson-corrcoef`, `spearman-corrcoef`, `mean-squared-error`,
    `root-mean-squared-error`, `mean-absolute-error`, `r2-score` and `bias`.

    Args:
        predictions: those of numbers.
        bins: ranges of the label, of as many rows each as equal labels allow.
    """
    from mlrecipe.reporting import summary

    rows, statistics = summary.numbers(_evaluated.rows_of(predictions), bins=bins)
    return _evaluated.recorder(rows, statistics, predictions)
