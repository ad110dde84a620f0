"""From a recipe's data, task and model to encoded splits and a network."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from datasets import Dataset
from torch import nn

from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.interfaces import Head, Model, Task
from mlrecipe.recipe import splits
from mlrecipe.recipe.deferred import reveal
from mlrecipe.recipe.schema import Component, TrainSpec
from mlrecipe.training.batching.drawing import Drawing, make_drawing
from mlrecipe.training.checks import check_monitor, check_validations, metric_names
from mlrecipe.training.data import splits_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the data and the task decide before a model is there."""

    head: Head
    names: list[str]
    """Names of the metrics that will be reported."""

    encoded: Mapping[str, Dataset]

    drawing: Drawing
    """Which of the train rows an epoch sees."""


def revealed(spec: TrainSpec, folder: Path) -> TrainSpec:
    """The spec with secrets and the run's folder put in, and with what is monitored by its own name."""

    def shown(component: Component) -> Component:
        return replace(component, params=reveal(component.params, run_dir=str(folder)))

    def watching(component: Component) -> Component:
        monitor = component.params.get("monitor")
        if not isinstance(monitor, str):
            return component
        meant = splits.watched(monitor, spec.valid_split)
        return replace(component, params={**component.params, "monitor": meant})

    return replace(
        spec, optimizer=shown(spec.optimizer), scheduler=shown(spec.scheduler),
        trainer=reveal(spec.trainer, run_dir=str(folder)),
        monitor=splits.watched(spec.monitor, spec.valid_split),
        callbacks={name: watching(shown(component)) for name, component in spec.callbacks.items()},
        loggers={name: shown(component) for name, component in spec.loggers.items()},
    )  # fmt: skip


def prepare(
    task: Task, spec: TrainSpec, data: Mapping[str, Dataset], *, is_evaluated: bool = False
) -> Plan:
    """The head, the encoded splits and the rows of an epoch.

    `is_evaluated`: evaluation nodes have metrics too, and what is watched is checked once these are known.

    Raises:
        DataError: data and task do not fit each other; `key` is the recipe's own.
    """
    used = _require_splits(data, spec)
    with keyed("task"):
        head = task.head(used)
        names = metric_names(task.meters(head), spec.valid_split)
        if not is_evaluated:
            check_monitor(spec.monitor, names, key="train.monitor", valid_split=spec.valid_split)
        encoded = {name: task.encode(rows, head, split=name) for name, rows in used.items()}
    train = spec.train_split
    drawing = make_drawing(spec, task, encoded[train], used[train])
    if spec.device_batch_size is None and spec.batching != "tokens":
        check_validations(spec, batches=-(-drawing.rows // spec.batch_size))
    return Plan(head=head, names=names, encoded=encoded, drawing=drawing)


def build(task: Task, model: Model, plan: Plan) -> nn.Module:
    """The network in training mode: a pretrained one comes in the other, and Lightning keeps it."""
    with keyed("model"):
        network = model.build(plan.head)
    with keyed("task"):
        for split, rows in plan.encoded.items():
            task.check(network, rows, split=split)
    return network.train()


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


def _require_splits(data: Mapping[str, Dataset], spec: TrainSpec) -> dict[str, Dataset]:
    require_split(data, spec.train_split, key="train.train_split")
    splits.check(spec.valid_split, key="train.valid_split")
    for name in splits.names(spec.valid_split):
        require_split(data, name, key="train.valid_split")
    return splits_of(data, spec)
