"""`mlrecipe runs compare`: whether one run is better than another, by how much, and how sure that is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from mlrecipe.cli import compared, groups, render
from mlrecipe.cli.options import Json
from mlrecipe.cli.session import Session
from mlrecipe.errors import DataError, MlrecipeError, RequestError, did_you_mean
from mlrecipe.pipeline import evaluation
from mlrecipe.runs import predictions, results
from mlrecipe.runs import run as running
from mlrecipe.runs.run import Run

if TYPE_CHECKING:
    import pyarrow as pa

    from mlrecipe.significance import Comparison, Drawing, Unlike

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_PATIENCE = 2.0
"""Seconds without a sign of life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the runs that are compared."""

    name: str
    """What it is called here: `a`, `b` …"""

    chosen: Run
    """The run that was named."""

    test: Run
    """The test whose predictions are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line says."""

    metrics: Sequence[str]
    split: str | None
    is_every_pair: bool
    is_common: bool
    confidence: float
    resamples: int
    seed: int


def compare(
    ids: Annotated[
        list[str],
        typer.Argument(metavar="A B...", help="Runs: an id, or how it ends. A train run means its "
                       "newest finished test.", show_default=False),
    ],
    metrics: Annotated[
        list[str] | None,
        typer.Option("--metric", metavar="NAME", help="Compare by this metric; may be given several times. By "
                     "default by those that the runs were tested by.", show_default=False),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option("--split", metavar="NAME", help="Only this split of several.", show_default=False),
    ] = None,
    is_every_pair: Annotated[
        bool, typer.Option("--pairs", help="Compare every pair, not only each run with the first.")
    ] = False,
    is_common: Annotated[
        bool, typer.Option("--common", help="Leave out rows that only one of two runs was tested on.")
    ] = False,
    confidence: Annotated[
        float, typer.Option("--confidence", metavar="SHARE", help="Of the intervals.")
    ] = 0.95,
    resamples: Annotated[
        int,
        typer.Option("--resamples", metavar="N", help="Draws of a randomization test; of areas and rank "
                     "correlations of many rows fewer are made."),
    ] = 10000,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the draws.")] = 0,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Compare runs on the same tested rows: difference, interval, p-value, and what may be said.

    Looks at stored predictions: no model is loaded. Groups of trainings
    (`train.repeat`) are compared by the means over their seeds.

    Example: mlrecipe runs compare ee02 569c --metric accuracy
    """
    session = Session.in_folder()
    chosen = _chosen(session, ids)
    asked = Asked(
        metrics=metrics or (), split=split, is_every_pair=is_every_pair, is_common=is_common,
        confidence=confidence, resamples=resamples, seed=seed,
    )  # fmt: skip
    if any(run.facts.get("stage") == groups.STAGE for run in chosen):
        groups.compare(session, dict(zip(_LETTERS, chosen, strict=False)), asked, as_json=as_json)
        return
    sides = [
        Side(name=name, chosen=run, test=predictions.tested(session.project, run))
        for name, run in zip(_LETTERS, chosen, strict=False)
    ]
    _check_distinct([side.test for side in sides])
    found = {name: _of_split(sides, name, asked) for name in _splits(sides, split)}
    rows = {name: _of_rows(sides, name, asked) for name in found}
    shown = compared.Compared(sides=sides, splits=found, rows=rows, confidence=confidence)
    (compared.document if as_json else compared.show)(session, shown)


def _chosen(session: Session, ids: Sequence[str]) -> list[Run]:
    if not 2 <= len(ids) <= len(_LETTERS):
        few = len(ids) < 2
        message = "there is nothing to compare it with" if few else "so many runs have no names"
        hint = "mlrecipe runs compare A B" if few else f"at most {len(_LETTERS)}"
        raise RequestError(message, hint=hint)
    chosen = [running.find(session.project, text) for text in ids]
    _check_distinct(chosen)
    return chosen


def _check_distinct(runs: Sequence[Run]) -> None:
    twice = next((run for i, run in enumerate(runs) if run.id in {r.id for r in runs[:i]}), None)
    if twice is not None:
        raise RequestError(
            f"run {twice.id} would be compared with itself",
            hint="a train run means its newest test: name two trainings, or two tests",
        )


def _splits(sides: Sequence[Side], wanted: str | None) -> list[str]:
    """The splits that all were tested on, or the one that is wanted."""
    for side in sides:
        if not predictions.files(side.test):
            raise RequestError(f"run {side.test.id} has no predictions: {predictions.NO_ROWS}")
        predictions.check(side.test)
    known = [predictions.labelled(side.test) for side in sides]
    shared = [name for name in known[0] if all(name in other for other in known)]
    if wanted is not None and wanted not in shared:
        hint = did_you_mean(wanted, shared)
        raise RequestError(f"--split: not all were tested on {wanted!r}, with labels", hint=hint)
    if not shared:
        told = "; ".join(
            f"{side.name} on {', '.join(map(repr, names)) or 'none'}"
            for side, names in zip(sides, known, strict=True)
        )
        raise RequestError(f"no labelled split was tested by all: {told}")
    return shared if wanted is None else [wanted]


