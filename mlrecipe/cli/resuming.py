"""`mlrecipe train --resume`: which run goes on, and with which recipe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from mlrecipe.cli import render
from mlrecipe.cli.session import Session, Settings, quiet_libraries
from mlrecipe.errors import RequestError
from mlrecipe.pipeline import stages
from mlrecipe.pipeline.explain import shorten
from mlrecipe.pipeline.request import Request, open_request
from mlrecipe.recipe.resolved import resolved
from mlrecipe.recipe.schema import Overrides
from mlrecipe.runs import run as running
from mlrecipe.runs.manifest import RECIPE, inputs_of, overrides_of
from mlrecipe.runs.run import Run
from mlrecipe.store import flocks, handles, locks
from mlrecipe.store.records import Record

_HARMLESS = ("train.resume_every", "train.save_every")
"""Keys that change nothing of what a training computes."""

LOCK = ".resuming"
"""File of a run directory, while a process goes on with the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """A run that goes on."""

    run: Run

    request: Request
    """Its own recipe, with what is overridden now."""

    then: Request
    """Its own recipe."""


def check_options(*, resume: bool, others: Mapping[str, object]) -> None:
    """Raise for options that do not go with `--resume`; `others` are those, with what they were given.

    Raises:
        RequestError: one of them is there, or a run is named and nothing is to be resumed.
    """
    if not resume:
        raise RequestError("--run names the run to resume: it goes with --resume")
    for option, value in others.items():
        if value:
            message = f"{option}: a resumed run goes on with the data that it began with"
            raise RequestError(message, hint="to train anew leave --resume out")


def choose(
    session: Session, run_id: str | None, overrides: Overrides, settings: Settings
) -> Resumed:
    """The run that is to go on, with its own recipe; says where today's differs.

    Raises:
        RequestError: there is none to resume, or what is overridden would change what is computed.
    """
    run = _interrupted(session) if run_id is None else _named(session, run_id)
    overrides = _without_those_of(run, overrides)
    path, name = run.folder / RECIPE, str(run.facts["recipe"])
    if not path.is_file():
        message = f"run {run.id} was stopped before it had begun: there is nothing to resume"
        raise RequestError(message, hint=f"train anew: mlrecipe train {session.shown}")
    here, memo = session.here, session.store.memo
    then = open_request(path, here=here, memo=memo, name=name)
    request = open_request(path, overrides, here=here, memo=memo, name=name)
    _check_overrides(then, request)
    warn_of_changes(session, run, then, settings)
    quiet_libraries(is_offline=settings.is_offline or not request.hub_ids)
    return Resumed(run=run, request=request, then=then)


@contextmanager
def held(run: Run) -> Iterator[None]:
    """Keep other processes from going on with the run in the block.

    Raises:
        RequestError: another one does, or has finished it meanwhile.
    """
    path = run.folder / LOCK
    try:
        handle = flocks.take(path)
    except OSError:  # a file system without locks: what `run.json` says must do
        yield
        return
    if handle is None:
        who = handles.read(path).strip() or "another process"
        raise RequestError(f"run {run.id} is being resumed: {who} goes on with it")
    try:
        now = running.read(run.folder)
        if now is not None and now.status == "finished":  # by the one that held it
            raise RequestError(f"run {run.id} {_state(now)}: there is nothing to resume")
        yield
    finally:
        locks.release(path, handle)


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
        return session.open(overrides, settings=settings, needs_files=False)
    except RequestError:
        if not overrides:
            raise
        return session.open(None, settings=settings, needs_files=False)


def _without_those_of(run: Run, overrides: Overrides) -> Overrides:
    """What is overridden beyond what the run's own command line said: its recipe says that already.

    Raises:
        RequestError: another variant is picked, and the run's recipe has none.
    """
    own = overrides_of(run)
    picks = [pick for pick in overrides.picks if pick not in own.picks]
    if picks:
        raise _refused(f"--pick {picks[0]}")
    return replace(
        overrides, picks=(),
        sets=tuple(text for text in overrides.sets if text not in own.sets),
        unsets=tuple(text for text in overrides.unsets if text not in own.unsets),
    )  # fmt: skip


def _check_overrides(then: Request, now: Request) -> None:
    """Raise unless what is overridden says what the run's recipe says, or does no harm."""
    values = (resolved(request.loaded, request.catalog) for request in (then, now))
    moved = [
        f"{key} {shorten(old)} → {shorten(new)}"
        for key, old, new in stages.differences(*values)
        if key not in _HARMLESS
    ]
    if moved:
        raise _refused("; ".join(moved))


def _refused(what: str) -> RequestError:
    return RequestError(
        f"{what}: a resumed run keeps the recipe that it began with; only "
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
