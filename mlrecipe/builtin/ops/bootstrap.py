"""The op `bootstrap`: metrics with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlrecipe

if TYPE_CHECKING:
    from mlrecipe.recorder import Recorder


@mlrecipe.op("bootstrap")
def bootstrap(
    predictions: Recorder,
    *,
    metrics: list[str] | None = None,
    resamples: int = 2000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Recorder:
    """Give each metric an interval: between which bounds it would lie if other rows had been tested.

    A row for each metric with its value and bounds; the statistics have them too, as `accuracy`,
    `accuracy-low` and `accuracy-high`. What is a share of rows, such as accuracy, has Wilson's interval, all
    else that of the bootstrap, corrected for bias and skew.

    Args:
        predictions: those of a test or a validation.
        metrics: names as `task.metrics` has them; by default the five that are asked for most with such
            predictions.
        resamples: draws of the bootstrap, 100 at least.
        confidence: share of all tests in which the bounds hold, between 0 and 1.
        seed: seed of the draws.
    """
    from mlrecipe import significance
    from mlrecipe.recorder import Recorder

    found = significance.intervals(
        predictions.table, metrics, resamples=resamples, confidence=confidence, seed=seed
    )
    made = Recorder(split=predictions.split)
    made.log_batch(
        metric=list(found),
        value=[each.value for each in found.values()],
        low=[each.low for each in found.values()],
        high=[each.high for each in found.values()],
        method=[each.method for each in found.values()],
    )
    for name, each in found.items():
        made.record(**{name: each.value, f"{name}-low": each.low, f"{name}-high": each.high})
    return made
