"""Compared: what a comparison of runs says, on the terminal and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from mlrecipe.cli import render
from mlrecipe.cli.session import Session
from mlrecipe.recipe.project import shown
from mlrecipe.runs import differences
from mlrecipe.runs.run import Run

if TYPE_CHECKING:
    from mlrecipe.cli.compare import Side
    from mlrecipe.significance import Comparison, Unlike

_MOST = 4
"""Differences of two recipes that are told."""

_LEARNT = " (the tested rows are the same: what differs in data was only learnt from)"

_ABOUT: tuple[differences.About, ...] = ("recipe", "code", "data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Runs, and what came of comparing them."""

    sides: Sequence[Side]
    splits: Mapping[str, Mapping[str, Sequence[Comparison]]]
    """Split → metric → a comparison of each pair."""

    rows: Mapping[str, Mapping[tuple[str, str], Sequence[Unlike] | None]]
    """Split → pair → the columns by which its tested rows are not the same; None where that is not known."""

    confidence: float


def pairs(names: Sequence[str], *, is_every_pair: bool) -> list[tuple[str, str]]:
    """Which are compared: all others with the first, or every two."""
    if is_every_pair:
        return list(combinations(names, 2))
    return [(names[0], other) for other in names[1:]]


def show(session: Session, found: Compared) -> None:
    """Print which runs these are, a table for each split, and what may be said."""
    for line in render.columns(_heading(session, found.sides), indent=""):
        render.out(line)
    same = [side.name for side in found.sides[1:] if _is_same(found, side.name)]
    for line in told_apart([(side.name, side.test) for side in found.sides], same=same):
        render.out(line)
    for split, metrics in found.splits.items():
        render.out()
        _table(split, metrics)
        render.out()
        for line in _verdicts(metrics):
            render.out(line)
        for line in _doubts(found, split):
            render.out(render.styled(f"warning: {line}", "yellow"))
    render.out()
    for line in _notes(found):
        render.out(render.styled(line, "dim"))


def document(session: Session, found: Compared) -> None:
    """The same as JSON."""
    first = found.sides[0]
    render.document({
        "runs": [
            {"name": side.name, "run": side.chosen.id, "test": side.test.id,
             "recipe": side.test.facts.get("recipe"),
             "folder": side.test.folder.relative_to(session.project).as_posix()}
            for side in found.sides
        ],
        "differences": {
            side.name: differing(first.test, side.test) for side in found.sides[1:]
        },
        "splits": {
            split: [facts(each) for comparisons in metrics.values() for each in comparisons]
            for split, metrics in found.splits.items()
        },
        "warnings": [text for split in found.splits for text in _doubts(found, split)],
        "correction": "Holm" if _has_several(found) else None,
    })  # fmt: skip


def facts(found: Comparison) -> dict[str, Any]:
    """A comparison in what JSON has."""
    interval = found.interval
    return {
        "metric": found.metric, "names": list(found.names), "a": found.a, "b": found.b,
        "difference": found.difference, "low": interval.low, "high": interval.high,
        "confidence": interval.confidence, "interval": interval.method,
        "p_value": found.p_value, "p_adjusted": found.p_adjusted, "test": found.test,
        "resamples": found.resamples, "rows": found.rows, "differ": found.differ,
        "counts": None if found.counts is None else dict(found.counts), "found": found.found,
        "better": found.better, "verdict": found.verdict,
    }  # fmt: skip


def differing(a: Run, b: Run) -> list[dict[str, Any]]:
    """In what the second differs from the first, in what JSON has."""
    return [
        {"about": each.about, "name": each.name, "a": each.then, "b": each.now}
        for each in _differences(a, b)
    ]


def told_apart(runs: Sequence[tuple[str, Run]], *, same: Sequence[str] = ()) -> Iterator[str]:
    """A line for each run but the first: in what it differs from that; `same` were tested on the same rows."""
    (first, one), *others = runs
    for name, run in others:
        every = _differences(one, run)
        found = [str(each) for each in every]
        told = "; ".join(found[:_MOST]) or "nothing that is known"
        rest = len(found) - _MOST
        more = f"; {rest} more: mlrecipe runs diff {one.id} {run.id}" if rest > 0 else ""
        is_learnt = name in same and any(each.about == "data" for each in every)
        yield f"{name} differs from {first} in: {told}{more}{_LEARNT if is_learnt else ''}"


