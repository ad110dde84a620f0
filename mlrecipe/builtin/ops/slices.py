"""The op `slices`: a metric of parts of the tested rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlrecipe
from mlrecipe import events
from mlrecipe.builtin.ops import _evaluated
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Column

if TYPE_CHECKING:
    from mlrecipe.recorder import Recorder


@mlrecipe.op("slices")
def slices(  # noqa: PLR0913 - the parameters of a recipe's node
    predictions: Recorder,
    *,
    by: str | list[str] = "length",
    length: Column | None = None,
    metric: str | None = None,
    bins: int = 4,
    most: int = 20,
    least: int = 30,
    confidence: float = 0.95,
    resamples: int = 1000,
    seed: int = 0,
) -> Recorder:
    """Cut the tested rows into slices and give a metric of each, with its interval.

    A row for each slice: `by`, `slice`, `rows`, `share` (of all labelled rows), the `value` of the metric, its
    interval `low` and `high`, the value of all other rows, `rest`, and the `difference` to it.

    Statistics: `value`, the metric of all rows; `worst`, its worst value in slices of at least `least` rows,
    and which that is, `worst-slice`; `gap`, how far such slices lie apart, the widest gap of all that rows were
    cut by.

    Args:
        predictions: any with labels.
        by: a column of the predictions, or several, each on its own; `length` is the number of words of the
            texts, unless there is a column of that name. Numbers are cut into ranges, other values are taken as
            they are, of lists the number of items.
        length: column whose words or items `length` counts; by default the one that is plain to hold the
            texts.
        metric: one of the metrics of a test that predictions alone give; by default the main one of the kind.
        bins: ranges that numbers are cut into, of as many rows each as equal numbers allow.
        most: slices of a column that has no numbers; its rarer values are put together as `other`.
        least: rows of a slice that counts for `worst` and `gap`; where none has as many only the largest
            count. A warning says so where there are not two.
        confidence: of the intervals.
        resamples: draws of the bootstrap for each interval; 0 for no intervals.
        seed: seed of the draws.
    """
    from mlrecipe.significance import measure
    from mlrecipe.significance import slices as cutting

    table = _evaluated.rows_of(predictions)
    metric = cutting.main_metric(table, metric)
    names = [by] if isinstance(by, str) else list(by)
    if not names:
        raise DataError("there is nothing to cut by", key="by", hint='name a column, or "length"')
    cut = cutting.Cut(
        bins=bins, most=most, confidence=confidence, resamples=resamples, seed=seed
    )  # fmt: skip
    found = {
        name: cutting.by_length(table, metric, column=length, cut=cut)
        if name == "length" and (length or name not in table.column_names)
        else cutting.by_column(table, name, metric, cut=cut)
        for name in names
    }
    every = [each for own in found.values() for each in own]
    statistics: dict[str, Any] = {"metric": metric, "value": measure(table, metric)}
    _warn([each.rows for each in every], least, times=cutting.times_more(table))
    # A training that is judged by the worst slice needs it of few rows too.
    least = min(least, max(each.rows for each in every))
    if worst := cutting.worst_of(every, metric, least=least):
        statistics |= {"worst": worst.value, "worst-slice": f"{worst.by}: {worst.name}"}
        statistics["gap"] = max(cutting.gap_of(own, least=least) for own in found.values())
    return _evaluated.recorder(cutting.table_of(every), statistics, predictions)


def _warn(rows: list[int], least: int, *, times: float) -> None:
    """Say so where too few slices count, in a sample of all rows: where too few of all rows' would."""
    if sum(count * times >= least for count in rows) >= min(2, len(rows)):
        return
    largest = max(rows)
    text = f"fewer than two slices have {least:,} rows: `worst` and `gap` are of the largest alone"
    facts = f"{rows.count(largest):,} of {len(rows):,}, with {round(largest * times):,} rows"
    hint = "for those of smaller ones set `least` to fewer rows"
    events.emit(events.Note(f"{text} ({facts}); {hint}", level="warning"))
