"""The stages train and test, from a request to a run directory that holds all they gave."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from mlrecipe.errors import DataError, MlrecipeError, RequestError, Terminated, TrainingError
from mlrecipe.graph import pins
from mlrecipe.pipeline import blame, lockfile, stages
from mlrecipe.pipeline.derived import Deriver
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe.origins import origins
from mlrecipe.recipe.own import is_module
from mlrecipe.recipe.resolved import recipe_hash, resolved, to_toml
from mlrecipe.recipe.schema import Component
from mlrecipe.registry import Kind, registries
from mlrecipe.runs import manifest
from mlrecipe.runs.run import Run, create, free_name
from mlrecipe.store.records import Record, to_bytes
from mlrecipe.store.store import Store
from mlrecipe.training import distributed, repeats, takeup
from mlrecipe.training.fit import FitReport, fit
from mlrecipe.training.job import Order
from mlrecipe.training.signals import Stop
from mlrecipe.training.test import TestReport
from mlrecipe.training.test import test as run_test


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A finished train run and what it came to."""

    run: Run
    report: FitReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A finished test run and what it came to."""

    run: Run
    report: TestReport


def train(
    request: Request, records: Mapping[str, Record], store: Store, *, resumed: Run | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Trained:  # fmt: skip
    """Train what the recipe says on outputs that are in the store, in a new run directory.

    `resumed` is a run of this very request that was stopped: it goes on where it was. `facts` are what
    else a new run is to say of itself.

    Raises:
        RecipeError: data, task and model do not fit each other; no run directory is left.
        TrainingError: training failed; the run directory says so.
    """
    recipe = request.loaded.recipe
    with _blaming("training", request):
        learn = _learning(request, records, store)
    print_ = stages.train_fingerprint(request, records, store.memo)
    run = resumed or create(
        request.loaded.project,
        name=recipe.name,
        stage="train",
        recipe=request.name,
        fingerprint=print_,
        **_called(request),
        **(facts or {}),
    )
    state, stop = None, Stop()
    if resumed is not None:
        state = takeup.state_of(run)
        run = run.take_up(step=takeup.step_of(state))
    seed = recipe.seed if recipe.train.seed is None else recipe.train.seed
    with takeup.advising(run, request), _ending(run, request), _blaming("training", request):
        if resumed is None:
            _describe(run, request, records, [recipe.train.data])
        options = {"state": str(state)} if state is not None else {}
        with distributed.stage(lambda: _order("train", run, request, records, **options)):
            report = learn(seed=seed, folder=run.folder, state=state, stop=stop)
        manifest.conclude(run, metrics=_best_metrics(report), outputs=report.checkpoints)
    outcome = {
        "steps": report.steps, "epochs": report.epochs, "seconds": round(report.seconds, 3),
        "stopped": report.stopped, "best_step": report.best_step,
        "examples_per_second": round(report.examples_per_second, 1),
        **report.precision, **report.taken,
    }  # fmt: skip
    if report.batch_fill is not None:
        outcome["batch_fill"] = round(report.batch_fill, 4)
    done = run.finish("finished", **outcome)
    takeup.forget(run)
    if stop.asked is not None:  # in its last step: what was to follow does not
        stop.obey()
    return Trained(run=done, report=report)


def test(
    request: Request,
    records: Mapping[str, Record],
    store: Store,
    *,
    parent: Run,
    checkpoint: str | None = None,
) -> Tested:
    """Test a checkpoint of a train run, in a run directory of its own.

    `checkpoint` is `best`, `last` or None for what the recipe says.

    Raises:
        RequestError: the train run has no such checkpoint, or the data do not fit it.
        TrainingError: testing failed.
    """
    recipe = request.loaded.recipe
    name = recipe.test.data or recipe.train.data
    with _blaming("testing", request):
        judge = _judging(request, records, store)
    weights = parent.checkpoint(checkpoint or recipe.test.checkpoint)
    facts = {"parent": parent.id, "checkpoint": weights.name, "split": recipe.test.split}
    if is_module(request.loaded.values, request.catalog):
        del facts["split"]
    print_ = stages.test_fingerprint(request, records, parent.id)
    run = create(
        request.loaded.project, name=recipe.name, stage="test", recipe=request.name,
        fingerprint=print_, **_called(request, parent), **facts,
    )  # fmt: skip
    with _ending(run, request), _blaming("testing", request):
        _describe(run, request, records, [name])
        with distributed.stage(
            lambda: _order("test", run, request, records, checkpoint=str(weights))
        ):
            report = judge(checkpoint=weights, folder=run.folder)
        outputs = {"predictions": report.predictions} if report.predictions else {}
        manifest.conclude(run, metrics=report.metrics, outputs=outputs)
    done = run.finish("finished", rows=report.rows, seconds=round(report.seconds, 3))
    return Tested(run=done, report=report)


test.__test__ = False  # type: ignore[attr-defined]  # not a test for pytest


def take_part(request: Request, records: Mapping[str, Record], store: Store, order: Order) -> None:
    """Carry out a stage together with the process that made the run, and told of it.

    Raises:
        TrainingError: it failed.
    """
    recipe = request.loaded.recipe
    is_test = order.stage == "test"
    folder = Path(order.folder)
    with _blaming("testing" if is_test else "training", request):
        if is_test:
            checkpoint = Path(order.options["checkpoint"])
            _judging(request, records, store)(checkpoint=checkpoint, folder=folder)
            return
        seed = recipe.seed if recipe.train.seed is None else recipe.train.seed
        learn = _learning(request, records, store)
        learn(seed=seed, folder=folder, state=_state(order))


def _learning(
    request: Request, records: Mapping[str, Record], store: Store
) -> Callable[..., FitReport]:
    """What trains, given seed, folder, state and stop."""
    recipe = request.loaded.recipe
    name = recipe.train.data
    data = stages.pick(store.load(_record(records, name)), name) if name else None
    if is_module(request.loaded.values, request.catalog):
        from mlrecipe.training import own

        make = partial(own.make, request, data)
        return partial(own.fit, make=make, spec=recipe.train, components=_component)
    assert recipe.task is not None and recipe.model is not None  # noqa: PT018 (the caller checked)
    assert data is not None
    task = stages.make(request, "task", recipe.task)
    model = stages.make(request, "model", recipe.model)
    seed = recipe.seed if recipe.train.seed is None else recipe.train.seed
    data = repeats.part(task, recipe.train, data, seed=seed)
    derive = Deriver(request, _record(records, name), store, source=name)
    return partial(
        fit, task=task, model=model, spec=recipe.train, data=data, components=_component,
        derive=derive,  # it goes by the content of the rows: a fold has values of its own
    )  # fmt: skip


def _judging(
    request: Request, records: Mapping[str, Record], store: Store
) -> Callable[..., TestReport]:
    """What tests, given checkpoint and folder."""
    recipe = request.loaded.recipe
    name = recipe.test.data or recipe.train.data
    data = stages.pick(store.load(_record(records, name)), name) if name else None
    spec, trainer = recipe.test, recipe.train.trainer
    if is_module(request.loaded.values, request.catalog):
        from mlrecipe.training import own

        return partial(own.test, make=partial(own.make, request, data), spec=spec, trainer=trainer)
    assert recipe.task is not None and recipe.model is not None  # noqa: PT018 (the caller checked)
    assert data is not None
    task = stages.make(request, "task", recipe.task)
    model = stages.make(request, "model", recipe.model)
    derive = Deriver(request, _record(records, name), store, source=name)
    return partial(
        run_test, task=task, model=model, spec=spec, data=data, trainer=trainer,
        derive=derive if recipe.train.cache_frozen else None,
    )  # fmt: skip


def _state(order: Order) -> Path | None:
    state = order.options.get("state")
    return None if state is None else Path(state)


def _order(
    stage: str, run: Run, request: Request, records: Mapping[str, Record], **options: Any
) -> Order:
    """What the job's other processes need to do the same."""
    recipe = request.loaded.recipe
    used = (recipe.train.data, recipe.test.data)
    nodes = {name.partition(".")[0] for name in used} & records.keys()
    texts = {name: to_bytes(records[name]).decode() for name in nodes}
    return Order(stage=stage, folder=str(run.folder), recipe=request.name, records=texts,
                 options=options)  # fmt: skip