def _of_split(sides: Sequence[Side], split: str, asked: Asked) -> dict[str, list[Comparison]]:
    """Metric → a comparison of each pair."""
    from mlrecipe import significance
    from mlrecipe.significance.tested import load

    tables = {side.name: load(predictions.labelled(side.test)[split]) for side in sides}
    names = _metrics(tables, sides, split, asked)
    found: dict[str, list[Comparison]] = {name: [] for name in names}
    drawing = _drawing(asked)
    for pair in compared.pairs([side.name for side in sides], is_every_pair=asked.is_every_pair):
        try:
            each = significance.compare_all(
                tables[pair[0]], tables[pair[1]], names, drawing, names=pair, is_common=asked.is_common,
                hear=_signs_of_life(pair),
            )  # fmt: skip
        except DataError as error:
            raise _of_pair(error, pair, sides) from error
        for name, comparison in each.items():
            found[name].append(comparison)
    return {name: significance.adjusted(each) for name, each in found.items()}


def _of_rows(
    sides: Sequence[Side], split: str, asked: Asked
) -> dict[tuple[str, str], list[Unlike] | None]:
    """Pair → the columns by which its tested rows are not the same; None where none were kept to tell."""
    from mlrecipe.significance import alike, tested

    tables = {side.name: tested.kept(predictions.labelled(side.test)[split]) for side in sides}
    found: dict[tuple[str, str], list[Unlike] | None] = {}
    for a, b in compared.pairs(list(tables), is_every_pair=asked.is_every_pair):
        is_told = alike.columns(tables[a], tables[b])
        found[a, b] = alike.unlike(tables[a], tables[b]) if is_told else None
    return found


def _drawing(asked: Asked) -> Drawing:
    from mlrecipe.significance import Drawing

    try:
        return Drawing(resamples=asked.resamples, seed=asked.seed, confidence=asked.confidence)
    except DataError as error:
        raise RequestError(f"--{error.key}: {error.message}", hint=error.hint) from error


def _metrics(
    tables: Mapping[str, pa.Table], sides: Sequence[Side], split: str, asked: Asked
) -> list[str]:
    """Those asked for, else those that all the runs were tested by, else the most important one."""
    from mlrecipe import significance

    known = significance.names(tables[sides[0].name])
    for name in asked.metrics:
        if name not in known:
            message = f"--metric: {name!r} cannot be computed of these predictions"
            raise RequestError(message, hint=did_you_mean(name, known))
    if asked.metrics:
        return list(dict.fromkeys(asked.metrics))
    said = [_reported(side.test, split) for side in sides]
    shared = [name for name in said[0] if all(name in other for other in said)]
    _tell_left_out(sides[0].test, [name for name in shared if name not in known])
    return [name for name in shared if name in known] or known[:1]


def _reported(run: Run, split: str) -> list[str]:
    """The metrics that a run was tested by, in the order of its recipe."""
    order = _ordered(run)
    found = next((list(r.metrics) for r in results.results(run) if r.split == split), [])
    return sorted(found, key=lambda name: order.index(name) if name in order else len(order))


def _ordered(run: Run) -> list[str]:
    """The metrics that a run's recipe names."""
    task = results.recipe_of(run).get("task", {})
    found = task.get("metrics", []) if isinstance(task, dict) else []
    return found if isinstance(found, list) else []


def _tell_left_out(run: Run, names: Sequence[str]) -> None:
    """Say which of the recipe's own metrics cannot be computed of predictions."""
    parts = [(name, *name.rpartition("/")[::2]) for name in names]
    nodes = results.recipe_of(run).get("evaluate", {}).get("nodes", {})
    # What was evaluated may be newer than the recipe of the run.
    nodes = {*nodes, *(name.rpartition("/")[2] for name in evaluation.of(run))}
    own = [name for name, of, metric in parts if metric in _ordered(run) and of not in nodes]
    if own:
        render.warn(f"not compared, for predictions do not tell it: {', '.join(own)}")


def _of_pair(error: DataError, pair: tuple[str, str], sides: Sequence[Side]) -> MlrecipeError:
    """The error, with the runs that it is about."""
    ids = {side.name: side.test.id for side in sides}
    message = f"{ids[pair[0]]} and {ids[pair[1]]}: {error.message}"
    key = None if error.key is None else f"--{error.key}"
    return RequestError(message, key=key, hint=error.hint)


def _signs_of_life(pair: tuple[str, str]) -> Callable[[str], None]:
    """Says what is worked on, where that takes longer than one waits in silence."""
    last = time.monotonic()

    def hear(metric: str) -> None:
        nonlocal last
        if time.monotonic() - last > _PATIENCE:
            last = time.monotonic()
            render.say(f"{pair[0]} and {pair[1]}: {metric} …")

    return hear
