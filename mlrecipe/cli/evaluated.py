"""What an evaluation came to, as the terminal shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlrecipe.cli import amounts, closing, render
from mlrecipe.cli.session import Session
from mlrecipe.pipeline import evaluation
from mlrecipe.recipe.project import shown
from mlrecipe.runs.run import Run


def close(session: Session, run: Run, found: Mapping[str, Any], *, as_json: bool) -> None:
    """The metrics of evaluation nodes, where they are and how to see more."""
    metrics = closing.metrics(run)
    if as_json:
        folder = run.folder.relative_to(session.project).as_posix()
        render.document({"run": run.id, "folder": folder, "nodes": found, "metrics": metrics})
        return
    own = evaluation.metrics_in(run, metrics)
    measured = {name: value for name, value in metrics.items() if name not in own}
    if metrics:
        render.out()
    for block in (render.metrics(measured), closing.amounts(own)):
        for line in render.columns(block):
            render.out(line)
    render.out()
    for line in render.columns(_places(session, run, found)):
        render.out(line)


def _places(session: Session, run: Run, found: Mapping[str, Any]) -> list[tuple[str, str]]:
    folder = shown(run.folder, here=session.here)
    places = [("evaluated", amounts.tested(run) or run.id), *closing.files(run, folder)]
    if found:
        node = next(iter(found))
        places.append(("look", f"mlrecipe inspect {node} {session.shown} --run {run.id}"))
    return [*places, ("next", f"mlrecipe report {run.id}")]
