"""`mlrecipe train --resume`: which run goes on, and with which recipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mlrecipe.cli import render
from mlrecipe.cli.session import Session, Settings, quiet_libraries
from mlrecipe.errors import RequestError
from mlrecipe.pipeline import stages
from mlrecipe.pipeline.request import Request, open_request
from mlrecipe.recipe.resolved import resolved
from mlrecipe.recipe.schema import Overrides
from mlrecipe.runs import run as running
from mlrecipe.runs.manifest import RECIPE, inputs_of, overrides_of
from mlrecipe.runs.run import Run
from mlrecipe.store.records import Record

_HARMLESS = ("train.resume_every", "train.save_every")
"""Keys that change nothing of what a training computes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A run that goes on."""

    run: Run

    request: Request
    """Its own recipe, with what is overridden now."""

    then: Request
    """Its own recipe."""


def choose(
    session: Session, run_id: str | None, overrides: Overrides, settings: Settings
) -> Resumed:
    """The run that is to go on, with its own recipe; says where today's differs.

    Raises:
        RequestError: there is none to resume, or what is overridden would change what is computed.
    """
    _check_overrides(overrides)
    run = _interrupted(session) if run_id is None else _named(session, run_id)
    path, name = run.folder / RECIPE, str(run.facts["recipe"])
    if not path.is_file():
        message = f"run {run.id} was stopped before it had begun: there is nothing to resume"
        raise RequestError(message, hint=f"train anew: mlrecipe train {session.shown}")
    here, memo = session.here, session.store.memo
    then = open_request(path, here=here, memo=memo, name=name)
    request = open_request(path, overrides, here=here, memo=memo, name=name)
    warn_of_changes(session, run, then, settings)
    quiet_libraries(is_offline=settings.is_offline or not request.hub_ids)
    return Resumed(run=run, request=request, then=then)


def check_same(resumed: Resumed, records: Mapping[str, Record], session: Session) -> None:
    """Raise unless data, code and files are those that the run began with.

    Raises:
        RequestError: they are not; the message says which, where it is known.
    """
    print_ = stages.train_fingerprint(resumed.then, records, session.store.memo)
    run = resumed.run
    if print_ == run.facts.get("fingerprint"):
        return
    then = inputs_of(run)
    moved = [f"the output of node {name!r}" for name, record in records.items()
             if name in then and then[name]["digest"] != record.digest]  # fmt: skip
    what = ", ".join(moved) or "the model's files, or code of the project that it or its task uses,"
    raise RequestError(
        f"run {run.id} cannot go on: {what} changed since it began",
        hint=f"train anew: mlrecipe train {session.shown}",
    )


def warn_of_changes(session: Session, run: Run, then: Request, settings: Settings) -> None:
    """Say where the recipe has moved on since a run, whatever that run's command line changed in it."""
    try:
        now = _today(session, overrides_of(run), settings)
    except RequestError as error:
        render.warn(f"{session.shown} has changed since that run, and has problems now: {error}")
        return
    moved = stages.changes(resolved(then.loaded, then.catalog), resolved(now.loaded, now.catalog))
    if then.pins:
        from mlrecipe.pipeline import lockfile

        moved += lockfile.changes(then.pins, now.pins)
    if moved:
        more = f"; and {len(moved) - 8} more" if len(moved) > 8 else ""
        render.warn(f"{session.shown} has changed since that run: {'; '.join(moved[:8])}{more}")


def _today(session: Session, overrides: Overrides, settings: Settings) -> Request:
    """The recipe as it stands now, under a run's own overrides where they still fit it."""
    try:
        return session.open(overrides, settings=settings)
    except RequestError:
        if not overrides:
            raise
        return session.open(None, settings=settings)


def _check_overrides(overrides: Overrides) -> None:
    for text in overrides.typed:
        option, _, rest = text.partition(" ")
        key = rest.partition("=")[0].rstrip("+-").strip()
        if option not in ("--set", "--unset") or key not in _HARMLESS:
            raise RequestError(
                f"{text}: a resumed run keeps the recipe that it began with; only "
                f"{' and '.join(_HARMLESS)} can be changed",
                hint="to train with other settings leave --resume out",
            )


def _interrupted(session: Session) -> Run:
    """The newest train run of the recipe that was interrupted."""
    name = session.path.relative_to(session.project).as_posix()
    runs = [run for run in running.every(session.project)
            if run.facts.get("stage") == "train" and run.facts.get("recipe") == name]  # fmt: skip
    for run in runs:
        if run.status in ("interrupted", "crashed"):
            return run
    if not runs:
        hint = f"train it first: mlrecipe train {session.shown}"
        raise RequestError(f"{session.shown} has no train run to resume", hint=hint)
    raise RequestError(
        f"{session.shown} has no interrupted train run to resume; its newest, {runs[0].id}, "
        f"{_state(runs[0])}",
        hint=_how(runs[0]),
    )


def _named(session: Session, run_id: str) -> Run:
    """The run of that name, if it can go on: a failed one can, too, once its cause is mended."""
    run = running.find(session.project, run_id)
    if run.facts.get("stage") != "train":
        raise RequestError(f"run {run.id} is a {run.facts.get('stage')} run, not a train run")
    name = session.path.relative_to(session.project).as_posix()
    if run.facts.get("recipe") != name:
        raise RequestError(f"run {run.id} is one of {run.facts.get('recipe')}, not of {name}")
    if run.status == "finished" or (run.status == "running" and running.is_here(run)):
        raise RequestError(f"run {run.id} {_state(run)}: there is nothing to resume")
    return run


def _state(run: Run) -> str:
    if run.status != "running":
        return {"finished": "is finished", "failed": "has failed"}.get(run.status, run.status)
    where = "" if running.is_here(run) else f" on {run.facts.get('host')}"
    return f"is still running, as process {run.facts.get('pid')}{where}"


def _how(run: Run) -> str | None:
    if run.status == "failed":
        return f"once the cause is mended: --resume --run {run.id}"
    if run.status == "running" and not running.is_here(run):
        return f"if you know that it is not: --resume --run {run.id}"
    return None
