"""What can be said against a training request before any work; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from importlib.util import find_spec
from typing import Any

from mlrecipe.code import kinds
from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import DataError, Problem, did_you_mean
from mlrecipe.recipe import evaluation, own, splits
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.layers import UNRESOLVED, Tree
from mlrecipe.recipe.positions import KeyPath
from mlrecipe.recipe.schema import TrainSpec
from mlrecipe.recipe.trainer import FOR_MODULES, OWN_TRAINER_KEYS, TRAINER, trainer_parameters
from mlrecipe.training.rules import batches as rules_batches
from mlrecipe.training.rules import devices as rules_devices
from mlrecipe.training.rules import evaluated as rules_evaluated
from mlrecipe.training.rules import keeping as rules_keeping
from mlrecipe.training.rules import loggers as rules_loggers
from mlrecipe.training.rules import metrics as rules_metrics
from mlrecipe.training.rules import models as rules_models
from mlrecipe.training.rules import optimization as rules_optimization
from mlrecipe.training.rules import own as rules_own
from mlrecipe.training.rules import repeats as rules_repeats
from mlrecipe.training.rules import tasks as rules_tasks

_MONITORING = ("EarlyStopping", "ModelCheckpoint")
"""Callbacks that watch a metric."""


def problems(tree: Tree, catalog: Catalog) -> list[Problem]:
    """What is wrong with the training that a recipe asks for, whatever its data: all of it, at once.

    Works on plain values, so that it comes together with all other mistakes of the recipe.
    """
    train = table_at(tree.values, ("train",))
    trainer = table_at(train, ("trainer",))
    task, model = table_at(tree.values, ("task",)), table_at(tree.values, ("model",))
    warmup = table_at(train, ("scheduler",)).get("warmup", 0)
    is_module = own.is_module(tree.values, catalog)
    checks: list[Callable[[], None]] = [
        lambda: check_warmup(warmup, key="train.scheduler.warmup"),
        *(
            partial(check_trainer, {name: value}, is_module=is_module)
            for name, value in trainer.items()
        ),
    ]
    for stage, key in (("train", "valid_split"), ("test", "split")):
        named = table_at(tree.values, (stage,)).get(key)
        checks.append(partial(splits.check, named, key=f"{stage}.{key}"))
    if isinstance(task.get("metrics"), list):
        checks.append(lambda: check_once(task["metrics"], key="task.metrics"))
    if task.get("use") in ("text-classification", "multi-label-classification"):
        checks.append(lambda: check_labels(task.get("labels"), key="task.labels"))
    if model.get("use") == "transformer":
        checks.append(lambda: check_source(model, key="model.checkpoint"))
    checks += [] if is_module else _monitors(tree.values, catalog)
    found = [problem for check in checks if (problem := _problem(check, tree)) is not None]
    found += rules_optimization.problems(tree, catalog)
    found += rules_batches.problems(tree, catalog)
    found += rules_devices.problems(tree, catalog)
    found += rules_models.problems(tree, catalog)
    found += rules_own.problems(tree, catalog)
    found += rules_keeping.problems(tree, catalog)
    found += rules_loggers.problems(tree, catalog)
    found += rules_repeats.problems(tree, catalog)
    found += rules_tasks.problems(tree, catalog)
    found += rules_metrics.problems(tree, catalog)
    return found + _argument_problems(trainer, tree, catalog)


def _problem(check: Callable[[], None], tree: Tree) -> Problem | None:
    try:
        check()
    except DataError as error:
        message = f"{error.message}; {error.hint}" if error.hint else error.message
        return tree.problem(tuple((error.key or "").split(".")), message)
    return None


def _monitors(values: Mapping[str, Any], catalog: Catalog) -> list[Callable[[], None]]:
    """Checks that what is watched will be there, where the task's metrics are known."""
    train, task = table_at(values, ("train",)), table_at(values, ("task",))
    found = catalog.find("task", task["use"]) if isinstance(task.get("use"), str) else None
    default = found.signature.params.get("metrics") if found else None
    metrics = task.get("metrics", default.default if default else None)
    if not isinstance(metrics, list) or not all(isinstance(name, str) for name in metrics):
        return []
    if any(catalog.find("metric", name) is None for name in metrics):
        return []  # that is said of the metrics themselves
    named = train.get("valid_split", "valid")
    if not isinstance(named, str | list):
        return []
    names = metric_names(rules_tasks.metrics_of(task, metrics), named)
    watched = {"train.monitor": train.get("monitor", "valid/loss")}
    for name, table in table_at(train, ("callbacks",)).items():
        if isinstance(table, Mapping) and table.get("use") in _MONITORING:
            watched[f"train.callbacks.{name}.monitor"] = table.get("monitor")
    return [
        partial(_check_node, monitor, values, key=key) if _is_of_node(monitor, values, named)
        else partial(
            check_monitor, splits.watched(monitor, named), names, key=key, valid_split=named
        )
        for key, monitor in watched.items()
        if isinstance(monitor, str)
    ]  # fmt: skip