def _called(request: Request, parent: Run | None = None) -> dict[str, Any]:
    """How a run is called, and its tags; a test of `parent` begins with its name where that is fixed."""
    recipe = request.loaded.recipe
    said: dict[str, Any] = {"tags": list(recipe.run.tags)} if recipe.run.tags else {}
    if parent is None:
        return {**said, "fixed": recipe.run.name}
    suffix = recipe.test.suffix
    if recipe.run.name:
        whole = "-".join(part for part in (parent.id, "test", suffix) if part)
        return {**said, "fixed": free_name(request.loaded.project, whole)}
    return {**said, "suffix": suffix}


def _best_metrics(report: FitReport) -> dict[str, float]:
    """What is known of the best checkpoint: its validation, or the training's loss where there was none."""
    metrics = dict(report.best_metrics)
    valid = {name: value for name, value in metrics.items() if name.startswith("valid/")}
    return valid or metrics


@contextmanager
def _blaming(what: str, request: Request) -> Iterator[None]:
    """Say where an error of other code came from: a user's component, Lightning, a library."""
    try:
        yield
    except MlrecipeError:
        raise
    except (Exception, SystemExit) as error:  # a component does not decide how the command ends
        cause = blame.cause_of(error, request.loaded.project)
        raise TrainingError(f"{what} failed at {cause}", hint=blame.HINT) from error


