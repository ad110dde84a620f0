"""`mlrecipe evaluate`: a recipe's evaluation nodes over the stored predictions of a test run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from mlrecipe.cli import evaluated, remeasured, render, tested, tracked
from mlrecipe.cli.live import Series
from mlrecipe.cli.options import NONE, Force, Json, RecipeArgument
from mlrecipe.cli.prepare import carry_out
from mlrecipe.cli.session import Session, Settings
from mlrecipe.errors import RecipeError, RequestError, did_you_mean
from mlrecipe.graph.graph import Graph, check_paths
from mlrecipe.pipeline import evaluation
from mlrecipe.pipeline.evaluation import Target
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe.evaluation import is_source
from mlrecipe.recipe.keys import dotted
from mlrecipe.recipe.schema import Overrides
from mlrecipe.runs import predictions
from mlrecipe.runs import run as running
from mlrecipe.runs.manifest import RECIPE, overrides_of
from mlrecipe.runs.run import Run

_ALLOWED = ("--set evaluate.", "--unset evaluate.", "--set task.metrics", "--pick ")


def evaluate(
    ctx: typer.Context,
    recipe: RecipeArgument,
    run_id: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="ID",
            help="Evaluate this test run, or this train run's newest test, instead of the newest test.",
        ),
    ] = None,
    overrides: Overrides = NONE,
    force: Force = None,
    as_json: Json = False,
) -> None:
    """Evaluate the stored predictions of a test run again: no model is loaded.

    With the recipe as it is today: its evaluation nodes, of which only those run whose result is not in
    the store, and its task's metrics.

    Examples: mlrecipe evaluate imdb.toml; mlrecipe evaluate imdb.toml --set evaluate.nodes.errors.top=100
    """
    _check_overrides(overrides)
    session = opened(recipe, run_id)
    tested.check_picks(session, overrides.picks)
    run = choose(session, run_id, overrides.picks)
    if not ctx.obj.is_quiet:
        render.say(f"evaluate: run {run.id}")
    request = today(session, _parent(session, run), overrides, ctx.obj)
    request = session.pin(request, settings=ctx.obj, with_stages=False)
    found = carry(session, request, run, ctx.obj, force=force or ())
    remeasured.measure(request, run, ctx.obj)
    if not found:
        remeasured.report(run)
        if not ctx.obj.is_quiet:
            render.say(f"{session.shown} has no evaluation nodes: the test's report is made anew")
    evaluated.close(session, run, found, as_json=as_json)


def opened(recipe: str, run_id: str | None) -> Session:
    """The session of a recipe.

    Raises:
        RequestError: it is not here; of a run the error names the recipe that the run has kept.
    """
    try:
        return Session.of(recipe)
    except RequestError as error:
        project, runs = Session.in_folder().project, []
        if run_id is not None:
            runs = [running.find(project, run_id)]
        elif not Path(recipe).is_absolute():
            runs = [r for r in running.every(project) if _is_test(r, Path(recipe).as_posix())]
        if not runs or not (runs[0].folder / RECIPE).is_file():
            raise
        hint = f"its run has kept a copy: mlrecipe evaluate {_command(project, runs[0])}"
        raise RequestError(error.message, hint=hint) from None


def before(session: Session, parent: Run, settings: Settings) -> Request | None:
    """The recipe of today, with which the test of a train run will be evaluated; None where that cannot be.

    Raises:
        RecipeError: [evaluate] has mistakes; those elsewhere are told, and the test goes on without.
    """
    try:
        return today(session, parent, NONE, settings)
    except RecipeError as error:
        if any(problem.key.startswith("evaluate.") for problem in error.problems):
            raise
        render.warn(f"the test will not be evaluated: {session.shown} has problems now")
    except RequestError as error:
        render.warn(f"the test will not be evaluated: {error}")
    return None


def after(
    session: Session, request: Request | None, runs: Sequence[Run], settings: Settings, *,
    force: Sequence[str] = (),
) -> None:  # fmt: skip
    """Evaluate finished test runs by a recipe, if it has evaluation nodes.

    Raises:
        MlrecipeError: an evaluation node failed; the tests are finished none the less.
    """
    if request is None or not request.loaded.recipe.evaluate.nodes:
        return
    series = Series()
    for run in runs:
        if why := evaluation.why_not(run):
            render.warn(f"run {run.id} is not evaluated: {why}")
        else:
            carry(session, request, run, settings, force=force, series=series)


def carry(
    session: Session, request: Request, run: Run, settings: Settings, *, force: Sequence[str] = (),
    series: Series | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Compute what the store does not have, and write what it came to into the run; see `evaluated`.

    As one of a series it says no more than what takes long.

    Raises:
        MlrecipeError: a node failed, or what it needs is not there, or the predictions were changed.
    """
    predictions.check(run)
    target = evaluation.target(request, run)
    _check_files(target)
    if target.left_out and not settings.is_quiet:
        render.say(f"evaluate: without labels, left out: {', '.join(target.left_out)}")
    if not target.places:
        if evaluation.of(run):
            evaluation.conclude(target, {})
        return {}
    records = carry_out(
        session, target.request, settings, nodes=[*target.places], force=_forced(target, force),
        series=None if settings.is_verbose else series,
    )  # fmt: skip
    found = evaluation.evaluated(target, records, session.store)
    evaluation.conclude(target, found)
    tracked.tell(request, run, settings)
    return found


