"""Frozen parts are computed once: their outputs are kept in the store, and epochs run from these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow.compute as pc
import pytorch_lightning as pl
from datasets import Dataset
from numpy.typing import NDArray
from pytorch_lightning.callbacks import BaseFinetuning
from torch import nn

from mlrecipe import events
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Freezable, Model, Task, Trunk
from mlrecipe.pipeline.derived import Derivation
from mlrecipe.recipe.schema import TrainSpec
from mlrecipe.training.frozen.recording import Recorder, rows_digest
from mlrecipe.training.frozen.replaying import FrozenTask, Part, States, numbered
from mlrecipe.training.unfreezing import GradualUnfreezing

_OP = "frozen"
_PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")
_STRATEGIES = ("SingleDeviceStrategy", "DDPStrategy")

Indices = NDArray[np.int64]


class Derive(Protocol):
    """What keeps values that are derived from the data: `pipeline.derived.Deriver`."""

    def has(self, derivation: Derivation) -> bool:
        """Whether the value is there."""

    def get(self, derivation: Derivation) -> Any:
        """The value."""


class Frozen:
    """What a training needs to compute the frozen part of its network once."""

    def __init__(
        self, task: Task, trunk: Trunk, encoded: Mapping[str, Dataset], derive: Derive
    ) -> None:
        self.task = FrozenTask(task, trunk)
        self.encoded = numbered(encoded)
        self._inner = task
        self._trunk = trunk
        self._splits = encoded
        self._derive = derive

    def settle(self, trainer: pl.Trainer, network: nn.Module, *, pays: bool) -> bool:
        """Have the outputs in the store and the task use them, where that can be; whether it does.

        The network and the random numbers are left as they were.

        Args:
            trainer: says on what device and in what precision.
            network: the whole network.
            pays: whether it is worth while to compute what is not there.

        Raises:
            StoreError: the disk has no room.
        """
        self.task.give(None)
        kind = type(trainer.strategy).__name__
        if str(trainer.precision) not in _PRECISIONS or kind not in _STRATEGIES:
            what = f"in precision {trainer.precision}" if kind in _STRATEGIES else f"under {kind}"
            return _not_kept(f"they are not kept {what}")
        recorder = Recorder(self._inner, self._trunk, network, trainer)
        found = {
            split: self._derivation(split, rows, recorder) for split, rows in self._splits.items()
        }
        if not pays and not all(self._derive.has(derivation) for derivation in found.values()):
            return False
        parts = []
        with recorder.running():
            for split, rows in self._splits.items():
                starts = None if self._trunk.is_pooled else _starts(self._inner, rows)
                try:
                    parts.append(Part(self._derive.get(found[split]), starts))
                except DataError as error:
                    return _not_kept(error.message)
            states = States(parts)
            if not recorder.agrees(self.task, states, next(iter(self.encoded.values()))):
                return _not_kept("the task gives something else with them")
        self.task.give(states)
        return True

    def _derivation(self, split: str, rows: Dataset, recorder: Recorder) -> Derivation:
        starts = _starts(self._inner, rows)
        count = len(rows) if self._trunk.is_pooled else int(starts[-1])
        facts = {
            "trunk": dict(self._trunk.facts), "weights": recorder.weights, "rows": rows_digest(rows),
            "precision": recorder.precision, "device": recorder.device.type,
        }  # fmt: skip
        shape = (count, self._trunk.size)

        def make(folder: Path) -> NDArray[np.float32]:
            return recorder.record(rows, starts, np.lib.format.open_memmap(
                folder / "states.npy", mode="w+", dtype=np.float32, shape=shape
            ))  # fmt: skip

        return Derivation(op=_OP, part=split, facts=facts, bytes=4 * count * shape[1], make=make)


def plan(
    *, task: Task, model: Model, network: nn.Module, spec: TrainSpec,
    encoded: Mapping[str, Dataset], callbacks: Sequence[pl.Callback], derive: Derive | None,
) -> Frozen | None:  # fmt: skip
    """What keeps the outputs of the network's frozen part; None where there is nothing to keep."""
    if derive is None or not spec.cache_frozen or not isinstance(model, Freezable):
        return None
    try:
        trunk = model.trunk(network)
    except DataError as error:
        _not_kept(error.message)
        return None
    if trunk is None:
        return None
    for callback in callbacks:
        if isinstance(callback, GradualUnfreezing | BaseFinetuning):
            _not_kept(f"{type(callback).__name__} lets layers learn later")
            return None
    if spec.compile:
        _not_kept("the network is compiled")
        return None
    if any(_has_windows(rows) for rows in encoded.values()):
        _not_kept("some rows are in several windows")
        return None
    return Frozen(task, trunk, encoded, derive)


def of_test(
    *, task: Task, model: Model, network: nn.Module, encoded: Mapping[str, Dataset],
    derive: Derive | None,
) -> Frozen | None:  # fmt: skip
    """What keeps the outputs for a test's rows; None where they are not small: a test needs them once.

    `encoded` are the splits that have labels: the others are predicted as they are.
    """
    if derive is None or not encoded or not isinstance(model, Freezable):
        return None
    try:
        trunk = model.trunk(network)
    except DataError:  # training has said so
        return None
    if trunk is None or not trunk.is_pooled:
        return None
    return Frozen(task, trunk, encoded, derive)


def pays(spec: TrainSpec, rows: int) -> bool:
    """Whether training goes through all rows at least once."""
    if spec.trainer.get("fast_dev_run"):
        return False
    steps = spec.max_steps
    return steps is None or spec.batching == "tokens" or steps * spec.batch_size >= rows


def _not_kept(why: str) -> bool:
    events.emit(events.Note(f"outputs of the frozen layers are computed in every epoch: {why}"))
    return False


def _has_windows(rows: Dataset) -> bool:
    """Whether rows of words come apart into several rows of a network's batch."""
    if "windows" not in rows.column_names:
        return False
    return bool(pc.any(pc.greater(pc.list_value_length(rows.data.column("windows")), 1)).as_py())


def _starts(task: Task, rows: Dataset) -> Indices:
    return np.concatenate([[0], np.cumsum(task.lengths(rows))]).astype(np.int64)