def _is_same(found: Compared, name: str) -> bool:
    """Whether a run and the first were tested on the same rows, as far as what was kept of them tells."""
    pair = (found.sides[0].name, name)
    return all(each[pair] is not None and not each[pair] for each in found.rows.values())


def _doubts(found: Compared, split: str) -> Iterator[str]:
    """What speaks against comparing: pairs whose tested rows are not the same, or may not be."""
    tests = {side.name: side.test for side in found.sides}
    for (a, b), unlike in found.rows[split].items():
        if unlike:
            said = "; ".join(map(str, unlike))
            yield f"{a} and {b} were not tested on the same data: {said}"
        elif unlike is None and (files := _files(tests[a], tests[b])):
            yield (
                f"{a} and {b} may not have been tested on the same data, for no columns of the rows were kept "
                f"and files differ: {', '.join(files[:_MOST])}"
            )


def _files(a: Run, b: Run) -> list[str]:
    """The files that two runs read and that are not the same."""
    found = differences.differences(a, b, about=["data"])
    return [each.name for each in found if not differences.is_output(each)]


def _differences(a: Run, b: Run) -> list[differences.Difference]:
    """Those that predictions can hang on: what is made of them afterwards is left out."""
    found = differences.differences(a, b, about=_ABOUT)
    return [
        each for each in found
        if not (each.about == "recipe" and f"{each.name}.".startswith("evaluate."))
    ]  # fmt: skip


def _heading(session: Session, sides: Sequence[Side]) -> Iterator[Sequence[str]]:
    for side in sides:
        recipe, folder = str(side.test.facts.get("recipe", "")), side.test.folder
        yield (render.styled(side.name, "bold"), shown(folder, here=session.here), recipe)


def _table(split: str, metrics: Mapping[str, Sequence[Comparison]]) -> None:
    from mlrecipe.significance.verdict import signed

    every = [each for comparisons in metrics.values() for each in comparisons]
    rows = {each.rows for each in every}
    count = f"{min(rows):,} rows" if len(rows) == 1 else f"{min(rows):,} to {max(rows):,} rows"
    render.out(f"split {split}, {count} with a label")
    header = (
        "metric", "pair", "first", "second", "difference", f"{_percent(every[0])} interval", "p", "better",
    )  # fmt: skip
    render.grid(header, [
        (each.metric, " ".join(each.names), _number(each.a), _number(each.b),
         signed(each.difference), _bounds(each), _p(each), each.better or "not told")
        for each in every
    ])  # fmt: skip


def _verdicts(metrics: Mapping[str, Sequence[Comparison]]) -> Iterator[str]:
    """Of the first metric in full: it is the one that was meant to decide."""
    for each in next(iter(metrics.values())):
        yield each.verdict


def _notes(found: Compared) -> Iterator[str]:
    every = [
        each for metrics in found.splits.values() for of in metrics.values() for each in of
    ]  # fmt: skip
    tests = list(dict.fromkeys(each.test for each in every))
    said = f"p: {', '.join(tests)}"
    if _has_several(found):
        said += f"; after Holm's correction for {_pairs(found)} pairs"
    yield said
    if _has_several(found):
        yield (
            "each interval is for itself, not corrected: it may leave out 0 where p tells nothing; "
            "`better` goes by p"
        )
    yield (
        "interval and p tell what other rows would give, not what another seed would: "
        "for that compare groups of `train.repeat`"
    )


def _has_several(found: Compared) -> bool:
    return _pairs(found) > 1


def _pairs(found: Compared) -> int:
    return max(len(each) for metrics in found.splits.values() for each in metrics.values())


def _percent(found: Comparison) -> str:
    return f"{found.interval.confidence * 100:.4g} %"


def _bounds(found: Comparison) -> str:
    from mlrecipe.significance.intervals import ALIKE
    from mlrecipe.significance.verdict import signed

    if math.isnan(found.interval.low):
        return "all resamples agree" if found.interval.method == ALIKE else "not known"
    return f"{signed(found.interval.low)} to {signed(found.interval.high)}"


def _p(found: Comparison) -> str:
    if math.isnan(found.p_value):
        return "not known"
    return "<0.001" if found.p_adjusted < 0.001 else f"{found.p_adjusted:.3f}"


def _number(value: float) -> str:
    return f"{value:.4f}"