def _is_of_node(monitor: str, values: Mapping[str, Any], valid_split: str | list[str]) -> bool:
    """Whether a monitor names a metric of an evaluation node."""
    place, _, metric = splits.watched(monitor, valid_split).partition("/")
    node = metric.partition("/")[0]
    is_valid = place in splits.places(valid_split, "valid").values()
    return is_valid and node in evaluation.tables(values)


def _check_node(monitor: str, values: Mapping[str, Any], *, key: str) -> None:
    """Raise unless the evaluation node that a monitor names is computed after each validation.

    And unless it may have that metric: of ops of one's own that is known once the node has run.
    """
    _, node, *rest = monitor.split("/")
    if node not in evaluation.on_validation(values):
        why = evaluation.why_not(values, node) or "`evaluate.validation` does not name it"
        message = f"evaluation node {node!r} is not computed after a validation: {why}"
        raise DataError(message, key=key)
    op, metric = evaluation.tables(values)[node].get("use"), "/".join(rest)
    if not rules_evaluated.is_possible(op, metric):
        message = f"evaluation node {node!r} has no metric {metric!r}"
        raise DataError(
            message, key=key, hint=did_you_mean(metric, rules_evaluated.known(op) or ())
        )


def _argument_problems(trainer: Mapping[str, Any], tree: Tree, catalog: Catalog) -> list[Problem]:
    """Arguments that Lightning's Trainer does not have, or not of that type."""
    known = trainer_parameters(catalog)
    found = []
    for name, value in trainer.items():
        path: KeyPath = (*TRAINER, name)
        if name in OWN_TRAINER_KEYS or not known or value is UNRESOLVED:
            continue
        if name not in known:
            message = f"unknown argument of Lightning's Trainer; {did_you_mean(name, known)}"
            found.append(tree.problem(path, message))
            continue
        wrong = kinds.convert(value, known[name].kind)[1]
        found += [tree.problem(path, message) for _, message in wrong]
    return found


def check_numbers(spec: TrainSpec) -> None:
    """Raise unless sizes and counts are positive."""
    names = ("batch_size", "device_batch_size", "eval_batch_size", "tokens_per_batch", "pad_to",
             "epochs", "max_steps", "validate_every", "top_k", "save_every", "resume_every")  # fmt: skip
    for name in names:
        value = getattr(spec, name)
        if value is not None and value < 1:
            raise DataError(f"{value!r} is not at least 1", key=f"train.{name}")
    check_warmup(spec.scheduler.params.get("warmup", 0), key="train.scheduler.warmup")


def check_warmup(warmup: object, *, key: str) -> None:
    """Raise for a number below 0."""
    if isinstance(warmup, int | float) and not warmup >= 0:
        hint = "a fraction of all steps when below 1, else steps"
        raise DataError(f"{warmup!r} is not at least 0", key=key, hint=hint)


def check_labels(labels: object, *, key: str) -> None:
    """Raise for a list of labels that is empty or has one twice."""
    if not isinstance(labels, Sequence) or isinstance(labels, str):
        return
    if not labels:
        hint = "leave it out to take the labels of the data"
        raise DataError("the list of labels is empty", key=key, hint=hint)
    twice = [label for position, label in enumerate(labels) if label in labels[:position]]
    if twice:
        raise DataError(f"label {twice[0]!r} is there twice", key=key)


def check_once(names: Sequence[object], *, key: str) -> None:
    """Raise for a name that is there twice."""
    twice = [name for position, name in enumerate(names) if name in names[:position]]
    if twice:
        raise DataError(f"{twice[0]!r} is there twice", key=key)


def packages(tree: Tree, catalog: Catalog) -> list[Problem]:
    """Loggers and adapters whose own packages are not installed here, found before anything is computed."""
    found = []
    for name, table in table_at(tree.values, ("train", "loggers")).items():
        use = table.get("use") if isinstance(table, Mapping) else None
        needed = rules_loggers.PACKAGES.get(use, ()) if isinstance(use, str) else ()
        if needed and not any(find_spec(package) for package in needed):
            command = rules_loggers.advice(str(use))
            message = f"{use} needs the package {needed[0]}, which is not installed: {command}"
            found.append(tree.problem(("train", "loggers", name), message))
    return found + rules_models.packages(tree)


