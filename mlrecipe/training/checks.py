"""What can be said against a training request before any work; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.recipe.schema import TrainSpec

OWN_TRAINER_KEYS = {
    "max_epochs": "set `train.epochs`",
    "max_steps": "set `train.max_steps`",
    "min_epochs": "set `train.epochs`",
    "min_steps": "set `train.max_steps`",
    "max_time": "add a callback of class Timer",
    "val_check_interval": "set `train.validate_every`",
    "check_val_every_n_epoch": "set `train.validate_every`",
    "num_sanity_val_steps": "validation before the first step would count into the metrics",
    "logger": "use `train.loggers`",
    "callbacks": "use `train.callbacks`",
    "enable_checkpointing": "best and last checkpoint are always kept",
    "enable_progress_bar": "progress is drawn by mlrecipe; use --quiet to silence it",
    "enable_model_summary": "the model's size is said when training starts",
    "default_root_dir": "a run's files are always in its run directory",
    "use_distributed_sampler": "batches are shared among processes by mlrecipe itself",
    "inference_mode": "mlrecipe decides it for each stage",
    "enable_autolog_hparams": "the run directory holds the resolved recipe",
}
"""Arguments of Lightning's Trainer that mlrecipe sets itself, and what to do instead."""


def validate_request(*, spec: TrainSpec, metrics: Sequence[str] | None = None) -> None:
    """Raise for what is wrong with `[train]` whatever the data: before any node is computed.

    Args:
        spec: the recipe's `[train]`.
        metrics: names of the task's metrics, where they are known.

    Raises:
        DataError: a Trainer argument is mlrecipe's own, a number makes no sense, or the monitored
            metric will not be there; `key` is the recipe's key.
    """
    check_numbers(spec)
    check_trainer(spec.trainer)
    if metrics is not None:
        check_monitor(spec.monitor, metric_names(metrics), key="train.monitor")


def check_numbers(spec: TrainSpec) -> None:
    """Raise unless sizes and counts are positive."""
    for name in ("batch_size", "eval_batch_size", "epochs", "max_steps", "validate_every"):
        value = getattr(spec, name)
        if value is not None and value < 1:
            raise DataError(f"{value!r} is not at least 1", key=f"train.{name}")


def check_trainer(trainer: Mapping[str, Any], known: Iterable[str] | None = None) -> None:
    """Raise for a Trainer argument that mlrecipe sets itself or that is not in `known`."""
    for name in trainer:
        if name in OWN_TRAINER_KEYS:
            raise DataError(
                f"{name!r} is set by mlrecipe", key="train.trainer", hint=OWN_TRAINER_KEYS[name]
            )
    for name in trainer:
        if known is not None and name not in known:
            free = set(known) - set(OWN_TRAINER_KEYS)
            message = f"Lightning's Trainer has no argument {name!r}"
            raise DataError(message, key="train.trainer", hint=did_you_mean(name, free))


def check_monitor(monitor: str, names: Sequence[str], *, key: str) -> None:
    """Raise unless `monitor` is one of `names`; the message lists them."""
    if monitor not in names:
        message = f"no metric {monitor!r} will be there; known: {', '.join(sorted(names))}"
        near = did_you_mean(monitor, names)
        raise DataError(message, key=key, hint=near if near.startswith("did") else None)


def metric_names(metrics: Iterable[str]) -> list[str]:
    """The names under which a run reports losses and the task's metrics."""
    return ["train/loss", "valid/loss", *(f"valid/{name}" for name in metrics)]


def resolve_mode(monitor: str, mode: str = "auto") -> str:
    """`min` or `max`: with `auto` losses and errors should fall, everything else should rise."""
    if mode != "auto":
        return mode
    name = monitor.rpartition("/")[2].lower()
    return "min" if "loss" in name or "error" in name else "max"
