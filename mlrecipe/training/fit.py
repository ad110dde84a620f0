"""Training: from loaded splits to a trained model in a run directory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from datasets import Dataset
from pytorch_lightning.callbacks import EarlyStopping
from torch import nn

from mlrecipe import events
from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.interfaces import Head, Model, Task
from mlrecipe.recipe.deferred import reveal
from mlrecipe.recipe.schema import Component, TrainSpec
from mlrecipe.registry import Kind
from mlrecipe.training import (
    adalora,
    compiling,
    findings,
    frozen,
    precision,
    resume,
    unfreezing,
    watch,
)
from mlrecipe.training import trainer as trainers
from mlrecipe.training.batching.drawing import Drawing, make_drawing
from mlrecipe.training.batching.widths import check_places
from mlrecipe.training.checkpoints import Checkpoints
from mlrecipe.training.checks import (
    check_monitor,
    check_numbers,
    check_trainer,
    check_validations,
    metric_names,
    resolve_mode,
)
from mlrecipe.training.data import TrainData, splits_of
from mlrecipe.training.module import Learner
from mlrecipe.training.optimization import Optimization
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


def fit(
    *,
    task: Task,
    model: Model,
    spec: TrainSpec,
    seed: int,
    data: Mapping[str, Dataset],
    folder: Path,
    components: Callable[[Kind, Component], Any],
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
    plan = _prepare(task, spec, data)
    warn = partial(findings.warn, task, data, plan.encoded)
    stop = stop or Stop()
    with trainers.quiet(), stop.guarding():
        spec = resume.continued(spec, state)
        extra = trainers.make_callbacks(spec, components, folder=folder, names=plan.names)
        loggers = trainers.make_loggers(spec, components, folder=folder)
        pl.seed_everything(seed, verbose=False)
        network = _build(task, model, plan)
        unfreezing.bind(extra, model, network)
        extra += [*adalora.callbacks(network), *compiling.callbacks(wanted=spec.compile)]
        optimization = Optimization(
            optimizer=spec.optimizer, scheduler=spec.scheduler, components=components,
            layer_decay=spec.layer_decay, lr_by_name=spec.lr_by_name,
        )  # fmt: skip
        optimization.check(network)
        kept = frozen.plan(
            task=task, model=model, network=network, spec=spec, encoded=plan.encoded,
            callbacks=extra, derive=derive,
        )  # fmt: skip
        if kept is not None:
            task, plan = kept.task, replace(plan, encoded=kept.encoded)
        learner = Learner(
            task=task, head=plan.head, network=network, optimization=optimization
        )  # fmt: skip
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
        check_places(spec.pad_to, network)
        sizes = {"batches": len(loaded.batches), "accumulation": loaded.accumulation}
        check_validations(spec, **sizes)
        trainers.accumulate(trainer, spec, **sizes)
        chosen = precision.settle(
            trainer, spec, task=task, network=network, sample=loaded.sample, folder=folder
        )
        if kept is not None:
            rows = len(plan.encoded[spec.train_split])
            kept.settle(trainer, network, pays=frozen.pays(spec, rows))
        events.emit(events.StageStarted("train", _facts(spec, network, trainer, plan)))
        if trainer.is_global_zero:
            warn()
        progress.fill = loaded.fill
        keeper.watch(fill=loaded.fill)
        with compiling.compiled(network, wanted=spec.compile):
            trainers.run(lambda: keeper.fit(trainer, learner, loaded, state))
    seconds = keeper.clock.seconds
    report = _report(trainer, spec, checkpoints, progress, loaded, seconds=seconds)
    return replace(report, taken=taken, precision=precision.facts(trainer, chosen))


@contextmanager
def keyed(table: str, *, data: str = "train.data") -> Iterator[None]:
    """Turn a component's parameter in an error into the recipe's key, `label` into `task.label`.

    A component that blames `data` means the node whose output it got: the recipe's key `data`.
    """
    try:
        yield
    except DataError as error:
        if error.key is None or "." in error.key:
            raise
        key = data if error.key == "data" else f"{table}.{error.key}"
        raise DataError(error.message, key=key, hint=error.hint) from error


def require_split(data: Mapping[str, Dataset], name: str, *, key: str) -> Dataset:
    """The split of that name; raises when there is none or when it is empty."""
    if name not in data:
        message = f"the data have no split {name!r}; splits: {', '.join(data)}"
        near = did_you_mean(name, data)
        raise DataError(message, key=key, hint=near if near.startswith("did") else None)
    if not len(data[name]):
        raise DataError(f"split {name!r} has no rows", key=key)
    return data[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """What the data and the task decide before a model is there."""

    head: Head
    names: list[str]
    """Names of the metrics that will be reported."""

    encoded: Mapping[str, Dataset]

    drawing: Drawing
    """Which of the train rows an epoch sees."""


def revealed(spec: TrainSpec, folder: Path) -> TrainSpec:
    """The spec with secrets and the run's folder put in."""

    def shown(component: Component) -> Component:
        return replace(component, params=reveal(component.params, run_dir=str(folder)))

    return replace(
        spec, optimizer=shown(spec.optimizer), scheduler=shown(spec.scheduler),
        trainer=reveal(spec.trainer, run_dir=str(folder)),
        callbacks={name: shown(component) for name, component in spec.callbacks.items()},
        loggers={name: shown(component) for name, component in spec.loggers.items()},
    )  # fmt: skip