def check_source(params: Mapping[str, object], *, key: str) -> None:
    """Raise unless exactly one of `checkpoint` and `config` has a value."""
    given = [name for name in ("checkpoint", "config") if params.get(name) is not None]
    if len(given) != 1:
        what = "both are" if given else "neither is"
        message = f"a model starts from a checkpoint or from a config, and {what} given"
        raise DataError(message, key=key)


def check_validations(spec: TrainSpec, *, batches: int, accumulation: int = 1) -> None:
    """Raise when training on so many batches an epoch ends before the first validation."""
    if spec.validate_every is None or not spec.valid_split:
        return
    steps = count_steps(spec, batches=batches, accumulation=accumulation)
    if spec.validate_every > steps:
        what = f"only {steps:,} optimizer {'step' if steps == 1 else 'steps'}"
        raise DataError(
            f"the model would never be validated: there will be {what}, and validation comes "
            f"after every {spec.validate_every:,}",
            key="train.validate_every",
            hint="leave it out to validate once an epoch",
        )


def count_steps(spec: TrainSpec, *, batches: int, accumulation: int = 1) -> int:
    """Optimizer steps of training on so many batches an epoch; an epoch's last one may have fewer batches."""
    steps = -(-limited(spec, batches) // accumulation) * spec.epochs
    return steps if spec.max_steps is None else min(steps, spec.max_steps)


def limited(spec: TrainSpec, batches: int) -> int:
    """So many of an epoch's batches as Lightning's `limit_train_batches` or `overfit_batches` leaves."""
    limit = spec.trainer.get("overfit_batches") or spec.trainer.get("limit_train_batches")
    if isinstance(limit, float):
        return int(batches * limit)
    return min(batches, limit) if isinstance(limit, int) else batches


def check_trainer(
    trainer: Mapping[str, Any], known: Iterable[str] | None = None, *, is_module: bool = False
) -> None:
    """Raise for a Trainer argument that mlrecipe sets itself or that is not in `known`.

    `is_module`: the task is a `LightningModule`, for which mlrecipe sets less.
    """
    for name in trainer:
        if name in OWN_TRAINER_KEYS and not (is_module and name in FOR_MODULES):
            raise DataError(
                f"{name!r} is set by mlrecipe",
                key=f"train.trainer.{name}",
                hint=OWN_TRAINER_KEYS[name],
            )
    for name in trainer:
        if known is not None and name not in known:
            free = set(known) - set(OWN_TRAINER_KEYS)
            message = f"Lightning's Trainer has no argument {name!r}"
            raise DataError(message, key=f"train.trainer.{name}", hint=did_you_mean(name, free))
    if trainer.get("limit_train_batches") == 0:
        message = "with `limit_train_batches = 0` there is nothing to learn from"
        raise DataError(message, key="train.trainer.limit_train_batches")
    if trainer.get("limit_val_batches") == 0:
        message = "with `limit_val_batches = 0` nothing is validated"
        hint = 'to train without validation set `train.valid_split = ""`'
        raise DataError(message, key="train.trainer.limit_val_batches", hint=hint)


def check_monitor(
    monitor: str, names: Sequence[str], *, key: str, valid_split: str | list[str] = "valid"
) -> None:
    """Raise unless `monitor` is one of `names`; the message lists them."""
    if monitor not in names:
        message = f"no metric {monitor!r} will be there; known: {', '.join(sorted(names))}"
        near = did_you_mean(monitor, names)
        hint = near if near.startswith("did") else None
        if (said := splits.meant(monitor, valid_split)) in names:
            hint = f"the metrics of a single split stand under `valid/`: {said!r}"
        raise DataError(message, key=key, hint=hint)


def metric_names(metrics: Iterable[str], valid_split: str | list[str] = "valid") -> list[str]:
    """The names under which a run reports losses and the task's metrics."""
    each = ["loss", *metrics]
    places = splits.places(valid_split, "valid").values() or ["valid"]
    return ["train/loss", *(f"{place}/{name}" for place in places for name in each)]


_LESS = ("gap", "rate", "wrong-share", "overconfidence", "brier", "negative-log-likelihood")


def resolve_mode(monitor: str, mode: str = "auto") -> str:
    """`min` or `max`: with `auto` losses, errors and distances should fall, everything else should rise.

    So should what evaluation nodes count of mistakes: `gap`, `rate`, `wrong-share` and their like.
    """
    if mode != "auto":
        return mode
    name = monitor.rpartition("/")[2].lower()
    is_less = name in _LESS or any(word in name for word in ("loss", "error", "distance"))
    return "min" if is_less else "max"
