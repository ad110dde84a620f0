"""Lightning's Trainer, with what the recipe asks for and without what mlrecipe says itself."""

from __future__ import annotations

import inspect
import logging
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from lightning_fabric.utilities.exceptions import MisconfigurationException
from lightning_fabric.utilities.warnings import PossibleUserWarning
from pytorch_lightning.callbacks import Checkpoint, EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers.logger import Logger

from mlrecipe.errors import DataError
from mlrecipe.recipe.schema import Component, TrainSpec
from mlrecipe.training.checks import check_monitor, limited, resolve_mode
from mlrecipe.training.devices import parts, precision
from mlrecipe.training.devices.distributed import launch_with
from mlrecipe.training.keeping.checkpoints import Checkpoints
from mlrecipe.training.keeping.logs import Log
from mlrecipe.training.making import given, make
from mlrecipe.training.optimization import Components
from mlrecipe.training.tracking.guarded import Guarded
from mlrecipe.training.tracking.loggers import make_logger
from mlrecipe.training.tracking.tracking import Tracking
from mlrecipe.training.validations import Validations

TRAINER_ARGUMENTS = tuple(inspect.signature(pl.Trainer.__init__).parameters)[1:]
_LOG_EVERY = 10
_ONE_DEVICE: Mapping[str, Any] = {"devices": 1}  # by itself Lightning starts a process for each GPU
_FOR_TESTS = (
    "accelerator", "devices", "num_nodes", "strategy", "plugins", "precision", "deterministic",
    "benchmark",
)  # fmt: skip
_PROFILERS = {
    "simple": "SimpleProfiler", "advanced": "AdvancedProfiler", "pytorch": "PyTorchProfiler",
}  # fmt: skip
_NAMES = ("pytorch_lightning", "lightning_fabric", "lightning.pytorch", "lightning.fabric")


def make_trainer(
    *, folder: Path, callbacks: Sequence[pl.Callback], loggers: Sequence[Logger], **arguments: Any
) -> pl.Trainer:
    """A Trainer that keeps its files in `folder` and prints nothing.

    Raises:
        DataError: Lightning refuses an argument.
    """
    own: dict[str, Any] = {
        "default_root_dir": folder,
        "callbacks": [*_trackings(loggers, callbacks, folder), *callbacks],
        "logger": list(loggers) or False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": any(isinstance(c, Checkpoint) for c in callbacks),
        "num_sanity_val_steps": 0,
        "use_distributed_sampler": False,
    }
    try:
        asked = parts.made(profiled(precision.named(arguments), folder))
        trainer = pl.Trainer(**{"log_every_n_steps": _LOG_EVERY, **asked, **own})
    except (MisconfigurationException, ValueError, TypeError, RuntimeError) as error:
        message = f"Lightning's Trainer refuses its arguments: {error}"
        raise DataError(message, key="train.trainer") from error
    precision.check(trainer, arguments)
    launch_with(trainer)
    return trainer


