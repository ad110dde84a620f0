"""Training: from loaded splits to a trained model in a run directory."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from datasets import Dataset
from pytorch_lightning.loggers.logger import Logger
from torch import nn

from mlrecipe import events
from mlrecipe.interfaces import Evaluator, Model, Task
from mlrecipe.recipe import splits
from mlrecipe.recipe.schema import TrainSpec
from mlrecipe.training import adalora, compiling, findings, parting, unfreezing, watch
from mlrecipe.training import trainer as trainers
from mlrecipe.training.batching.widths import check_places
from mlrecipe.training.checks import (
    check_numbers,
    check_trainer,
    check_validations,
    resolve_mode,
)
from mlrecipe.training.data import TrainData
from mlrecipe.training.devices import precision
from mlrecipe.training.evaluating import Evaluating
from mlrecipe.training.frozen import layers as frozen
from mlrecipe.training.keeping import resume
from mlrecipe.training.keeping.checkpoints import Checkpoints
from mlrecipe.training.module import Learner
from mlrecipe.training.optimization import Components, Optimization
from mlrecipe.training.preparing import Plan, build, keyed, prepare, revealed
from mlrecipe.training.progress import TrainProgress
from mlrecipe.training.rehearsing import check_watched, rehearse, watched
from mlrecipe.training.settling import settle
from mlrecipe.training.signals import Stop
from mlrecipe.training.stopping import why_stopped
from mlrecipe.training.validated import validated
from mlrecipe.training.watch import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class FitReport:
    """What training came to."""

    epochs: int
    """Passes over the train split that were finished."""

    steps: int
    """Optimizer steps."""

    seconds: float
    """Wall-clock time of the whole training, validation included."""

    best_metrics: Mapping[str, float]
    """The metrics at the best checkpoint."""

    best_value: float | None
    """The monitored metric at the best checkpoint; None when nothing was monitored."""

    best_step: int
    """Optimizer steps done at the best checkpoint."""

    stopped: str
    """A sentence that says why training ended."""

    examples_per_second: float
    """Examples learnt from per second, validation and checkpoints left out."""

    batch_fill: float | None
    """Share of the places in train batches that hold a token and not padding; None where nobody counts."""

    checkpoints: Mapping[str, Path]
    """Folders of the checkpoints: `best` and `last`."""

    model_folder: Path
    """Folder of the trained model: the best checkpoint."""

    precision: Mapping[str, str] = field(default_factory=dict)
    """What it was computed in and, where that was chosen by a probe, why."""

    rows: Mapping[str, int] = field(default_factory=dict)
    """Rows of each split, the one to learn from first."""

    taken: Mapping[str, Any] = field(default_factory=dict)
    """What the task took from the data to learn from them: the weights of its classes."""


def fit(  # noqa: PLR0913 (what a training is made of)
    *,
    task: Task,
    model: Model,
    spec: TrainSpec,
    seed: int,
    data: Mapping[str, Dataset],
    folder: Path,
    components: Components,
    state: Path | None = None,
    stop: Stop | None = None,
    derive: frozen.Derive | None = None,
    told: Collection[str] = (),
    evaluator: Evaluator | None = None,
    keep_validations: int = 1,
    columns: Sequence[str] | None = None,
) -> FitReport:
    """Train a model; checkpoints and logs go into `folder`, which exists.

    `components` gives the registered object that a component names. With a `state` that an equal training
    left in the folder it goes on from there. `stop` then says whether it was asked to stop. `derive` keeps
    the outputs of frozen layers; without, they are computed in every epoch. Nothing is said of rows that
    the splits `told` have in common with the train split: it is known.

    With an `evaluator` the predictions of each validation are a file, which it gets; its metrics are there
    before any callback looks at them. `keep_validations` of these files are kept beside those of kept
    checkpoints, with `columns` of the rows, by default those that people read.

    Raises:
        DataError: the recipe asks for what the data, the model or Lightning cannot give; `key` is
            the recipe's own, such as `task.labels`.
        TrainingError: training failed.
        KeyboardInterrupt: it was interrupted; `checkpoints/last` then holds what was learnt.
    """
    spec = revealed(spec, folder)
    check_numbers(spec)
    check_trainer(spec.trainer, trainers.TRAINER_ARGUMENTS)
    with keyed("task"):
        task, taken = settle(task, spec, data)
    is_evaluated = evaluator is not None and bool(splits.names(spec.valid_split))
    plan = prepare(task, spec, data, is_evaluated=is_evaluated)
    evaluating = None
    if evaluator is not None and is_evaluated:
        validations = validated(spec.valid_split, data, plan.head, columns)
        evaluating = Evaluating(
            evaluator, validations, plan.head, folder=folder, keep=keep_validations
        )
    warn = partial(findings.warn, task, data, plan.encoded, told)
    stop = stop or Stop()
    with trainers.quiet(), stop.guarding():
        spec = resume.continued(spec, state)
        known = plan.names if evaluating is None else None
        extra = trainers.make_callbacks(spec, components, folder=folder, names=known)
        loggers = trainers.make_loggers(spec, components, folder=folder)
        pl.seed_everything(seed, verbose=False)
        made, names = _make(task, model, spec, plan, extra, components, derive=derive), set[str]()
        if evaluating is not None:
            made.learner.evaluating = evaluating
            names = rehearse(evaluating, task, made.network, plan.encoded)
            check_watched(spec, [*plan.names, *names])
        about = _surround(model, spec, plan, folder=folder, stop=stop, loggers=loggers)
        about.progress.hidden = names - set(watched(spec).values())
        trainer = trainers.make_trainer(
            folder=folder, loggers=loggers, **trainers.train_arguments(spec),
            callbacks=[parting.Whole(), about.keeper, about.progress, Watch(folder / watch.FOLDER),
                       *extra, about.checkpoints, *([evaluating] if evaluating else [])],
        )  # fmt: skip
        loaded = _load(made, spec, trainer, seed=seed)
        chosen = _settle(made, spec, trainer, loaded, folder=folder)
        made.learner.places = parting.places(trainer, made.network, spec)
        facts = _facts(spec, made.network, trainer, made.plan, accumulation=loaded.accumulation)
        events.emit(events.StageStarted("train", facts))
        if trainer.is_global_zero:
            warn()
        about.progress.fill = loaded.fill
        about.keeper.watch(fill=loaded.fill)
        with compiling.compiled(made.network, wanted=spec.compile):
            trainers.run(lambda: about.keeper.fit(trainer, made.learner, loaded, state))
    report = _report(trainer, spec, about, loaded)
    rows_of = {name: len(rows) for name, rows in made.plan.encoded.items()}
    return replace(report, taken=taken, rows=rows_of, precision=precision.facts(trainer, chosen))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """What learns, and the task and the rows that it learns from: those of the layers that are not frozen."""

    task: Task
    plan: Plan
    network: nn.Module
    learner: Learner
    kept: frozen.Frozen | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _About:
    """What is about a training: it keeps, counts, and takes up again."""

    keeper: resume.Resume
    progress: TrainProgress
    checkpoints: Checkpoints


def _make(
    task: Task, model: Model, spec: TrainSpec, plan: Plan, extra: list[pl.Callback],
    components: Components, *, derive: frozen.Derive | None,
) -> _Made:  # fmt: skip
    network, optimization = _network(task, model, spec, plan, extra, components)
    kept = frozen.plan(
        task=task, model=model, network=network, spec=spec, encoded=plan.encoded,
        callbacks=extra, derive=derive,
    )  # fmt: skip
    if kept is not None:
        task, plan = kept.task, replace(plan, encoded=kept.encoded)
    learner = Learner(
        task=task, head=plan.head, network=network, optimization=optimization,
        valid=list(splits.places(spec.valid_split, "valid").values()),
    )  # fmt: skip
    return _Made(task=task, plan=plan, network=network, learner=learner, kept=kept)


def _surround(
    model: Model, spec: TrainSpec, plan: Plan, *, folder: Path, stop: Stop, loggers: list[Logger]
) -> _About:
    checkpoints = Checkpoints(
        folder / "checkpoints", model.save, plan.head, monitor=spec.monitor,
        mode=resolve_mode(spec.monitor, spec.mode), top_k=spec.top_k,
        save_every=spec.save_every, stop=stop,
    )  # fmt: skip
    return _About(
        keeper=resume.Resume.of(folder, spec, stop=stop, loggers=loggers),
        progress=TrainProgress(valid=splits.places(spec.valid_split, "valid").values()),
        checkpoints=checkpoints,
    )


def _load(made: _Made, spec: TrainSpec, trainer: pl.Trainer, *, seed: int) -> TrainData:
    encoded = made.plan.encoded
    return TrainData(
        task=made.task, spec=spec, seed=seed, train=encoded[spec.train_split],
        valid=[encoded[name] for name in splits.names(spec.valid_split)],
        drawing=made.plan.drawing, world_size=trainer.world_size,
    )  # fmt: skip


def _settle(
    made: _Made, spec: TrainSpec, trainer: pl.Trainer, loaded: TrainData, *, folder: Path
) -> precision.Choice | None:
    """Settle what only a Trainer with its data can: steps, precision, what is kept of frozen layers."""
    _settle_steps(trainer, spec, loaded, made.network)
    chosen = precision.settle(
        trainer, spec, task=made.task, network=made.network, sample=loaded.sample, folder=folder
    )
    if made.kept is not None:
        rows = len(made.plan.encoded[spec.train_split])
        made.kept.settle(trainer, made.network, pays=frozen.pays(spec, rows))
    return chosen


def _network(
    task: Task, model: Model, spec: TrainSpec, plan: Plan, callbacks: list[pl.Callback],
    components: Components,
) -> tuple[nn.Module, Optimization]:  # fmt: skip
    """The network and how its weights are updated; adds the callbacks that the network itself needs."""
    network = build(task, model, plan)
    unfreezing.bind(callbacks, model, network)
    callbacks += [*adalora.callbacks(network), *compiling.callbacks(wanted=spec.compile)]
    optimization = Optimization(
        optimizer=spec.optimizer, scheduler=spec.scheduler, components=components,
        layer_decay=spec.layer_decay, lr_by_name=spec.lr_by_name,
    )  # fmt: skip
    optimization.check(network)
    return network, optimization


def _settle_steps(
    trainer: pl.Trainer, spec: TrainSpec, loaded: TrainData, network: nn.Module
) -> None:
    """Have the Trainer make the steps that the batches come to."""
    check_places(spec.pad_to, network)
    sizes = {"batches": len(loaded.batches), "accumulation": loaded.accumulation}
    check_validations(spec, **sizes)
    trainers.accumulate(trainer, spec, **sizes)


def _facts(
    spec: TrainSpec, network: nn.Module, trainer: pl.Trainer, plan: Plan, *, accumulation: int
) -> str:
    rows = ", ".join(f"{len(rows):,} rows of {name}" for name, rows in plan.encoded.items())
    parameters = sum(p.numel() for p in network.parameters())
    size = f"{parameters / 1e6:,.1f} M" if parameters >= 1e6 else f"{parameters:,}"
    batch = f"{spec.batch_size}"
    if spec.batching == "tokens":
        batch = f"at most {spec.tokens_per_batch:,} tokens"
    elif accumulation > 1:
        batch += f", {spec.batch_size // (accumulation * trainer.world_size)} at a time"
        batch += " on each device" * (trainer.world_size > 1)
    return (
        f"{rows}; {spec.epochs} {'epoch' if spec.epochs == 1 else 'epochs'} in batches of "
        f"{batch}; {size} parameters on {trainer.strategy.root_device.type}"
    )


def _report(
    trainer: pl.Trainer,
    spec: TrainSpec,
    about: _About,
    loaded: TrainData,
) -> FitReport:
    checkpoints, progress = about.checkpoints, about.progress
    return FitReport(
        epochs=trainer.current_epoch,
        steps=trainer.global_step,
        seconds=about.keeper.clock.seconds,
        best_metrics=checkpoints.best_metrics,
        best_value=checkpoints.best_value,
        best_step=checkpoints.best_step or 0,
        stopped=why_stopped(trainer, spec, checkpoints),
        examples_per_second=progress.rows_seen
        * trainer.world_size
        / max(progress.train_seconds, 1e-9),
        batch_fill=loaded.fill.share,
        checkpoints=checkpoints.kept,
        model_folder=checkpoints.best,
    )
