"""`mlrecipe runs sync`: runs that were tracked offline, sent to Weights & Biases."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mlrecipe.cli import render
from mlrecipe.cli.options import Json
from mlrecipe.cli.session import Session
from mlrecipe.errors import RequestError
from mlrecipe.recipe.project import shown
from mlrecipe.runs import run as running
from mlrecipe.runs.run import Run
from mlrecipe.training.tracking import syncing


def sync(
    ids: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Runs: an id, or how it ends.", show_default=False),
    ],
    is_dry: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be sent.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Send runs that were tracked offline to Weights & Biases: metrics, and where models came from.

    Of a test run its training is sent, of a repeat run all its trainings. What
    was sent before is not sent again. Data, checkpoints and predictions stay
    here: W&B is told of them by name and digest.

    Example: mlrecipe runs sync 20261121T160313Z-imdb-train-ee02
    """
    session = Session.in_folder()
    chosen = [syncing.kept(run) for run in _trainings(session, ids)]
    for what in chosen if is_dry else ():
        for part in () if as_json else what.parts:
            state = "would be sent" if part in what.unsent else "was sent"
            render.out(f"{shown(part, here=session.here)}: {state}")
    if is_dry:
        if as_json:
            render.document([_facts(what, what.unsent, sent=(), linked=()) for what in chosen])
        return
    syncing.check_ready()
    facts = []
    for what in chosen:
        unsent = what.unsent
        render.say(f"sending {what.run.id} …")
        with render.working():
            if unsent:
                syncing.send(what, unsent)
            linked = syncing.link(what)
        facts.append(_facts(what, (), sent=unsent, linked=linked))
        if as_json:
            continue
        render.out(f"{what.run.id}: sent to W&B project {what.project!r} as {what.id}")
        render.say(f"with references to {', '.join(linked) or 'nothing'}")
    if as_json:
        render.document(facts)


def _facts(
    what: syncing.Kept, unsent: Sequence[Path], *, sent: Sequence[Path], linked: Sequence[str]
) -> dict[str, Any]:
    """What was sent of a run, or would be, as JSON has it; files with the folder that W&B gave them."""
    files = {"sent": sent, "unsent": unsent}
    named = {key: [f"{path.parent.name}/{path.name}" for path in files[key]] for key in files}
    return {
        "run": what.run.id, "project": what.project, "id": what.id, **named, "linked": list(linked),
    }  # fmt: skip


def _trainings(session: Session, ids: list[str]) -> list[Run]:
    """The train runs that are meant, each once."""
    found: dict[str, Run] = {}
    for run_id in ids:
        run = running.find(session.project, run_id)
        for each in _trainings_of(session, run):
            if each.status == "running":
                raise RequestError(f"run {each.id} is going on", hint="wait until it has ended")
            found[each.id] = each
    return list(found.values())


def _trainings_of(session: Session, run: Run) -> list[Run]:
    stage, parent = run.facts.get("stage"), run.facts.get("parent")
    if stage == "test" and parent:
        return [running.find(session.project, str(parent))]
    if stage == "repeat":
        return [r for r in running.every(session.project) if r.facts.get("group") == run.id]
    return [run]