def profiled(arguments: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The arguments with a profiler that is given by name writing into the run: by itself it would print."""
    name = arguments.get("profiler")
    if not isinstance(name, str) or name not in _PROFILERS:
        return dict(arguments)
    return {**arguments, "profiler": {
        "use": _PROFILERS[name], "dirpath": str(folder / "logs"), "filename": "profile",
    }}  # fmt: skip


def train_arguments(spec: TrainSpec) -> dict[str, Any]:
    """The Trainer's arguments that come from the recipe's `[train]`."""
    arguments: dict[str, Any] = {
        **_ONE_DEVICE,
        **spec.trainer,
        "max_epochs": spec.epochs,
        "max_steps": spec.max_steps or -1,
    }
    if spec.validate_every is not None:
        # Without an epoch's count Lightning goes on counting batches across epochs.
        arguments["val_check_interval"] = spec.validate_every
        arguments["check_val_every_n_epoch"] = None
    return arguments


def accumulate(trainer: pl.Trainer, spec: TrainSpec, *, accumulation: int, batches: int) -> None:
    """Make each step of so many batches, of which a device has `batches` an epoch.

    Only a Trainer knows on how many devices it trains, and so how its batches make a step.
    """
    trainer.accumulate_grad_batches = accumulation
    if "log_every_n_steps" not in spec.trainer:  # once an epoch at least
        every = max(1, min(_LOG_EVERY, batches // accumulation))
        trainer.log_every_n_steps = every  # type: ignore[attr-defined]
    if spec.validate_every is not None:
        trainer.val_check_interval = spec.validate_every * accumulation
        if limited(spec, batches) % accumulation:
            trainer.callbacks.append(Validations(spec.validate_every))  # type: ignore[attr-defined]


def test_arguments(trainer: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the recipe's `[train.trainer]` that say where and how exactly to compute."""
    return {**_ONE_DEVICE, **{k: v for k, v in trainer.items() if k in _FOR_TESTS}}


def make_callbacks(
    spec: TrainSpec, components: Components, *, folder: Path, names: Sequence[str] | None
) -> list[pl.Callback]:
    """The recipe's callbacks, with what they need to know of the run.

    `names` are those of the metrics that there will be; None: they are not known.

    Raises:
        DataError: a callback does not take its parameters, or monitors what will not be there.
    """
    return [
        _make_callback(component, components, spec, key=f"train.callbacks.{name}", folder=folder,
                       names=names)
        for name, component in spec.callbacks.items()
    ]  # fmt: skip


def make_loggers(spec: TrainSpec, components: Components, *, folder: Path) -> list[Logger]:
    """A CSV log, `logs/metrics.csv`, and the recipe's loggers, none of which stops a training.

    Raises:
        TrainingError: a logger's own package is not installed, or it cannot be made.
        DataError: a logger does not take its parameters.
    """
    others = [
        make_logger(name, component, components, folder=folder)
        for name, component in spec.loggers.items()
    ]
    return [Log(folder), *others]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Lightning from printing tips and from warning of what mlrecipe has decided."""
    loggers = [logging.getLogger(name) for name in _NAMES]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for name in (*_NAMES, "torchmetrics"):
                warnings.filterwarnings("ignore", module=name.replace(".", r"\."))
            warnings.filterwarnings("ignore", category=PossibleUserWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def run(work: Callable[[], Any]) -> Any:
    """Run the Trainer's work; an interruption stays one (Lightning turns it into an exit)."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        return work()
    except SystemExit as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, handler)  # Lightning leaves it ignored
        raise KeyboardInterrupt from None


def _make_callback(
    component: Component, components: Components, spec: TrainSpec, *, key: str, folder: Path,
    names: Sequence[str] | None,
) -> pl.Callback:  # fmt: skip
    kind = components("callback", component)
    params = given(component)
    if isinstance(kind, type) and issubclass(kind, EarlyStopping):
        params = {"monitor": spec.monitor} | params
        if names is not None:
            check_monitor(
                params["monitor"], names, key=f"{key}.monitor", valid_split=spec.valid_split
            )
        mode = spec.mode if params["monitor"] == spec.monitor else "auto"
        params = {"mode": resolve_mode(params["monitor"], mode)} | params
    elif isinstance(kind, type) and issubclass(kind, ModelCheckpoint):
        params = {"dirpath": folder / "checkpoints" / "lightning"} | params
        if params.get("monitor") is not None:
            params = {"mode": resolve_mode(params["monitor"])} | params
        if names is not None and params.get("monitor") is not None:
            check_monitor(
                params["monitor"], names, key=f"{key}.monitor", valid_split=spec.valid_split
            )
    made: pl.Callback = make(kind, component.use, params, key=key)
    return made


def _trackings(
    loggers: Sequence[Logger], callbacks: Sequence[pl.Callback], folder: Path
) -> list[pl.Callback]:
    """What tells the recipe's loggers of recipe and final metrics, where there are any."""
    trackers = {each.table: each for each in loggers if isinstance(each, Guarded)}
    kept = next((each for each in callbacks if isinstance(each, Checkpoints)), None)
    if not trackers or kept is None:
        return []
    return [Tracking(
        trackers, folder=folder, best=lambda: (kept.best_metrics, kept.best_step or 0)
    )]  # fmt: skip