def _prepare(task: Task, spec: TrainSpec, data: Mapping[str, Dataset]) -> _Plan:
    splits = _require_splits(data, spec)
    with keyed("task"):
        head = task.head(splits)
        names = metric_names(task.meters(head))
        check_monitor(spec.monitor, names, key="train.monitor")
        encoded = {name: task.encode(rows, head, split=name) for name, rows in splits.items()}
    train = spec.train_split
    drawing = make_drawing(spec, task, encoded[train], splits[train])
    if spec.device_batch_size is None and spec.batching != "tokens":
        check_validations(spec, batches=-(-drawing.rows // spec.batch_size))
    return _Plan(head=head, names=names, encoded=encoded, drawing=drawing)


def _build(task: Task, model: Model, plan: _Plan) -> nn.Module:
    """The network in training mode: a pretrained one comes in the other, and Lightning keeps it."""
    with keyed("model"):
        network = model.build(plan.head)
    with keyed("task"):
        for split, rows in plan.encoded.items():
            task.check(network, rows, split=split)
    return network.train()


def _require_splits(data: Mapping[str, Dataset], spec: TrainSpec) -> dict[str, Dataset]:
    require_split(data, spec.train_split, key="train.train_split")
    if spec.valid_split:
        require_split(data, spec.valid_split, key="train.valid_split")
    return splits_of(data, spec)


def _facts(spec: TrainSpec, network: nn.Module, trainer: pl.Trainer, plan: _Plan) -> str:
    rows = ", ".join(f"{len(rows):,} rows of {name}" for name, rows in plan.encoded.items())
    parameters = sum(p.numel() for p in network.parameters())
    size = f"{parameters / 1e6:,.1f} M" if parameters >= 1e6 else f"{parameters:,}"
    batch = f"{spec.batch_size}"
    if spec.batching == "tokens":
        batch = f"at most {spec.tokens_per_batch:,} tokens"
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
        examples_per_second=progress.rows_seen * trainer.world_size / max(progress.train_seconds, 1e-9),
        batch_fill=loaded.fill.share,
        checkpoints=checkpoints.kept,
        model_folder=checkpoints.best,
    )


def why_stopped(trainer: pl.Trainer, spec: TrainSpec, checkpoints: Checkpoints) -> str:
    """A sentence that says why training ended."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, EarlyStopping) and callback.stopped_epoch:
            return (
                f"stopped early at step {trainer.global_step}: {callback.monitor} has not improved "
                f"on {float(callback.best_score):.4g} in {callback.wait_count} validations; best "
                f"checkpoint at step {checkpoints.best_step}"
            )
    if spec.max_steps is not None and trainer.global_step >= spec.max_steps:
        return f"reached max_steps, {spec.max_steps}"
    if trainer.current_epoch >= spec.epochs:
        return f"finished {spec.epochs} {'epoch' if spec.epochs == 1 else 'epochs'}"
    return f"a callback ended it at step {trainer.global_step}"