def judging(session: Session, request: Request, node: str, run_id: str | None) -> Request:
    """The request with its evaluation graph over a test run, where `node` is one of that; else as it is.

    Raises:
        RequestError: there is no test run, or it is none of this recipe.
    """
    name = node.rpartition("/")[2]
    if name not in request.loaded.recipe.evaluate.nodes and not is_source(name):
        return request
    return evaluation.target(request, choose(session, run_id)).request


def drawn(session: Session, request: Request) -> Request:
    """The request with data graph and evaluation graph in one, over the newest test run if there is one."""
    try:
        run = choose(session, None)
    except RequestError:
        graph = evaluation.untested(request)
    else:
        graph = evaluation.target(request, run).request.graph
    return request.over(Graph({**request.graph.nodes, **graph.nodes}))


def choose(session: Session, run_id: str | None, picks: Sequence[str] = ()) -> Run:
    """The test run to evaluate: the one named, a train run's newest test, or the recipe's newest finished one.

    Raises:
        RequestError: there is none, or it is no run of this recipe.
    """
    name = session.path.relative_to(session.project).as_posix()
    if run_id is not None:
        found = running.find(session.project, run_id)
        if found.facts.get("recipe") == name or _is_own(session, found):
            return predictions.tested(session.project, found)
        own = str(found.facts.get("recipe"))
        is_there = (session.project / own).is_file()
        again = f"{own} --run {found.id}" if is_there else _command(session.project, found)
        raise RequestError(
            f"run {found.id} is one of {own}, not of {name}", hint=f"mlrecipe evaluate {again}"
        )
    for run in running.every(session.project):
        is_mine = _is_test(run, name) or (_is_test(run) and _is_own(session, run))
        if is_mine and _is_picked(session, run, picks):
            return run
    options = "".join(f" --pick {text}" for text in picks)
    raise RequestError(
        f"{session.shown} has no finished test run{f' with{options}' if picks else ''} to evaluate",
        hint=f"mlrecipe run {session.shown}{options}",
    )


def today(
    session: Session, parent: Run | None, overrides: Overrides, settings: Settings
) -> Request:
    """The recipe as it is now, with what the command line of a training changed in it, and this one.

    Raises:
        RecipeError: it has mistakes.
    """
    then = overrides_of(parent) if parent is not None else Overrides()
    checks = [evaluation.runs_of(session.project)]
    try:
        both = _together(then, overrides)
        return session.open(both, settings=settings, checks=checks, needs_files=False)
    except RequestError:
        if not then:
            raise
        request = session.open(overrides, settings=settings, checks=checks, needs_files=False)
        text = " ".join(then.typed)
        render.warn(f"{text}, given to the training, does not fit {session.shown} now: left out")
        return request


def _is_test(run: Run, recipe: str | None = None) -> bool:
    """Whether a run is a finished test, of that recipe where one is given."""
    is_one = (run.facts.get("stage"), run.status) == ("test", "finished")
    return is_one and recipe in (None, run.facts.get("recipe"))


def _is_own(session: Session, run: Run) -> bool:
    """Whether the recipe is the one that a run, or the training that it tested, has kept."""
    folders = [run.folder, session.project / running.FOLDER / str(run.facts.get("parent"))]
    return session.path.resolve() in [(folder / RECIPE).resolve() for folder in folders]


def _command(project: Path, run: Run) -> str:
    """The recipe that a run has kept, and the run, as they are typed."""
    return f"{(run.folder / RECIPE).relative_to(project).as_posix()} --run {run.id}"


def _parent(session: Session, run: Run) -> Run | None:
    """The train run that a run tested, if it is still there."""
    return running.read(session.project / running.FOLDER / str(run.facts.get("parent")))


def _together(then: Overrides, now: Overrides) -> Overrides:
    return replace(
        now,
        picks=(*then.picks, *(pick for pick in now.picks if pick not in then.picks)),
        files=(*then.files, *now.files), unsets=(*then.unsets, *now.unsets),
        sets=(*then.sets, *now.sets),
    )  # fmt: skip


def _is_picked(session: Session, run: Run, picks: Sequence[str]) -> bool:
    """Whether a test run is one of these variants, by what its training was told."""
    parent = _parent(session, run)
    return not picks or (parent is not None and tested.is_picked(session, parent, picks))


def _check_overrides(overrides: Overrides) -> None:
    """Raise for overrides of anything but [evaluate] and the task's metrics."""
    for text in overrides.typed:
        if not text.startswith(_ALLOWED):
            raise RequestError(
                f"{text}: the predictions are there already; only keys of [evaluate] and `task.metrics` "
                "can be changed"
            )


def _check_files(target: Target) -> None:
    """Raise where a file is not there that a node of the evaluation graph names."""
    request = target.request
    starts = tuple(f"{dotted(node.path)}." for node in request.graph)
    problems = check_paths(request.tree, request.catalog, request.loaded.base)
    gone = [problem for problem in problems if problem.key.startswith(starts)]
    if gone:
        raise RecipeError(gone, subject=request.name)


def _forced(target: Target, names: Sequence[str]) -> list[str]:
    """The nodes that are to run in any case: of an evaluation node the one of each split.

    Raises:
        RequestError: a name is no node.
    """
    found: list[str] = []
    for name in names:
        nodes = [node for node in target.places if name in (node, node.rpartition("/")[2])]
        if not nodes and name not in target.request.graph.nodes:
            known = target.request.loaded.recipe.evaluate.nodes
            raise RequestError(f"no evaluation node {name!r}", hint=did_you_mean(name, known))
        found += nodes or [name]
    return found
