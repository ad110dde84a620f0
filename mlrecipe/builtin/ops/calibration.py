"""The op `calibration`: whether predictions are right as often as they are sure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import mlrecipe
from mlrecipe.builtin.ops import _evaluated

if TYPE_CHECKING:
    from mlrecipe.recorder import Recorder


@mlrecipe.op("calibration")
def calibration(
    predictions: Recorder, *, bins: int = 15, binning: Literal["width", "mass"] = "width"
) -> Recorder:
    """Hold confidence against the share that is right, in bins.

    A row for each bin that has any decisions: `low` and `high`, `rows`, the mean `confidence`, `accuracy` and
    `gap`, accuracy less confidence. Confidence is the probability of what was decided; where a row may have
    several labels the probability of each, in rows of its own (`label`), held against the share that has it.
    Of several outputs each has rows of its own (`output`). Where words have tags each word counts.

    Statistics: `calibration-error`, the mean gap by rows (ECE: Naeini et al. 2015; Guo et al. 2017), equal to
    the metric of that name with 15 bins of equal width; `maximum-calibration-error`, the greatest gap (MCE);
    `confidence`; `overconfidence`, that less the accuracy; `brier` (Brier 1950; of two labels the squared
    distance of one probability, of more the sum over the labels) and `negative-log-likelihood`, neither of
    tags. Where a row may have several labels they are means over the labels, the greatest gap apart; of
    several outputs they stand under `<output>/`.

    Args:
        predictions: those of labels or tags.
        bins: of confidence.
        binning: bins of equal `width`, or of equal `mass`: as many decisions in each.
    """
    from mlrecipe.reporting import calibration as counted
    from mlrecipe.reporting import tables

    table = _evaluated.rows_of(predictions)
    found = counted.calibrated(table, bins=bins, binning=binning)
    is_several = tables.head_of(table.schema).problem_type == tables.SEVERAL
    statistics = counted.means(found) if is_several else counted.statistics(found)
    rows = counted.rows_of(found, column="label" if is_several else "output")
    return _evaluated.recorder(rows, statistics, predictions)
