"""The end of a command that trained or tested: metrics, where everything is, and what to do next."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mlrecipe.cli import render
from mlrecipe.cli.session import Session
from mlrecipe.recipe.project import shown
from mlrecipe.runs.run import Run


def close(session: Session, runs: Sequence[Run], *, as_json: bool) -> None:
    """The closing table: metrics, and where everything is."""
    if as_json:
        render.document([_facts(run, session.project) for run in runs])
        return
    rows = [pair for run in runs for pair in render.metrics(metrics(run))]
    render.out()
    for line in render.columns(rows):
        render.out(line)
    render.out()
    places = [place for run in runs for place in _places(run, session.here)]
    following = _next(runs[-1], session)
    for line in render.columns([*places, *([("next", following)] if following else [])]):
        render.out(line)


def _places(run: Run, here: Path) -> list[tuple[str, str]]:
    folder = shown(run.folder, here=here)
    if run.facts["stage"] == "test":
        tested = f"{run.facts['checkpoint']} checkpoint of {run.facts['parent']}, {run.facts['rows']:,} rows"
        if not (run.folder / "predictions.arrow").is_file():
            return [("tested", tested), ("run", folder)]
        return [("tested", tested), ("predictions", f"{folder}/predictions.arrow")]
    facts = run.facts
    speed = f"{facts['examples_per_second']:,.0f} examples/s"
    is_module = "batch_fill" not in facts
    if not is_module:
        speed += f", batches {facts['batch_fill']:.0%} full"
    kind = "" if is_module else " (a Hugging Face model folder)"
    return [
        ("trained", f"{facts['stopped']} in {render.duration(facts['seconds'])}, {speed}"),
        ("run", folder),
        ("model", f"{folder}/checkpoints/best{kind}"),
    ]


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
    from mlrecipe.cli.app import COMMANDS

    parent = run.facts["parent"]
    if "predict" in COMMANDS:
        return f"mlrecipe predict {name} --run {parent}"
    if "split" not in run.facts:  # a LightningModule's loaders choose the rows
        return None
    return f"mlrecipe test {name} --run {parent} --set test.split=…"
