"""The end of a command that trained or tested: metrics, where everything is, and what to do next."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlrecipe.cli import render, reported
from mlrecipe.cli.session import Session
from mlrecipe.recipe.project import shown
from mlrecipe.runs import loading
from mlrecipe.runs.run import Run

_LINES = 40
"""Lines of a command that goes well, in all; the tables of a test take what is left of them."""

_REPORT = "report"
"""How the line of a test's report begins; where its tables do not fit it says how to see them instead."""


def close(session: Session, runs: Sequence[Run], *, as_json: bool) -> None:
    """The closing table: metrics, and where everything is."""
    if as_json:
        render.document([_facts(run, session.project) for run in runs])
        return
    if numbers := _numbers([render.metrics(metrics(run)) for run in runs]):
        render.out()
        for line in render.columns(numbers):
            render.out(line)
    places = [place for run in runs for place in _places(run, session.here)]
    following = _next(runs[-1], session)
    places += [("next", following)] if following else []
    if not reported.show(runs[-1], lines=_LINES - render.written() - len(places) - 1):
        tables = ("tables", f"mlrecipe runs show {runs[-1].id}")
        places = [tables if name == _REPORT else (name, place) for name, place in places]
    render.out()
    for line in render.columns(places):
        render.out(line)


def _numbers(each: Sequence[Sequence[Sequence[str]]]) -> list[Sequence[str]]:
    """The metrics of runs, one below the other; those of a training and its test side by side, if alike."""
    names = [[name.partition("/")[2] for name, _ in found] for found in each]
    if len(each) == 2 and names[0] == names[1]:
        return [(*first, *second) for first, second in zip(*each, strict=True)]
    return [pair for found in each for pair in found]


def _places(run: Run, here: Path) -> list[tuple[str, str]]:
    folder = shown(run.folder, here=here)
    if run.facts["stage"] == "test":
        tested = f"{run.facts['checkpoint']} checkpoint of {run.facts['parent']}, {run.facts['rows']:,} rows"
        found = _predictions(run, folder)
        if found and (run.folder / reported.FILE).is_file():
            found.append((_REPORT, f"{folder}/{reported.FILE}"))
        return [("tested", tested), *(found or [("run", folder)])]
    facts = run.facts
    speed = f"{facts['examples_per_second']:,.0f} examples/s"
    is_module = "batch_fill" not in facts
    if not is_module:
        speed += f", batches {facts['batch_fill']:.0%} full"
    is_theirs = loading.kind_of(run.folder / "checkpoints" / "best") == "transformers"
    kind = " (a Hugging Face model folder)" if is_theirs and not is_module else ""
    return [
        ("trained", f"{facts['stopped']} in {render.duration(facts['seconds'])}, {speed}"),
        ("run", folder),
        ("model", f"{folder}/checkpoints/best{kind}"),
    ]


def _predictions(run: Run, folder: str) -> list[tuple[str, str]]:
    """Where the predictions are, of each split; those that have no labels are told apart."""
    splits = list(run.facts.get("splits") or [run.facts.get("split")])
    several = len(splits) > 1
    files = [f"predictions-{name}.arrow" if several else "predictions.arrow" for name in splits]
    unlabelled = run.facts.get("unlabelled", ())
    return [
        ("predictions", f"{folder}/{file}" + ": no labels, no metrics" * (name in unlabelled))
        for name, file in zip(splits, files, strict=True) if (run.folder / file).is_file()
    ]  # fmt: skip


def _facts(run: Run, project: Path) -> dict[str, Any]:
    return {
        "run": run.id,
        "stage": run.facts["stage"],
        "folder": run.folder.relative_to(project).as_posix(),
        "metrics": metrics(run),
    }


def metrics(run: Run) -> dict[str, float]:
    """What a run's `metrics.json` says."""
    found: dict[str, float] = json.loads((run.folder / "metrics.json").read_text(encoding="utf-8"))
    return found


def _next(run: Run, session: Session) -> str | None:
    """The command that uses what a run has made, if there is one."""
    name = shlex.quote(session.shown)
    if run.facts["stage"] == "train":
        return f"mlrecipe test {name} --run {run.id}"
    parent = run.facts["parent"]
    if "split" not in run.facts:  # a LightningModule's loaders choose the rows
        return None
    return f"mlrecipe predict {parent} --input FILE --output FILE"