@contextmanager
def _ending(run: Run, request: Request) -> Iterator[None]:
    """Note how the run ended; a request that was refused before anything was done leaves no run."""
    try:
        yield
    except DataError as error:
        _refuse(run, error)
        raise stages.placed(error, request) from error
    except RequestError as error:
        _refuse(run, error)
        raise
    except KeyboardInterrupt:
        run.finish("interrupted")
        raise
    except MlrecipeError as error:
        run.finish("failed", cause=str(error))
        raise
    except Terminated:
        run.finish("interrupted")
        raise
    except BaseException as error:
        run.finish("failed", cause=f"{type(error).__name__}: {error}")
        raise


def _refuse(run: Run, error: RequestError) -> None:
    """Leave no run, unless something was learnt before the error came."""
    if "resumed" in run.facts:
        run.finish("interrupted", cause=str(error))
    elif (run.folder / "checkpoints").exists():
        run.finish("failed", cause=str(error))
    else:
        shutil.rmtree(run.folder, ignore_errors=True)


def _describe(run: Run, request: Request, records: Mapping[str, Record], used: list[str]) -> None:
    values = resolved(request.loaded, request.catalog, elsewhere=True)
    nodes = [name.partition(".")[0] for name in used if name]
    needed = request.graph.upto(nodes).nodes if nodes else {}
    inputs = {
        name: {"fingerprint": records[name].fingerprint, "digest": records[name].digest,
               "op": records[name].op, "files": records[name].parts.get("files", {})}
        for name in needed
    }  # fmt: skip
    manifest.describe(
        run, project=request.loaded.project, recipe=to_toml(values), origins=origins(request.tree),
        overrides=request.loaded.overrides.typed, inputs=inputs,
        recipe_hash=recipe_hash(request.loaded, request.catalog), lock=_lock(request),
    )  # fmt: skip


def _lock(request: Request) -> str:
    """The lock file of the resolved recipe: what of the hub this run used."""
    used = {pins.asked(external) for _, external in request.on_hub()}
    found = [pin for asked, pin in request.pins.items() if asked in used]
    return lockfile.text(found, recipe=manifest.RECIPE) if found else ""


def _record(records: Mapping[str, Record], data: str) -> Record:
    return records[data.partition(".")[0]]


def _component(kind: Kind, component: Component) -> Any:
    return registries[kind].get(component.use)
