"""Rehearsing: the evaluation of one batch, before training, so that what is wrong with it shows at once."""

from __future__ import annotations

import shutil
from collections.abc import Mapping

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from torch import nn

from mlrecipe.interfaces import Task
from mlrecipe.recipe.schema import TrainSpec
from mlrecipe.training.batching.rows import Rows
from mlrecipe.training.checks import check_monitor
from mlrecipe.training.devices import ranks
from mlrecipe.training.evaluating import Evaluating
from mlrecipe.training.keeping import randomness
from mlrecipe.training.predictions import Predictions
from mlrecipe.training.validated import own

_ROWS = 64
"""The most rows that are rehearsed with."""

_WATCHING = ("EarlyStopping", "ModelCheckpoint")


def rehearse(
    evaluating: Evaluating, task: Task, network: nn.Module, encoded: Mapping[str, Dataset]
) -> set[str]:
    """The names of the metrics that the evaluation of a validation gives, from some rows of each split.

    The rows are short and long ones. The network and the random numbers are left as they were. Only the first
    process of several rehearses.

    Raises:
        MlrecipeError: an evaluation node failed; the error says which.
    """
    if ranks.is_follower():
        return set()
    folder = evaluating.folder / ".rehearsal"
    random, modes = randomness.get(), [(part, part.training) for part in network.modules()]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        for each in evaluating.splits:
            rows = encoded[each.split]
            numbers = spread(task.lengths(rows))
            batch = Rows(rows, task.collate, lengths=task.lengths(rows))[numbers]
            with torch.no_grad():
                output = task.step(network.eval(), batch)
            path = own(folder / each.file, 0)
            with Predictions(path, evaluating.head, split=each.split, sampled_of=len(rows)) as file:
                file.add(output.scores, output.targets, rows=numbers)
            evaluating.names |= evaluating.evaluate(each, folder).keys()
    finally:
        randomness.put(random)
        for part, mode in modes:
            part.training = mode
        shutil.rmtree(folder, ignore_errors=True)
    return evaluating.names


def spread(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Numbers of some rows, from the shortest to the longest."""
    order = np.argsort(lengths, kind="stable")
    places = np.linspace(0, len(order) - 1, min(_ROWS, len(order))).round().astype(np.int64)
    chosen: NDArray[np.int64] = order[places]
    return chosen


def check_watched(spec: TrainSpec, names: list[str]) -> None:
    """Raise where the recipe or a callback watches a metric that will not be there; the first process does.

    Raises:
        DataError: with the key, and the names that there are.
    """
    for key, monitor in watched(spec).items() if not ranks.is_follower() else ():
        check_monitor(monitor, names, key=key, valid_split=spec.valid_split)


def watched(spec: TrainSpec) -> dict[str, str]:
    """Key → the metric that the recipe or one of its callbacks watches."""
    found = {"train.monitor": spec.monitor}
    for name, component in spec.callbacks.items():
        monitor = component.params.get("monitor")
        if component.use in _WATCHING and isinstance(monitor, str):
            found[f"train.callbacks.{name}.monitor"] = monitor
    return found
