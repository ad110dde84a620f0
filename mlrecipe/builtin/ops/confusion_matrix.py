"""The op `confusion-matrix`: what was predicted for what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import mlrecipe
from mlrecipe.builtin.ops import _evaluated

if TYPE_CHECKING:
    from mlrecipe.recorder import Recorder


@mlrecipe.op("confusion-matrix")
def confusion_matrix(
    predictions: Recorder,
    *,
    share_of: Literal["label", "prediction", "all"] = "label",
    unit: Literal["words", "spans"] = "words",
) -> Recorder:
    """Count what was predicted for what.

    A row for each label and prediction that there are: `label`, `prediction`, `count` and `share`. Where a row
    may have several labels each label has a table of two by two: `label`, whether it is `there` and whether it
    was `given`, `yes` or `no`, `count` and `share`. Of several outputs a column `output` comes first.

    Statistics: `rows` with a label; `errors` and `error-rate`, of all that was decided (words where they have
    tags, each label where a row may have several); the commonest error, `most-confused`, and
    `most-confused-count`. Of several outputs they stand under `<output>/`.

    Args:
        predictions: those of labels or tags.
        share_of: of what `share` is the part: all rows of the `label`, all given the `prediction`, or `all`.
        unit: where words have tags and rows no intent: `words`, tag against tag, or `spans`: what became of
            them, a row for each `kind` (`right`, `boundary`, `type`, `both`, `missed`, `spurious`) with `count`
            and `share`; the counts are the statistics.
    """
    from mlrecipe.reporting import summary

    table = _evaluated.rows_of(predictions)
    rows, statistics = summary.confusion(table, share_of=share_of, unit=unit)
    return _evaluated.recorder(rows, statistics, predictions)
