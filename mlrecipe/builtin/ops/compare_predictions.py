"""The op `compare-predictions`: whether one model is better than another on the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlrecipe

if TYPE_CHECKING:
    from mlrecipe.recorder import Recorder


@mlrecipe.op("compare-predictions")
def compare_predictions(
    a: Recorder,
    b: Recorder,
    *,
    metrics: list[str] | None = None,
    common: bool = False,
    resamples: int = 10000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Recorder:
    """Compare two models' predictions of the same rows: difference, interval, p-value, and a verdict in words.

    A row for each metric; the statistics have `accuracy-difference`, `accuracy-low`, `accuracy-high` and
    `accuracy-p`. The test is McNemar's where the metric is a share of rows, else approximate randomization.

    Args:
        a: predictions of one model, such as `run:ID`.
        b: predictions of another one, such as `predictions`.
        metrics: names as `task.metrics` has them; by default the one that is asked for most with such
            predictions.
        common: whether rows that only one of the two has are left out.
        resamples: draws of the randomization test, 100 at least; of areas and rank correlations of many rows
            fewer are made.
        confidence: of the interval, between 0 and 1.
        seed: seed of the draws.
    """
    from mlrecipe import significance
    from mlrecipe.recorder import Recorder

    wanted = significance.names(a.table)[:1] if metrics is None else metrics
    drawing = significance.Drawing(resamples=resamples, confidence=confidence, seed=seed)
    found = significance.compare_all(a.table, b.table, wanted, drawing, is_common=common)
    made = Recorder(split=b.split)
    made.log_batch(
        metric=list(found),
        a=[each.a for each in found.values()],
        b=[each.b for each in found.values()],
        difference=[each.difference for each in found.values()],
        low=[each.interval.low for each in found.values()],
        high=[each.interval.high for each in found.values()],
        p_value=[each.p_value for each in found.values()],
        test=[each.test for each in found.values()],
        differ=[each.differ for each in found.values()],
        verdict=[each.verdict for each in found.values()],
    )
    for name, each in found.items():
        bounds = {f"{name}-low": each.interval.low, f"{name}-high": each.interval.high}
        made.record(**{f"{name}-difference": each.difference, f"{name}-p": each.p_value}, **bounds)
    return made
