"""A user's own `LightningModule` and `LightningDataModule`: trained and tested as they are.

They keep their steps, optimizers, schedules, hooks and metrics; from the recipe come the run directory,
checkpoints, loggers, callbacks, the Trainer's arguments and resuming.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from datasets import Dataset

from mlrecipe import events
from mlrecipe.errors import DataError, TrainingError
from mlrecipe.interfaces import Head
from mlrecipe.pipeline import stages
from mlrecipe.pipeline.request import Request
from mlrecipe.recipe.schema import Component, TestSpec, TrainSpec
from mlrecipe.registry import Kind
from mlrecipe.training import trainer as trainers
from mlrecipe.training import watch
from mlrecipe.training.checks import check_trainer, resolve_mode
from mlrecipe.training.fit import FitReport
from mlrecipe.training.keeping import resume
from mlrecipe.training.keeping.checkpoints import read_record
from mlrecipe.training.optimization import Components
from mlrecipe.training.own import monitors
from mlrecipe.training.own.checkpoints import ModuleCheckpoints, Weights, metrics_of
from mlrecipe.training.own.progress import ModuleProgress, ModuleTestProgress
from mlrecipe.training.preparing import revealed
from mlrecipe.training.signals import Stop
from mlrecipe.training.stopping import why_stopped
from mlrecipe.training.test import TestReport
from mlrecipe.training.watch import Watch

HEAD = Head(problem_type="lightning_module", labels=())
"""What a module's checkpoints say of what they put out: nothing is known of it."""

Made = tuple[pl.LightningModule, pl.LightningDataModule | None]


def make(request: Request, splits: Mapping[str, Dataset] | None) -> Made:
    """A recipe's module and data module, with the splits that they asked for; plugins must be loaded.

    Raises:
        RecipeError: one of them refuses its parameters.
        TrainingError: one of them is nothing of Lightning.
    """
    recipe = request.loaded.recipe
    assert recipe.task is not None  # the caller checked
    module = stages.make(request, "task", recipe.task)
    _require(module, pl.LightningModule, recipe.task.use)
    made: list[tuple[Any, Kind, Component]] = [(module, "task", recipe.task)]
    data = None
    if recipe.data is not None:
        data = stages.make(request, "datamodule", recipe.data)
        _require(data, pl.LightningDataModule, recipe.data.use)
        made.append((data, "datamodule", recipe.data))
    for each, kind, component in made:
        found = request.catalog.find(kind, component.use)
        if found is not None and found.signature.options.get("splits") is True:
            each.splits = splits
    return module, data


def fit(
    *,
    make: Callable[[], Made],
    spec: TrainSpec,
    seed: int,
    folder: Path,
    components: Components,
    state: Path | None = None,
    stop: Stop | None = None,
) -> FitReport:
    """Train a module; checkpoints and logs go into `folder`. See `mlrecipe.training.fit.fit`.

    Raises:
        DataError: the recipe asks for what Lightning or the module cannot give.
        TrainingError: training failed.
    """
    spec = revealed(spec, folder)
    check_trainer(spec.trainer, trainers.TRAINER_ARGUMENTS, is_module=True)
    stop = stop or Stop()
    with trainers.quiet(), stop.guarding():
        spec = resume.continued(spec, state)
        pl.seed_everything(seed, verbose=False)
        module, data = make()
        extra = trainers.make_callbacks(spec, components, folder=folder, names=None)
        loggers = trainers.make_loggers(spec, components, folder=folder)
        checkpoints = ModuleCheckpoints(
            folder / "checkpoints", _no_save, HEAD, monitor=spec.monitor,
            mode=resolve_mode(spec.monitor, spec.mode), top_k=spec.top_k,
            save_every=spec.save_every, stop=stop,
        )  # fmt: skip
        progress = ModuleProgress()
        watching = Watch(folder / watch.FOLDER, hint=watch.MODULE_HINT)
        keeper = resume.Resume.of(folder, spec, stop=stop, loggers=loggers)
        trainer = trainers.make_trainer(
            folder=folder, loggers=loggers,
            callbacks=[keeper, progress, watching, *extra, checkpoints],
            **_train_arguments(spec),
        )  # fmt: skip
        if state is None and monitors.is_doubtful(module, spec.monitor):
            trainer.num_sanity_val_steps = 1
        events.emit(events.StageStarted("train", _facts(module, spec, trainer)))
        trainers.run(lambda: keeper.fit(trainer, module, data, state))
    return FitReport(
        epochs=trainer.current_epoch, steps=trainer.global_step, seconds=keeper.clock.seconds,
        best_metrics=checkpoints.best_metrics, best_value=checkpoints.best_value,
        best_step=checkpoints.best_step or 0, stopped=why_stopped(trainer, spec, checkpoints),
        examples_per_second=progress.rows_seen / max(progress.train_seconds, 1e-9), batch_fill=None,
        checkpoints=checkpoints.kept, model_folder=checkpoints.best,
        precision={"precision": str(trainer.precision)},
    )  # fmt: skip


