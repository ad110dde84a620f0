"""`mlrecipe train`, `test` and `run`: the stages that end in a run directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import typer

from mlrecipe.cli import (
    evaluate,
    render,
    repeating,
    resuming,
    retesting,
    spreads,
    stage,
    tested,
    trials,
)
from mlrecipe.cli.closing import close
from mlrecipe.cli.live import Series
from mlrecipe.cli.options import (
    NONE,
    CheckpointOption,
    FastDevRun,
    Force,
    Jobs,
    Json,
    Limit,
    RecipeArgument,
    ResumedOption,
    ResumeOption,
    ResumeTestOption,
    RunOption,
    Update,
    limited,
)
from mlrecipe.cli.prepare import carry_out, report
from mlrecipe.cli.resuming import warn_of_changes
from mlrecipe.cli.session import Session, Settings
from mlrecipe.pipeline import evaluation, stages
from mlrecipe.pipeline.request import Check, Request, open_request
from mlrecipe.pipeline.secrets import check_secrets
from mlrecipe.recipe.schema import Overrides
from mlrecipe.runs import run as running
from mlrecipe.runs.manifest import RECIPE
from mlrecipe.runs.run import Run
from mlrecipe.store.records import Record
from mlrecipe.training.checks import packages

_TRAINING = [("data",), ("model",), ("task",), ("train",)]


def train(
    ctx: typer.Context,
    recipe: RecipeArgument,
    overrides: Overrides = NONE,
    limit: Limit = None,
    force: Force = None,
    update: Update = False,
    resume: ResumeOption = False,
    run_id: ResumedOption = None,
    fast_dev_run: FastDevRun = False,
    jobs: Jobs = 1,
    as_json: Json = False,
) -> None:
    """Prepare the data and train the model: a new run, unless an interrupted one is resumed.

    Example: mlrecipe train imdb.toml --set train.batch_size=32
    """
    session = Session.of(recipe)
    if resume or run_id is not None:
        others = {
            "--force": force,
            "--update": update,
            "--fast-dev-run": fast_dev_run,
        }
        resuming.check_options(resume=resume, others=others)
        done = _resume(session, run_id, limited(overrides, limit), ctx.obj, jobs=jobs)
        close(session, [done], as_json=as_json)
        return
    overrides = limited(overrides, limit)
    request = session.open(overrides, settings=ctx.obj, checks=_checks(session))
    check_secrets(request, _TRAINING)
    request = session.pin(request, settings=ctx.obj, update=update, nodes=stage.used(request))
    _tell_what_is_idle(request, ctx.obj, is_trial=fast_dev_run)
    if fast_dev_run:
        _try(session, overrides, ctx.obj, jobs=jobs, needs_test=False, as_json=as_json)
        return
    records = stage.prepare(session, request, ctx.obj, force=force or (), jobs=jobs)
    if repeating.is_repeated(request):
        group = _repeat(session, request, records, overrides, ctx.obj, series=Series())
        spreads.close(session, group, as_json=as_json)
        return
    done = stage.train(session, request, records, ctx.obj)
    close(session, [done], as_json=as_json)


def _checks(session: Session) -> list[Check]:
    """What a recipe to train must stand beside what every command asks of it."""
    return [stages.check_trainable, packages, evaluation.runs_of(session.project)]


def _resume(
    session: Session, run_id: str | None, overrides: Overrides, settings: Settings, *, jobs: int
) -> Run:
    resumed = resuming.choose(session, run_id, overrides, settings)
    check_secrets(resumed.request, _TRAINING)
    with resuming.held(resumed.run):
        records = stage.prepare(session, resumed.request, settings, jobs=jobs)
        resuming.check_same(resumed, records, session)
        return stage.train(session, resumed.request, records, settings, resumed=resumed.run)


def test(
    ctx: typer.Context,
    recipe: RecipeArgument,
    run_id: RunOption = None,
    checkpoint: CheckpointOption = None,
    overrides: Overrides = NONE,
    resume: ResumeTestOption = False,
    fast_dev_run: FastDevRun = False,
    as_json: Json = False,
) -> None:
    """Test the newest finished train run of a recipe, with that run's own recipe.

    With --pick, the newest of those variants.

    Examples: mlrecipe test imdb.toml; mlrecipe test glue --pick task=rte; mlrecipe test imdb --resume
    """
    if resume:
        others = {"--checkpoint": checkpoint, "--fast-dev-run": fast_dev_run}
        retesting.check_options(overrides, others)
        _resume_test(Session.of(recipe), run_id, ctx.obj, as_json=as_json)
        return
    tested.check_overrides(overrides)
    session = Session.of(recipe)
    parent = tested.choose(session, run_id, overrides.picks)
    overrides = replace(overrides, picks=())  # its own recipe has no variants any more
    today = evaluate.before(session, parent, ctx.obj)
    if run_id is None and (said := tested.among(session, parent)):
        _say(ctx.obj, f"test: {said}")
    request, records = _request_of(session, parent, overrides, ctx.obj)
    if fast_dev_run:
        trials.test(
            session, request, records, parent, ctx.obj, checkpoint=checkpoint, as_json=as_json
        )
        return
    done = stage.judge(session, request, records, parent, ctx.obj, checkpoint=checkpoint)
    try:
        evaluate.after(session, today, [done], ctx.obj)
    finally:  # the test is done, whatever becomes of what is computed over it
        close(session, [done], as_json=as_json)


def _resume_test(
    session: Session, run_id: str | None, settings: Settings, *, as_json: bool
) -> None:
    run = retesting.choose(session, run_id)
    with resuming.held(run):
        request, parent = retesting.request_of(session, run)
        today = evaluate.before(session, parent, settings)
        _say(settings, f"test: {retesting.told(run)}")
        kept = tested.kept(session, request, parent)
        records = kept or stage.prepare(session, request, settings, nodes=tested.nodes(request))
        retesting.check_same(run, parent, request, records, session)
        done = stage.judge(
            session, request, records, parent, settings, checkpoint=run.facts.get("checkpoint"),
            resumed=run,
        )  # fmt: skip
    evaluate.after(session, today, [done], settings)
    close(session, [done], as_json=as_json)


def run(
    ctx: typer.Context,
    recipe: RecipeArgument,
    overrides: Overrides = NONE,
    limit: Limit = None,
    force: Force = None,
    update: Update = False,
    fast_dev_run: FastDevRun = False,
    jobs: Jobs = 1,
    as_json: Json = False,
) -> None:
    """Prepare, train and test: only what is missing.

    A finished training (or test) with equal recipe, data and code is used again.

    Example: mlrecipe run imdb.toml
    """
    session = Session.of(recipe)
    overrides = limited(overrides, limit)
    request = session.open(overrides, settings=ctx.obj, checks=_checks(session))
    check_secrets(request, _TRAINING)
    request = session.pin(request, settings=ctx.obj, update=update)
    _tell_what_is_idle(request, ctx.obj, is_trial=fast_dev_run)
    if fast_dev_run:
        _try(session, overrides, ctx.obj, jobs=jobs, needs_test=True, as_json=as_json)
        return
    evaluations = [name for name in force or () if name in request.loaded.recipe.evaluate.nodes]
    force = [name for name in force or () if name not in evaluations]
    records = carry_out(session, request, ctx.obj, force=force, jobs=jobs)
    with render.working():
        report(session, records, has_tables=not as_json)
    if repeating.is_repeated(request):
        series = Series()
        group = _repeat(
            session, request, records, overrides, ctx.obj, uses_finished=True, series=series
        )
        tests = [
            _tested(session, member.request, records, member.run, ctx.obj, series=series)
            for member in group.members
        ]
        try:
            evaluate.after(session, request, tests, ctx.obj, force=evaluations)
        finally:
            spreads.close(session, group, tests=tests, as_json=as_json)
        return
    print_ = stages.train_fingerprint(request, records, session.store.memo)
    known = running.newest(session.project, stage="train", recipe=request.name, fingerprint=print_)
    trained = known or stage.train(session, request, records, ctx.obj, then_tests=True)
    if known is not None:
        _say(ctx.obj, f"train: run {known.id} is equal and finished; used again")
    judged = _tested(session, request, records, trained, ctx.obj)
    try:
        evaluate.after(session, request, [judged], ctx.obj, force=evaluations)
    finally:
        close(session, [trained, judged], as_json=as_json)


def _tested(
    session: Session, request: Request, records: Mapping[str, Record], trained: Run,
    settings: Settings, *, series: Series | None = None,
) -> Run:  # fmt: skip
    """The test of a train run: one that is equal and finished, or a new one."""
    print_ = stages.test_fingerprint(request, records, trained.id)
    known = running.newest(session.project, stage="test", recipe=request.name, fingerprint=print_)
    if known is None:
        return stage.judge(session, request, records, trained, settings, series=series)
    if series is None:
        _say(settings, f"test: run {known.id} is equal and finished; used again")
    elif series.is_new("used again"):
        _say(settings, "test: what is equal and finished is used again")
    return known


def _try(
    session: Session, overrides: Overrides, settings: Settings, *, jobs: int, needs_test: bool,
    as_json: bool,
) -> None:  # fmt: skip
    """`--fast-dev-run`."""
    trials.train(
        session, overrides, settings, needs_test=needs_test, as_json=as_json,
        prepare=lambda request: stage.prepare(session, request, settings, jobs=jobs),
    )  # fmt: skip


def _tell_what_is_idle(request: Request, settings: Settings, *, is_trial: bool) -> None:
    """Say what the recipe asks for that has no effect on this training."""
    if is_trial and (left_out := repeating.left_out(request)):
        _say(settings, left_out)
    if request.loaded.recipe.limit is not None and not stage.used(request):
        render.warn(
            "the limit is for rows that nodes read, and this training uses none of them; to see less "
            "of its own data set train.trainer.limit_train_batches"
        )


def _repeat(
    session: Session, request: Request, records: Mapping[str, Record], overrides: Overrides,
    settings: Settings, *, series: Series, uses_finished: bool = False,
) -> repeating.Group:  # fmt: skip
    """Train all members of a group that have not been trained yet."""
    return repeating.train(
        session, request, records, overrides, settings, uses_finished=uses_finished,
        fit=lambda member, facts: stage.train(
            session, member, records, settings, facts=facts, series=series, then_tests=uses_finished
        ),
    )  # fmt: skip


def _request_of(
    session: Session, parent: Run, overrides: Overrides, settings: Settings
) -> tuple[Request, Mapping[str, Record]]:
    """The request as the train run had it, with its data prepared; says where the recipe has moved on."""
    request = open_request(
        parent.folder / RECIPE, overrides, here=session.here, memo=session.store.memo,
        name=str(parent.facts["recipe"]), checks=[tested.problems], needs_files=False,
    )  # fmt: skip
    then = open_request(
        parent.folder / RECIPE, here=session.here, memo=session.store.memo, needs_files=False
    )
    _say(settings, f"test: run {parent.id}, with the recipe that it was trained with")
    warn_of_changes(session, parent, then, settings)
    kept = tested.kept(session, request, parent)
    if kept:
        _say(settings, "test: what the run was trained on is in the store; its files are gone")
        return request, kept
    return request, stage.prepare(session, request, settings, nodes=tested.nodes(request))


def _say(settings: Settings, text: str) -> None:
    if not settings.is_quiet:
        render.say(text)
