"""The stages train and test, from a request to a run directory that holds all they gave."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from mlrecipe.errors import DataError, MlrecipeError, RequestError, Terminated, TrainingError
from mlrecipe.graph import pins
from mlrecipe.pipeline import blame, lockfile, stages
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe.origins import origins
from mlrecipe.recipe.resolved import recipe_hash, resolved, to_toml
from mlrecipe.recipe.schema import Component
from mlrecipe.registry import Kind, registries
from mlrecipe.runs import manifest
from mlrecipe.runs.run import Run, create
from mlrecipe.store.records import Record
from mlrecipe.store.store import Store
from mlrecipe.training.fit import FitReport, fit
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


def train(request: Request, records: Mapping[str, Record], store: Store) -> Trained:
    """Train what the recipe says on outputs that are in the store, in a new run directory.

    Raises:
        RecipeError: data, task and model do not fit each other; no run directory is left.
        TrainingError: training failed; the run directory says so.
    """
    recipe = request.loaded.recipe
    assert recipe.task is not None and recipe.model is not None  # noqa: PT018 (the caller checked)
    with _blaming("training", request):
        task = stages.make(request, "task", recipe.task)
        model = stages.make(request, "model", recipe.model)
        data = stages.pick(store.load(_record(records, recipe.train.data)), recipe.train.data)
    print_ = stages.train_fingerprint(request, records, store.memo)
    run = create(
        request.loaded.project,
        name=recipe.name,
        stage="train",
        recipe=request.name,
        fingerprint=print_,
    )
    seed = recipe.seed if recipe.train.seed is None else recipe.train.seed
    with _ending(run, request), _blaming("training", request):
        _describe(run, request, records, [recipe.train.data])
        report = fit(
            task=task, model=model, spec=recipe.train, seed=seed, data=data, folder=run.folder,
            components=_component,
        )  # fmt: skip
        manifest.conclude(run, metrics=_best_metrics(report), outputs=report.checkpoints)
    facts = {
        "steps": report.steps, "epochs": report.epochs, "seconds": round(report.seconds, 3),
        "stopped": report.stopped, "best_step": report.best_step,
        "examples_per_second": round(report.examples_per_second, 1),
        "batch_fill": round(report.batch_fill, 4),
    }  # fmt: skip
    return Trained(run=run.finish("finished", **facts), report=report)


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
    assert recipe.task is not None and recipe.model is not None  # noqa: PT018 (the caller checked)
    name = recipe.test.data or recipe.train.data
    with _blaming("testing", request):
        task = stages.make(request, "task", recipe.task)
        model = stages.make(request, "model", recipe.model)
        data = stages.pick(store.load(_record(records, name)), name)
    weights = parent.checkpoint(checkpoint or recipe.test.checkpoint)
    facts = {"parent": parent.id, "checkpoint": weights.name, "split": recipe.test.split}
    print_ = stages.test_fingerprint(request, records, parent.id)
    run = create(
        request.loaded.project, name=recipe.name, stage="test", recipe=request.name,
        fingerprint=print_, **facts,
    )  # fmt: skip
    trainer = {k: v for k, v in recipe.train.trainer.items() if k in ("accelerator", "precision")}
    with _ending(run, request), _blaming("testing", request):
        _describe(run, request, records, [name])
        report = run_test(
            task=task, model=model, spec=recipe.test, data=data, checkpoint=weights,
            folder=run.folder, trainer=trainer,
        )  # fmt: skip
        manifest.conclude(run, metrics=report.metrics, outputs={"predictions": report.predictions})
    done = run.finish("finished", rows=report.rows, seconds=round(report.seconds, 3))
    return Tested(run=done, report=report)


test.__test__ = False  # type: ignore[attr-defined]  # not a test for pytest


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
    if (run.folder / "checkpoints").exists():
        run.finish("failed", cause=str(error))
    else:
        shutil.rmtree(run.folder, ignore_errors=True)


def _describe(run: Run, request: Request, records: Mapping[str, Record], used: list[str]) -> None:
    values = resolved(request.loaded, request.catalog, elsewhere=True)
    needed = request.graph.upto([name.partition(".")[0] for name in used]).nodes
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
