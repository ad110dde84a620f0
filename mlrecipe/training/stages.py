"""The stages train and test, from a request to a run directory that holds all they gave."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlrecipe import events
from mlrecipe.errors import DataError, MlrecipeError, RequestError, Terminated
from mlrecipe.pipeline import changed, stages
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe import splits
from mlrecipe.recipe.own import is_module
from mlrecipe.runs import card, manifest
from mlrecipe.runs.kept import kept_rows
from mlrecipe.runs.run import Run, create
from mlrecipe.store.records import Record
from mlrecipe.store.store import Store
from mlrecipe.training.conduct import (
    blaming,
    called,
    check_tested,
    describe,
    judging,
    learning,
    order_of,
)
from mlrecipe.training.devices import distributed
from mlrecipe.training.devices.job import Order
from mlrecipe.training.fit import FitReport
from mlrecipe.training.keeping import takeup, tested
from mlrecipe.training.signals import Stop
from mlrecipe.training.test import TestReport
from mlrecipe.training.tracking import adding


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
    facts: Mapping[str, Any] | None = None, then_tests: bool = False,
) -> Trained:  # fmt: skip
    """Train what the recipe says on outputs that are in the store, in a new run directory.

    `resumed` is a run of this very request that was stopped: it goes on where it was. `facts` are what
    else a new run is to say of itself. `then_tests`: a test follows, whose splits are looked at first.

    Raises:
        RecipeError: data, task and model do not fit each other; no run directory is left.
        TrainingError: training failed; the run directory says so.
    """
    recipe = request.loaded.recipe
    with blaming("training", request):
        learn = learning(request, records, store)
        if then_tests:
            check_tested(request, records, store)
    print_ = stages.train_fingerprint(request, records, store.memo)
    run = resumed or create(
        request.loaded.project,
        name=recipe.name,
        stage="train",
        recipe=request.name,
        fingerprint=print_,
        **called(request),
        **(facts or {}),
    )
    state, stop = None, Stop()
    if resumed is not None:
        state = takeup.state_of(run)
        run = run.take_up(step=takeup.step_of(state))
    seed = recipe.seed if recipe.train.seed is None else recipe.train.seed
    with takeup.advising(run, request), _ending(run, request), blaming("training", request):
        if resumed is None:
            describe(run, request, records, [recipe.train.data], store.memo)
        options = {"state": str(state)} if state is not None else {}
        with distributed.stage(lambda: order_of("train", run, request, records, **options)):
            report = learn(seed=seed, folder=run.folder, state=state, stop=stop)
        metrics = _best_metrics(report, recipe.train.valid_split)
        manifest.conclude(run, metrics=metrics, outputs=report.checkpoints)
    outcome = {
        "steps": report.steps, "epochs": report.epochs, "seconds": round(report.seconds, 3),
        "stopped": report.stopped, "best_step": report.best_step,
        "examples_per_second": round(report.examples_per_second, 1),
        **report.precision, **report.taken, **({"splits": dict(report.rows)} if report.rows else {}),
    }  # fmt: skip
    if report.batch_fill is not None:
        outcome["batch_fill"] = round(report.batch_fill, 4)
    done = run.finish("finished", **outcome)
    takeup.forget(run)
    _describe(done)
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
    resumed: Run | None = None,
) -> Tested:
    """Test a checkpoint of a train run, in a run directory of its own.

    `checkpoint` is `best`, `last` or None for what the recipe says. `resumed` is a test run of this very
    request that was stopped: the rows that it has kept are not tested again.

    Raises:
        RequestError: the train run has no such checkpoint, or the data do not fit it.
        TrainingError: testing failed.
    """
    recipe = request.loaded.recipe
    name = recipe.test.data or recipe.train.data
    with blaming("testing", request):
        judge = judging(request, records, store)
    weights = parent.checkpoint(checkpoint or recipe.test.checkpoint)
    used = request.graph.upto([name.partition(".")[0]]) if name else ()
    changed.tell(parent, used, project=request.loaded.project, memo=store.memo)
    facts: dict[str, Any] = {
        "parent": parent.id, "checkpoint": weights.name, "split": recipe.test.split,
    }  # fmt: skip
    if is_module(request.loaded.values, request.catalog):
        del facts["split"]
    if resumed is not None:
        run = resumed.take_up(step=kept_rows(resumed))
    else:
        run = create(
            request.loaded.project, name=recipe.name, stage="test", recipe=request.name,
            fingerprint=stages.test_fingerprint(request, records, parent.id),
            **called(request, parent), **facts,
        )  # fmt: skip
    with takeup.advising_test(run, request), _ending(run, request), blaming("testing", request):
        if resumed is None:
            describe(run, request, records, [name], store.memo)
        with distributed.stage(
            lambda: order_of("test", run, request, records, checkpoint=str(weights))
        ):
            report = judge(checkpoint=weights, folder=run.folder)
        outputs = {path.stem: path for path in report.predictions.values()}
        manifest.conclude(run, metrics=report.metrics, outputs=outputs)
    done = run.finish(
        "finished", rows=report.rows, seconds=round(report.seconds, 3), **_splits(report)
    )
    tested.forget(run.folder)
    _describe(parent)
    adding.add(done, recipe.train.loggers, parent=parent)
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
    with blaming("testing" if is_test else "training", request):
        if is_test:
            checkpoint = Path(order.options["checkpoint"])
            judging(request, records, store)(checkpoint=checkpoint, folder=folder)
            return
        seed = recipe.seed if recipe.train.seed is None else recipe.train.seed
        learn = learning(request, records, store)
        learn(seed=seed, folder=folder, state=_state(order))


def _state(order: Order) -> Path | None:
    state = order.options.get("state")
    return None if state is None else Path(state)


def _best_metrics(report: FitReport, valid_split: str | list[str]) -> dict[str, float]:
    """What is known of the best checkpoint: its validation, or the training's loss where there was none."""
    metrics = dict(report.best_metrics)
    starts = tuple(f"{place}/" for place in splits.places(valid_split, "valid").values())
    valid = {name: value for name, value in metrics.items() if name.startswith(starts)}
    return valid or metrics


def _splits(report: TestReport) -> dict[str, Any]:
    """What a test's record says of the splits."""
    unlabelled = {"unlabelled": list(report.unlabelled)} if report.unlabelled else {}
    return {"splits": dict(report.splits), **unlabelled} if report.splits else {}


def _describe(run: Run) -> None:
    """Write a train run's model card anew; a run is no worse for having none."""
    try:
        card.write(run)
    except OSError as error:
        text = f"cannot write the model card of {run.id}: {error.strerror}"
        events.emit(events.Note(text, "warning"))


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
    """Leave no run, unless something was learnt or tested before the error came."""
    if "resumed" in run.facts:
        run.finish("interrupted", cause=str(error))
    elif (run.folder / "checkpoints").exists() or kept_rows(run):
        run.finish("failed", cause=str(error))
    else:
        shutil.rmtree(run.folder, ignore_errors=True)
