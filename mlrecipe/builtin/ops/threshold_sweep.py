"""The op `threshold-sweep`: what comes of saying yes above other probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import mlrecipe
from mlrecipe import events
from mlrecipe.builtin.ops import _evaluated
from mlrecipe.errors import DataError

if TYPE_CHECKING:
    from mlrecipe.recorder import Recorder


@mlrecipe.op("threshold-sweep")
def threshold_sweep(
    predictions: Recorder,
    *fit: Recorder,
    metric: Literal["f1", "accuracy", "balanced-accuracy", "matthews-corrcoef"] = "f1",
    positive: str | None = None,
    steps: int = 20,
) -> Recorder:
    """Look at other thresholds than 0.5, and find the one that is best.

    A label is given where its probability is above the threshold. A row for each threshold: `label`,
    `threshold`, `precision`, `recall`, `f1`, `accuracy`, `balanced-accuracy`, `matthews-corrcoef` and `share`,
    that of the rows given the label. Where a row may have several labels, each of them, and `(all)`: one
    threshold for all of them, their decisions counted together.

    With a second input, such as `validation`, the best threshold is chosen there: `inputs = ["predictions",
    "validation"]`. Without it it is chosen on the very rows that it is judged on, and will do less well on
    others: a note says so.

    Statistics: `best-threshold`, the metric there, under its name, and with `-default` what it is with the
    threshold of the predictions. Where a row may have several labels these are of all together;
    `<metric>-apart` is with a threshold of its own for each label, and these are in `thresholds`. `chosen-on`
    says where.

    Args:
        predictions: those of one of two labels, or of several labels.
        *fit: predictions to choose the threshold on; at most one input.
        metric: what the best threshold is best at.
        positive: of two labels the one that is given above the threshold; by default the second.
        steps: thresholds between 0 and 1 to show.
    """
    import numpy as np

    from mlrecipe.reporting import tables, temperature, thresholds

    table = _evaluated.rows_of(predictions)
    if steps < 1:
        raise DataError(f"{steps} steps cannot be made", key="steps", hint="it is at least 1")
    found = thresholds.chances(table, positive=positive)
    other = _evaluated.fitted_on(fit)
    chosen_on = found
    if other is not None:
        temperature.check_alike(table, other)
        chosen_on = thresholds.chances(other, positive=positive)
    else:
        text = "the threshold is chosen on the rows that it is judged on"
        hint = 'for a fair number add the input "validation"'
        events.emit(events.Note(f"{text}; {hint}", level="warning"))
    best = {label: own.best(metric) for label, own in chosen_on.items()}
    main = next(iter(found))
    usual = tables.head_of(table.schema).threshold
    statistics: dict[str, Any] = {
        "best-threshold": best[main],
        metric: thresholds.reached(found[main], best[main], metric),
        f"{metric}-default": thresholds.reached(found[main], usual, metric),
        "chosen-on": "the same rows" if other is None else "the second input",
    }
    if len(found) > 1:
        statistics[f"{metric}-apart"] = thresholds.apart(found, best, metric)
        statistics["thresholds"] = {label: t for label, t in best.items() if label}
    rows = thresholds.swept(found, np.arange(steps + 1) / steps)
    return _evaluated.recorder(rows, statistics, predictions)
