"""Measures: the metrics that can be computed of predictions, under the names that `task.metrics` has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pyarrow as pa

from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.significance import of_labels, of_numbers, of_words, tested
from mlrecipe.significance.evidence import (
    Measure,
    OfOrder,
    OfSums,
    mean_of_orders,
    mean_of_sums,
    of_hits,
)
from mlrecipe.significance.tested import FRAMES, NUMBER, OUTPUTS, SEVERAL, TAGS, Tested
from mlrecipe.significance.words import Words

Make = Callable[[], Measure]

_ERRORS = (
    "calibration-error", "hamming-distance", "mean-absolute-error", "mean-squared-error",
    "root-mean-squared-error",
)  # fmt: skip


def names(table: pa.Table) -> list[str]:
    """The metrics that can be computed of a table of predictions, those first that are asked for most.

    They hang on what is predicted. Where there are several outputs a metric of one has its column before it,
    `topic/accuracy`, and the bare name is the mean over all outputs.

    Raises:
        DataError: the table holds no predictions.
    """
    return _names(tested.head_of(table), has_scores="probabilities" in table.column_names)


def measure(table: pa.Table, metric: str) -> float:
    """A metric of a table of predictions, as `metrics.json` has it; rows without a label do not count.

    Raises:
        DataError: the metric cannot be computed of such predictions, or no row has a label.
    """
    return measures(table, [metric])[metric].value()


def measures(
    table: pa.Table, metrics: Sequence[str], *, head: Mapping[str, Any] | None = None
) -> dict[str, Measure]:
    """What the metrics are made of; `head` gives another order of the labels.

    Raises:
        DataError: a metric cannot be computed of such predictions, or no row has a label.
    """
    known = names(table)
    for name in metrics:
        if name not in known:
            message = f"metric {name!r} cannot be computed of these predictions"
            raise DataError(message, key="metrics", hint=did_you_mean(name, known))
    found = _all(tested.read(table, head=head))
    for name in metrics:
        if name not in found:
            message = f"metric {name!r} needs the probabilities of all labels, which some rows lack"
            raise DataError(message, key="metrics")
    return {name: found[name]() for name in metrics}


def is_error(metric: str) -> bool:
    """Whether less of a metric is better."""
    return metric.rpartition("/")[2] in _ERRORS


def _names(head: Mapping[str, Any], *, has_scores: bool) -> list[str]:
    kind = head["problem_type"]
    if kind == NUMBER:
        return list(of_numbers.NAMES)
    if kind == SEVERAL:
        return of_labels.names_of_several(has_scores=has_scores)
    if kind == TAGS:
        return of_words.names(str(head.get("scheme") or "plain"))
    outputs: Mapping[str, Sequence[str]] = head.get("outputs") or {}
    if kind == FRAMES:
        (intent, intents), (slots, _) = outputs.items()
        found = of_words.names(str(head.get("scheme") or "plain"))
        ours = of_labels.names_of_one(len(intents), has_scores=False)
        return ["exact-match", *(f"{intent}/{n}" for n in ours), *(f"{slots}/{n}" for n in found)]
    if kind == OUTPUTS:
        least = min((len(labels) for labels in outputs.values()), default=2)
        common = of_labels.names_of_one(least, has_scores=has_scores)
        return [*common, *(f"{column}/{name}" for name in common for column in outputs)]
    return of_labels.names_of_one(len(head["labels"]), has_scores=has_scores)


def _all(found: Tested) -> dict[str, Make]:
    """What makes each metric that these rows have."""
    if found.kind == OUTPUTS:
        return _of_outputs(found)
    if found.kind == FRAMES:
        return _of_frames(found)
    (part,) = found.parts.values()
    return _of_part(part)


def _of_part(part: object) -> dict[str, Make]:
    if isinstance(part, tested.Values):
        return of_numbers.makers(part)
    if isinstance(part, Words):
        return of_words.makers(part)
    if isinstance(part, tested.SeveralLabels):
        return of_labels.makers_of_several(part)
    assert isinstance(part, tested.OneLabel), part
    return of_labels.makers_of_one(part)


def _of_outputs(found: Tested) -> dict[str, Make]:
    """Of each output `<column>/<metric>`, and the mean over all."""
    each = {column: _of_part(part) for column, part in found.parts.items()}
    made = {f"{column}/{name}": make for column, of in each.items() for name, make in of.items()}
    first, *rest = each.values()
    for name in first:
        if all(name in other for other in rest):
            made[name] = partial(_mean, [of[name] for of in each.values()])
    return made


def _mean(makes: Sequence[Make]) -> Measure:
    parts = [make() for make in makes]
    sums = [part for part in parts if isinstance(part, OfSums)]
    if len(sums) == len(parts):
        return mean_of_sums(sums)
    return mean_of_orders([part for part in parts if isinstance(part, OfOrder)])


def _of_frames(found: Tested) -> dict[str, Make]:
    (intent, wants), (slots, words) = found.parts.items()
    assert isinstance(wants, tested.OneLabel)
    assert isinstance(words, Words)
    is_right = (wants.there == wants.given) & words.is_right
    made: dict[str, Make] = {"exact-match": partial(of_hits, is_right)}
    made |= {f"{intent}/{name}": make for name, make in _of_part(wants).items()}
    return made | {f"{slots}/{name}": make for name, make in _of_part(words).items()}
