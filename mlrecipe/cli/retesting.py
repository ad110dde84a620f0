"""`mlrecipe test --resume`: which test goes on, and with which recipe."""

from __future__ import annotations

from collections.abc import Mapping

from mlrecipe.cli import tested
from mlrecipe.cli.session import Session
from mlrecipe.errors import RequestError
from mlrecipe.pipeline import stages
from mlrecipe.pipeline.request import Request, open_request
from mlrecipe.recipe.schema import Overrides
from mlrecipe.runs import run as running
from mlrecipe.runs.kept import kept_rows
from mlrecipe.runs.manifest import RECIPE, inputs_of
from mlrecipe.runs.run import Run
from mlrecipe.store.records import Record

_STOPPED = ("interrupted", "crashed", "failed")


def check_options(overrides: Overrides, others: Mapping[str, object]) -> None:
    """Raise for what does not go with `--resume`; `others` are options, with what they were given.

    Raises:
        RequestError: one of them is there.
    """
    given = [text.partition(" ")[0] for text in overrides.typed]
    given += [option for option, value in others.items() if value]
    if given:
        message = f"{given[0]}: a resumed test goes on with the recipe and the checkpoint that it began with"
        raise RequestError(message, hint="to test anew leave --resume out")


def choose(session: Session, run_id: str | None) -> Run:
    """The test run that goes on: the one named, or the recipe's newest that was stopped.

    Raises:
        RequestError: there is none, or it cannot go on.
    """
    run = _newest(session) if run_id is None else _named(session, run_id)
    if not (run.folder / RECIPE).is_file():
        message = f"run {run.id} was stopped before it had begun: there is nothing to resume"
        raise RequestError(message, hint=f"test anew: mlrecipe test {session.shown}")
    return run


def request_of(session: Session, run: Run) -> tuple[Request, Run]:
    """The recipe that a test began with, and the train run that it is a test of.

    Raises:
        RequestError: the train run is not there any more.
    """
    parent = running.find(session.project, str(run.facts.get("parent")))
    request = open_request(
        run.folder / RECIPE, here=session.here, memo=session.store.memo,
        name=str(run.facts["recipe"]), checks=[tested.problems], needs_files=False,
    )  # fmt: skip
    return request, parent


def check_same(
    run: Run, parent: Run, request: Request, records: Mapping[str, Record], session: Session
) -> None:
    """Raise unless the rows are those that the test began with.

    Raises:
        RequestError: they are not.
    """
    if stages.test_fingerprint(request, records, parent.id) == run.facts.get("fingerprint"):
        return
    then = inputs_of(run)
    moved = [f"the output of node {name!r}" for name, record in records.items()
             if name in then and then[name]["digest"] != record.digest]  # fmt: skip
    raise RequestError(
        f"run {run.id} cannot go on: {', '.join(moved) or 'its recipe'} changed since it began",
        hint=f"test anew: mlrecipe test {session.shown} --run {parent.id}",
    )


def told(run: Run) -> str:
    """What to say of a test that goes on."""
    rows = kept_rows(run)
    if not rows:
        return f"run {run.id} had kept nothing yet; it begins anew"
    what = "row of it is" if rows == 1 else "rows of it are"
    return f"run {run.id} goes on; {rows:,} {what} tested already"


def _newest(session: Session) -> Run:
    """The newest test run of the recipe that was stopped."""
    name = session.path.relative_to(session.project).as_posix()
    runs = [run for run in running.every(session.project)
            if run.facts.get("stage") == "test" and run.facts.get("recipe") == name]  # fmt: skip
    for run in runs:
        if run.status in _STOPPED:
            return run
    if not runs:
        hint = f"test it first: mlrecipe test {session.shown}"
        raise RequestError(f"{session.shown} has no test run to resume", hint=hint)
    raise RequestError(
        f"{session.shown} has no stopped test run to resume; its newest, {runs[0].id}, is "
        f"{runs[0].status}"
    )


def _named(session: Session, run_id: str) -> Run:
    run = running.find(session.project, run_id)
    stage = run.facts.get("stage")
    if stage != "test":
        hint = "to test it leave --resume out" if stage == "train" else None
        raise RequestError(f"run {run.id} is a {stage} run, not a test run", hint=hint)
    name = session.path.relative_to(session.project).as_posix()
    if run.facts.get("recipe") != name:
        raise RequestError(f"run {run.id} is one of {run.facts.get('recipe')}, not of {name}")
    if run.status == "finished":
        raise RequestError(f"run {run.id} is finished: there is nothing to resume")
    if run.status == "running" and running.is_here(run):
        raise RequestError(f"run {run.id} is still running, as process {run.facts.get('pid')}")
    return run
