"""Training: from loaded splits to a trained model in a run directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from datasets import Dataset
from pytorch_lightning.callbacks import EarlyStopping
from torch import nn

from mlrecipe import events
from mlrecipe.interfaces import Model, Task
from mlrecipe.recipe.schema import TrainSpec
from mlrecipe.training import adalora, compiling, findings, unfreezing, watch
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
from mlrecipe.training.frozen import layers as frozen
from mlrecipe.training.keeping import resume
from mlrecipe.training.keeping.checkpoints import Checkpoints
from mlrecipe.training.module import Learner
from mlrecipe.training.optimization import Components, Optimization
from mlrecipe.training.preparing import Plan, build, keyed, prepare, revealed
from mlrecipe.training.progress import TrainProgress
from mlrecipe.training.settling import settle
from mlrecipe.training.signals import Stop
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
) -> FitReport:
    """Train a model; checkpoints and logs go into `folder`, which exists.

    `components` gives the registered object that a component names. With a `state` that an equal training
    left in the folder it goes on from there. `stop` then says whether it was asked to stop. `derive` keeps
    the outputs of frozen layers; without, they are computed in every epoch.

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
    plan = prepare(task, spec, data)
    warn = partial(findings.warn, task, data, plan.encoded)
    stop = stop or Stop()
    with trainers.quiet(), stop.guarding():
        spec = resume.continued(spec, state)
        extra = trainers.make_callbacks(spec, components, folder=folder, names=plan.names)
        loggers = trainers.make_loggers(spec, components, folder=folder)
        pl.seed_everything(seed, verbose=False)
        network, optimization = _network(task, model, spec, plan, extra, components)
        kept = frozen.plan(
            task=task, model=model, network=network, spec=spec, encoded=plan.encoded,
            callbacks=extra, derive=derive,
        )  # fmt: skip
        if kept is not None:
            task, plan = kept.task, replace(plan, encoded=kept.encoded)
        learner = Learner(task=task, head=plan.head, network=network, optimization=optimization)
        checkpoints = Checkpoints(
            folder / "checkpoints", model.save, plan.head, monitor=spec.monitor,
            mode=resolve_mode(spec.monitor, spec.mode), top_k=spec.top_k,
            save_every=spec.save_every, stop=stop,
        )  # fmt: skip
        progress = TrainProgress()
        keeper = resume.Resume.of(folder, spec, stop=stop, loggers=loggers)
        trainer = trainers.make_trainer(
            folder=folder, loggers=loggers, **trainers.train_arguments(spec),
            callbacks=[keeper, progress, Watch(folder / watch.FOLDER), *extra, checkpoints],
        )  # fmt: skip
        loaded = TrainData(
            task=task, spec=spec, seed=seed,
            train=plan.encoded[spec.train_split], valid=plan.encoded.get(spec.valid_split),
            drawing=plan.drawing, world_size=trainer.world_size,
        )  # fmt: skip
        _settle_steps(trainer, spec, loaded, network)
        chosen = precision.settle(
            trainer, spec, task=task, network=network, sample=loaded.sample, folder=folder
        )
        if kept is not None:
            rows = len(plan.encoded[spec.train_split])
            kept.settle(trainer, network, pays=frozen.pays(spec, rows))
        facts = _facts(spec, network, trainer, plan, accumulation=loaded.accumulation)
        events.emit(events.StageStarted("train", facts))
        if trainer.is_global_zero:
            warn()
        progress.fill = loaded.fill
        keeper.watch(fill=loaded.fill)
        with compiling.compiled(network, wanted=spec.compile):
            trainers.run(lambda: keeper.fit(trainer, learner, loaded, state))
    seconds = keeper.clock.seconds
    report = _report(trainer, spec, checkpoints, progress, loaded, seconds=seconds)
    return replace(report, taken=taken, precision=precision.facts(trainer, chosen))


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
    checkpoints: Checkpoints,
    progress: TrainProgress,
    loaded: TrainData,
    *,
    seconds: float,
) -> FitReport:
    return FitReport(
        epochs=trainer.current_epoch,
        steps=trainer.global_step,
        seconds=seconds,
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


def why_stopped(trainer: pl.Trainer, spec: TrainSpec, checkpoints: Checkpoints) -> str:
    """A sentence that says why training ended."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, EarlyStopping) and callback.stopped_epoch:
            times = callback.wait_count
            return (
                f"stopped early at step {trainer.global_step}: {callback.monitor} has not improved "
                f"on {float(callback.best_score):.4g} in {times} "
                f"{'validation' if times == 1 else 'validations'}; best "
                f"checkpoint at step {checkpoints.best_step}"
            )
    if spec.max_steps is not None and trainer.global_step >= spec.max_steps:
        return f"reached max_steps, {spec.max_steps}"
    if trainer.current_epoch >= spec.epochs:
        return f"finished {spec.epochs} {'epoch' if spec.epochs == 1 else 'epochs'}"
    return f"a callback ended it at step {trainer.global_step}"
