"""Several runs side by side: in what they differ, their metrics, and which differences are more than chance."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from mlrecipe import significance
from mlrecipe.errors import MlrecipeError
from mlrecipe.recipe import splits
from mlrecipe.recipe.keys import dotted, leaves
from mlrecipe.report import verdict
from mlrecipe.report.judged import measured
from mlrecipe.report.source import Predicted, Source
from mlrecipe.reporting import tables
from mlrecipe.runs import differences, varying
from mlrecipe.runs.results import recipe_of
from mlrecipe.significance.comparison import Drawing, adjusted, compare_all

MOST_METRICS = 4
"""Metrics that are compared: that which the first training watched, and those asked for most."""

_RESAMPLES = 4000
_OTHERS: tuple[differences.About, ...] = ("code", "data", "environment", "git")

Tell = Callable[[str], None]


def facts(each: Sequence[Source], *, tell: Tell) -> dict[str, Any]:
    """What differs, and for every split that several were tested on the metrics and the comparisons."""
    names = list(verdict.letters(len(each)))
    return {
        "names": names,
        "recipe": _keys(each),
        "differences": _differences(each, names),
        "splits": [
            _split(split, found, each, tell) for split, found in _tested(each, names).items()
        ],
    }


Tested = dict[str, Predicted]
"""Name of a run → its predictions of a split."""


def _tested(each: Sequence[Source], names: Sequence[str]) -> dict[str, Tested]:
    """Split → who was tested, or validated, on it."""
    found: dict[str, Tested] = {}
    for name, told in zip(names, each, strict=True):
        for file in told.predictions():
            found.setdefault(file.split, {})[name] = file
    return found


def _keys(each: Sequence[Source]) -> dict[str, list[Any]]:
    """Key of the recipe → its value in each run, of those that are not the same in all."""
    flat = [
        {dotted(key): value for key, value in leaves(recipe_of(told.first)) if key} for told in each
    ]
    found = {}
    for key in varying.varying(json.loads(json.dumps(flat, default=str))):
        values = [varying.value(one, key) for one in flat]
        if key != "relative_to" and not key.startswith("run."):
            found[key] = [None if v is None else differences.shortened(v, 80) for v in values]
    return found


def _differences(each: Sequence[Source], names: Sequence[str]) -> list[dict[str, str]]:
    """In what else each run differs from the first, in words."""
    return [
        {"run": name, "about": one.about, "text": str(one)}
        for name, told in zip(names[1:], each[1:], strict=True)
        for one in differences.differences(each[0].first, told.first, about=_OTHERS)
    ]


def _split(split: str, found: Tested, each: Sequence[Source], tell: Tell) -> dict[str, Any]:
    """The metrics of each run on a split, and each run against the first that was tested on it."""
    told = dict(zip(verdict.letters(len(each)), each, strict=True))
    notes: list[str] = []
    whole = {name: table for name, file in found.items() if (table := _read(file, name, notes))}
    notes += _unlike(whole)
    read = {name: _judged(table) for name, table in whole.items()}
    known = next((_names(table, notes) for table in read.values()), [])
    wanted = _wanted(next(iter(told.values())), known)
    metrics: dict[str, dict[str, Any]] = {}
    for name, table in read.items():
        tell(f"intervals of run {name} on {split}")
        for metric, interval in _intervals(table, wanted, notes, name).items():
            metrics.setdefault(metric, {})[name] = asdict(interval)
    tell(f"comparing the runs on {split}")
    said = {name: measured(told[name], file) for name, file in found.items()}
    return {
        "split": split, "runs": list(found), "metrics": metrics, "said": said,
        "rows": {name: len(table) for name, table in read.items()},
        "comparisons": _comparisons(read, wanted, notes), "notes": notes,
    }  # fmt: skip


def _read(file: Predicted, name: str, notes: list[str]) -> pa.Table | None:
    """All columns; None, and a note, where it cannot be read."""
    try:
        table = file.table()
        tables.head_of(table.schema)
    except MlrecipeError as error:
        notes.append(f"{name}: {error}")
        return None
    if not file.is_whole:
        notes.append(f"{name} was stopped: only {len(table):,} rows were tested")
    return table


def _judged(table: pa.Table) -> pa.Table:
    """The columns that metrics hang on."""
    return table.select([column for column in tables.OWN if column in table.column_names])


def _unlike(tested: dict[str, pa.Table]) -> Iterator[str]:
    """Which runs were not tested on the same data as the first, by the columns that were kept."""
    if len(tested) < 2:
        return
    (first, ours), *others = tested.items()
    for name, theirs in others:
        try:
            found = significance.unlike(ours, theirs)
        except MlrecipeError:  # `_comparisons` says so
            continue
        if found:
            said = "; ".join(map(str, found))
            yield f"{first} and {name} were not tested on the same data: {said}"


def _names(table: pa.Table, notes: list[str]) -> list[str]:
    try:
        return significance.names(table)
    except MlrecipeError as error:
        notes.append(str(error))
        return []


def _wanted(first: Source, known: Sequence[str]) -> list[str]:
    train = recipe_of(first.first).get("train", {})
    watched = splits.watched(str(train.get("monitor", "")), train.get("valid_split"))
    main = [name for name in [watched.partition("/")[2]] if name in known]
    return list(dict.fromkeys([*main, *known]))[:MOST_METRICS]


def _intervals(
    table: pa.Table, wanted: Sequence[str], notes: list[str], name: str
) -> dict[str, significance.Interval]:
    try:
        return significance.intervals(table, list(wanted))
    except MlrecipeError as error:
        notes.append(f"{name}: {error}")
        return {}


def _comparisons(
    read: dict[str, pa.Table], wanted: Sequence[str], notes: list[str]
) -> list[dict[str, Any]]:
    """Each run against the first, metric by metric, the p-values of a metric corrected for all of them."""
    if len(read) < 2 or not wanted:
        return []
    (first, ours), *others = read.items()
    made: dict[str, list[significance.Comparison]] = {metric: [] for metric in wanted}
    for name, theirs in others:
        try:
            pairs = compare_all(
                ours, theirs, list(wanted), Drawing(resamples=_RESAMPLES), names=(first, name)
            )
        except MlrecipeError as error:
            notes.append(f"{first} and {name} cannot be compared: {error}")
            continue
        for metric, one in pairs.items():
            made[metric].append(one)
    return [_comparison(one) for found in made.values() for one in adjusted(found)]


def _comparison(one: significance.Comparison) -> dict[str, Any]:
    interval = one.interval
    found = {
        "metric": one.metric, "first": one.names[0], "second": one.names[1], "a": one.a, "b": one.b,
        "difference": one.difference, "low": interval.low, "high": interval.high,
        "interval": interval.method, "p_value": one.p_value, "p_adjusted": one.p_adjusted,
        "test": one.test, "rows": one.rows, "differ": one.differ, "better": one.better, "verdict": one.verdict,
    }  # fmt: skip
    return {
        n: None if isinstance(v, float) and not math.isfinite(v) else v for n, v in found.items()
    }
