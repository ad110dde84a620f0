"""Recording: the outputs of the frozen part of a network for all rows, and what decides over them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pytorch_lightning as pl
import torch
from datasets import Dataset
from numpy.typing import NDArray
from torch import Tensor, nn

from mlrecipe import events
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Task, Trunk
from mlrecipe.training.batching.rows import Rows
from mlrecipe.training.batching.samplers import SortedBatches
from mlrecipe.training.frozen.replaying import FrozenTask, States

_PLACES = 8192
"""Rows times tokens of a batch; about as many as a processor works on at full speed."""

_MOST_ROWS = 256
_PROBED = 4
_TOLERANCE = {"32-true": 1e-4}

Indices = NDArray[np.int64]


class Recorder:
    """Runs the frozen part of a network over rows."""

    def __init__(self, task: Task, trunk: Trunk, network: nn.Module, trainer: pl.Trainer) -> None:
        self.device = trainer.strategy.root_device
        self.precision = str(trainer.precision)
        self.weights = weights_digest(trunk.weights)
        self._task = task
        self._trunk = trunk
        self._network = network
        self._context: Callable[[], Any] = trainer.precision_plugin.forward_context

    @contextmanager
    def running(self) -> Iterator[None]:
        """The network on its device and in evaluation; afterwards it and the random numbers are as before."""
        home = next(self._network.parameters()).device
        modes = {module: module.training for module in self._network.modules()}
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            try:
                self._network.to(self.device).eval()
                yield
            finally:
                self._network.to(home)
                for module, mode in modes.items():
                    module.training = mode

    def record(
        self, rows: Dataset, starts: Indices, out: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Fill `out` with what the trunk puts out for all rows, rows of like length together."""
        lengths = np.diff(starts)
        table = Rows(rows, self._task.collate, lengths=lengths)
        size = max(1, min(_MOST_ROWS, _PLACES // max(int(lengths.max(initial=1)), 1)))
        done = 0
        for numbers in SortedBatches(lengths, batch_size=size):
            batch = self._moved(table[numbers])
            found = self._forward(partial(self._recorded, batch)).float().cpu().numpy()
            if self._trunk.is_pooled:
                out[numbers] = found
            else:
                for row, number in zip(found, numbers.tolist(), strict=True):
                    out[starts[number] : starts[number + 1]] = row[: lengths[number]]
            done += len(numbers)
            events.emit(events.Progress(done, len(rows)))
        return out

    def _recorded(self, batch: Mapping[str, Tensor]) -> Tensor:
        return self._trunk.record(batch, lambda: self._task.step(self._network, batch))

    def agrees(self, task: FrozenTask, states: States, rows: Dataset) -> bool:
        """Whether a few rows give the same with and without the states."""
        lengths = self._task.lengths(rows)
        table = Rows(rows, task.collate, lengths=lengths)
        numbers = np.argsort(lengths, kind="stable")[:_PROBED]
        plain = self._forward(lambda: task.step(self._network, self._moved(table[numbers])))
        task.give(states)
        try:
            given = self._forward(lambda: task.step(self._network, self._moved(table[numbers])))
        except (RuntimeError, IndexError, TypeError, AttributeError, DataError):
            return False
        finally:
            task.give(None)
        off = _TOLERANCE.get(self.precision, 0.05)
        return torch.allclose(plain.scores.float(), given.scores.float(), rtol=off, atol=off)

    def _moved(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: tensor.to(self.device) for name, tensor in batch.items()}

    def _forward(self, call: Callable[[], Any]) -> Any:
        with torch.no_grad(), self._context():
            return call()


def rows_digest(rows: Dataset) -> str:
    """SHA-256 of the rows' content, however they are cut into chunks."""
    found = hashlib.sha256()
    arrow = rows.with_format("arrow")
    for name in rows.column_names:
        found.update(f"{name} {rows.features[name]} {len(rows)}\n".encode())
        for chunk in (
            arrow[start : start + 8192].column(name).combine_chunks()
            for start in range(0, len(rows), 8192)
        ):
            for array in chunk.chunks if isinstance(chunk, pa.ChunkedArray) else [chunk]:
                _add(found, array)
    return found.hexdigest()


def _add(found: Any, array: pa.Array) -> None:
    """Add an array's values: of lists their lengths and what is in them."""
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        found.update(np.asarray(array.value_lengths().fill_null(-1)).astype(np.int64).tobytes())
        _add(found, array.flatten())
    elif pa.types.is_integer(array.type) or pa.types.is_floating(array.type):
        found.update(array.to_numpy(zero_copy_only=False).tobytes())
    else:
        found.update(repr(array.to_pylist()).encode())


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 of the tensors' names, types, shapes and content."""
    found = hashlib.sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