def test(
    *,
    make: Callable[[], Made],
    spec: TestSpec,
    checkpoint: Path,
    folder: Path,
    trainer: Mapping[str, Any],
) -> TestReport:
    """Test a checkpoint with the module's own `test_step`; `metrics.json` goes into `folder`.

    Raises:
        TrainingError: there is no checkpoint, it is damaged, or of another module; or nothing is tested.
    """
    read_record(checkpoint)
    with trainers.quiet():
        module, data = make()
        progress = ModuleTestProgress()
        lightning = trainers.make_trainer(
            folder=folder, loggers=[], callbacks=[progress], **trainers.test_arguments(trainer)
        )
        lightning.strategy.checkpoint_io = Weights(lightning.strategy.checkpoint_io)
        events.emit(events.StageStarted("test", f"module {type(module).__name__}"))
        started = time.perf_counter()
        trainers.run(
            lambda: lightning.test(
                module, datamodule=data, ckpt_path=str(checkpoint), verbose=False, weights_only=True
            )
        )
    metrics = metrics_of(lightning)
    if not metrics:
        hint = "log what is to be known in `test_step`: self.log('test/accuracy', …)"
        raise TrainingError(f"the test of {type(module).__name__} logged no metric", hint=hint)
    report = TestReport(
        metrics=metrics, rows=progress.rows, seconds=time.perf_counter() - started, predictions={}
    )
    content = {"rows": report.rows, "metrics": metrics}
    text = json.dumps(content, indent=2) + "\n"
    (folder / "metrics.json").write_text(text, encoding="utf-8")
    return report


test.__test__ = False  # type: ignore[attr-defined]  # not a test for pytest


def _require(made: object, kind: type, name: str) -> None:
    if not isinstance(made, kind):
        what = f"{name!r} is registered as a {kind.__name__} and is none"
        raise TrainingError(what, hint=f"its class must inherit from {kind.__module__}")


def _no_save(module: object, folder: Path) -> None:
    raise AssertionError("a module's checkpoints are written by `ModuleCheckpoints`")


def _train_arguments(spec: TrainSpec) -> dict[str, Any]:
    """As for any training, but that a module's batches are Lightning's to gather into steps."""
    arguments = trainers.train_arguments(spec)
    gathered = arguments.get("accumulate_grad_batches", 1)
    if spec.validate_every is not None:
        if not isinstance(gathered, int):
            raise DataError("expected a number", key="train.trainer.accumulate_grad_batches")
        arguments["val_check_interval"] = spec.validate_every * gathered
    return arguments


def _facts(module: pl.LightningModule, spec: TrainSpec, trainer: pl.Trainer) -> str:
    parameters = sum(p.numel() for p in module.parameters())
    size = f"{parameters / 1e6:,.1f} M" if parameters >= 1e6 else f"{parameters:,}"
    return (
        f"module {type(module).__name__}; {spec.epochs} {'epoch' if spec.epochs == 1 else 'epochs'}; "
        f"{size} parameters on {trainer.strategy.root_device.type}"
    )
