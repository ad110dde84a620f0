"""`mlrecipe train`, `test` and `run`: the stages that end in a run directory."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mlrecipe.cli import render
from mlrecipe.cli.live import live
from mlrecipe.cli.options import NONE, Force, Jobs, Json, RecipeArgument, Update
from mlrecipe.cli.prepare import carry_out, report
from mlrecipe.cli.session import Session, Settings
from mlrecipe.errors import RequestError
from mlrecipe.pipeline import stages
from mlrecipe.pipeline.request import Request, open_request
from mlrecipe.pipeline.secrets import check_secrets
from mlrecipe.recipe.project import shown
from mlrecipe.recipe.resolved import resolved
from mlrecipe.recipe.schema import Overrides
from mlrecipe.runs import run as running
from mlrecipe.runs.manifest import RECIPE
from mlrecipe.runs.run import Run
from mlrecipe.store.records import Record
from mlrecipe.training.checks import packages

_TRAINING = [("model",), ("task",), ("train",)]

RunOption = Annotated[
    str | None,
    typer.Option(
        "--run", metavar="ID", help="Test this train run instead of the newest finished one."
    ),
]
CheckpointOption = Annotated[
    str | None, typer.Option(metavar="best|last", help="Which checkpoint to test.")
]


def train(
    ctx: typer.Context,
    recipe: RecipeArgument,
    overrides: Overrides = NONE,
    force: Force = None,
    update: Update = False,
    jobs: Jobs = 1,
    as_json: Json = False,
) -> None:
    """Prepare the data and train the model; always a new run.

    Example: mlrecipe train imdb.toml --set train.batch_size=32
    """
    session = Session.of(recipe)
    request = session.open(overrides, settings=ctx.obj, checks=[stages.check_trainable, packages])
    check_secrets(request, _TRAINING)
    request = session.pin(request, settings=ctx.obj, update=update, nodes=_used(request))
    records = _prepared(session, request, ctx.obj, force=force or (), jobs=jobs)
    done = _train(session, request, records, ctx.obj)
    _close(session, [done], as_json=as_json, settings=ctx.obj)


def test(
    ctx: typer.Context,
    recipe: RecipeArgument,
    run_id: RunOption = None,
    checkpoint: CheckpointOption = None,
    overrides: Overrides = NONE,
    as_json: Json = False,
) -> None:
    """Test the newest finished train run of a recipe, with that run's own recipe.

    Example: mlrecipe test imdb.toml
    """
    _check_overrides(overrides)
    session = Session.of(recipe)
    parent = _parent(session, run_id)
    request, records = _request_of(session, parent, overrides, ctx.obj)
    done = _test(session, request, records, parent, ctx.obj, checkpoint=checkpoint)
    _close(session, [done], as_json=as_json, settings=ctx.obj)


def run(
    ctx: typer.Context,
    recipe: RecipeArgument,
    overrides: Overrides = NONE,
    force: Force = None,
    update: Update = False,
    jobs: Jobs = 1,
    as_json: Json = False,
) -> None:
    """Prepare, train and test: only what is missing.

    A finished training (or test) with equal recipe, data and code is used again.

    Example: mlrecipe run imdb.toml
    """
    session = Session.of(recipe)
    request = session.open(overrides, settings=ctx.obj, checks=[stages.check_trainable, packages])
    check_secrets(request, _TRAINING)
    request = session.pin(request, settings=ctx.obj, update=update)
    records = carry_out(session, request, ctx.obj, force=force or (), jobs=jobs)
    if not as_json:
        with render.working():
            report(session, records)
    print_ = stages.train_fingerprint(request, records, session.store.memo)
    known = running.newest(session.project, stage="train", recipe=request.name, fingerprint=print_)
    trained = known or _train(session, request, records, ctx.obj)
    if known is not None:
        _say(ctx.obj, f"train: run {known.id} is equal and finished; used again")
    print_ = stages.test_fingerprint(request, records, trained.id)
    known = running.newest(session.project, stage="test", recipe=request.name, fingerprint=print_)
    tested = known or _test(session, request, records, trained, ctx.obj)
    if known is not None:
        _say(ctx.obj, f"test: run {known.id} is equal and finished; used again")
    _close(session, [trained, tested], as_json=as_json, settings=ctx.obj)


def _prepared(
    session: Session,
    request: Request,
    settings: Settings,
    *,
    force: Sequence[str] = (),
    jobs: int = 1,
) -> Mapping[str, Record]:
    """Records of the nodes that training and testing use."""
    return carry_out(session, request, settings, nodes=_used(request), force=force, jobs=jobs)


def _used(request: Request) -> list[str]:
    """The nodes that training and testing use."""
    recipe = request.loaded.recipe
    used = [name.partition(".")[0] for name in (recipe.train.data, recipe.test.data) if name]
    return list(dict.fromkeys(used))


def _train(
    session: Session, request: Request, records: Mapping[str, Record], settings: Settings
) -> Run:
    with live(settings):
        from mlrecipe.training import stages as training

        session.load_plugins(request)
        return training.train(request, records, session.store).run


def _test(
    session: Session,
    request: Request,
    records: Mapping[str, Record],
    parent: Run,
    settings: Settings,
    *,
    checkpoint: str | None = None,
) -> Run:
    with live(settings):
        from mlrecipe.training import stages as training

        session.load_plugins(request)
        return training.test(
            request, records, session.store, parent=parent, checkpoint=checkpoint
        ).run


def _check_overrides(overrides: Overrides) -> None:
    """What a model was trained with is not changed by testing it."""
    for text in overrides.typed:
        if not text.startswith(("--set test.", "--unset test.")):
            raise RequestError(
                f"{text}: a test uses the recipe that its run was trained with; "
                "only keys of [test] can be changed"
            )


def _parent(session: Session, run_id: str | None) -> Run:
    """The train run to test.

    Raises:
        RequestError: there is none that is finished: metrics of an untrained model are never given.
    """
    if run_id is not None:
        chosen = running.find(session.project, run_id)
        if chosen.facts.get("stage") != "train":
            raise RequestError(
                f"run {chosen.id} is a {chosen.facts.get('stage')} run, not a train run"
            )
        return chosen
    name = session.path.relative_to(session.project).as_posix()
    found = running.newest(session.project, stage="train", recipe=name)
    if found is None:
        others = [r for r in running.every(session.project) if r.facts.get("recipe") == name]
        why = f"; its newest run, {others[0].id}, is {others[0].status}" if others else ""
        raise RequestError(
            f"{session.shown} has no finished train run to test{why}",
            hint=f"train it first: mlrecipe train {session.shown}",
        )
    return found


def _request_of(
    session: Session, parent: Run, overrides: Overrides, settings: Settings
) -> tuple[Request, Mapping[str, Record]]:
    """The request as the train run had it, with its data prepared; says where the recipe has moved on."""
    request = open_request(
        parent.folder / RECIPE, overrides, here=session.here, memo=session.store.memo,
        name=str(parent.facts["recipe"]),
    )  # fmt: skip
    then = open_request(parent.folder / RECIPE, here=session.here, memo=session.store.memo)
    _say(settings, f"test: run {parent.id}, with the recipe that it was trained with")
    _warn_of_changes(session, then, settings)
    return request, _prepared(session, request, settings)


def _warn_of_changes(session: Session, then: Request, settings: Settings) -> None:
    try:
        now = session.open(None, settings=settings)
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


def _close(session: Session, runs: Sequence[Run], *, as_json: bool, settings: Settings) -> None:
    """The closing table: metrics, and where everything is."""
    if as_json:
        render.document([_facts(run, session.project) for run in runs])
        return
    rows = [pair for run in runs for pair in render.metrics(_metrics(run))]
    render.out()
    for line in render.columns(rows):
        render.out(line)
    render.out()
    places = [place for run in runs for place in _places(run, session.here)]
    for line in render.columns(places):
        render.out(line)


def _places(run: Run, here: Path) -> list[tuple[str, str]]:
    folder = shown(run.folder, here=here)
    if run.facts["stage"] == "test":
        tested = f"{run.facts['checkpoint']} checkpoint of {run.facts['parent']}, {run.facts['rows']:,} rows"
        return [("tested", tested), ("predictions", f"{folder}/predictions.arrow")]
    facts = run.facts
    speed = (
        f"{facts['examples_per_second']:,.0f} examples/s, batches {facts['batch_fill']:.0%} full"
    )
    return [
        ("trained", f"{facts['stopped']} in {render.duration(facts['seconds'])}, {speed}"),
        ("run", folder),
        ("model", f"{folder}/checkpoints/best (a Hugging Face model folder)"),
    ]


def _facts(run: Run, project: Path) -> dict[str, Any]:
    return {
        "run": run.id,
        "stage": run.facts["stage"],
        "folder": run.folder.relative_to(project).as_posix(),
        "metrics": _metrics(run),
    }


def _metrics(run: Run) -> dict[str, float]:
    found: dict[str, float] = json.loads((run.folder / "metrics.json").read_text(encoding="utf-8"))
    return found


def _say(settings: Settings, text: str) -> None:
    if not settings.is_quiet:
        render.say(text)
