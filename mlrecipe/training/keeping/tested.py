"""Tested: what a test keeps while it goes on, and how it goes on where another was stopped.

Beside the rows of `predictions.arrow.part` lies `predictions.arrow.state`: the scores and targets of each batch
as they were, so that the metrics of a resumed test are those of one that was never stopped. Several processes
have a file of each sort of their own.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import pytorch_lightning as pl
import torch
from torch import Tensor

from mlrecipe.errors import TrainingError
from mlrecipe.interfaces import Head, StepOutput
from mlrecipe.runs import kept
from mlrecipe.training import streams
from mlrecipe.training.companions import Companions
from mlrecipe.training.devices.dealing import Dealt
from mlrecipe.training.keeping.records import RECORD
from mlrecipe.training.predictions import Predictions, merge, part, unfinished

_CALLED = {
    "split_rows": "number of rows", "batch_size": "batch size", "processes": "number of processes",
    "checkpoint": "checkpoint",
}  # fmt: skip
"""What the facts of a test are called that must be the same when it goes on."""

_TYPES = {
    str(kind).removeprefix("torch."): kind
    for kind in (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64,
                 torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool)
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What there is to keep of a split."""

    path: Path
    """Its predictions, once they are whole."""

    split: str
    rows: int
    beside: Companions
    """Columns that stand beside its predictions."""


class Keep(pl.Callback):
    """Writes each batch's predictions: a file of each split and process, then the first puts them together.

    What an equal test that was stopped has left in the folder is counted, and stays.
    """

    def __init__(
        self, splits: Sequence[Kept], head: Head, *, checkpoint: Path, batch_size: int
    ) -> None:
        """Keep the predictions of splits.

        Args:
            splits: what is tested.
            head: of the model.
            checkpoint: the model's.
            batch_size: rows of each batch.
        """
        self._splits = list(splits)
        self._head = head
        self._size = batch_size
        self._model = hashlib.sha256((checkpoint / RECORD).read_bytes()).hexdigest()
        self._rank, self._world_size = 0, 1
        self._open = ExitStack()
        self._predictions: list[Predictions] = []
        self._states: list[_States] = []
        self.starts = [0] * len(self._splits)
        """Steps of each split that need not be made again."""

        self.rows = 0
        """How many rows of all splits those are."""

    def take_up(self, *, rank: int, world_size: int) -> None:
        """Find what a test that was stopped has left, for this process of several.

        Raises:
            TrainingError: it was another test.
        """
        self._rank, self._world_size = rank, world_size
        for number, each in enumerate(self._splits):
            self._check(each)
            self.starts[number] = self._steps(each)
        needed = [-(-each.rows // (self._size * world_size)) for each in self._splits]
        if self.starts == needed:
            self.starts[-1] -= 1  # Lightning makes no test of nothing
        made = [start * self._size * world_size for start in self.starts]
        self.rows = sum(map(min, made, (each.rows for each in self._splits)))

    def on_test_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the files, and count what is in them."""
        count: Any = pl_module.count
        for number, each in enumerate(self._splits):
            path, batches = self._own(each, self._rank), self._batches(number)
            self._predictions.append(self._open.enter_context(Predictions(
                path, self._head, split=each.split, beside=each.beside, batches=batches
            )))  # fmt: skip
            states = _States(_state(path), self._facts(each), batches=batches)
            self._states.append(states)
            self._open.callback(states.close)
            for output in states.outputs():
                count(_moved(output, pl_module.device), number=number)

    def on_test_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any,
        batch_idx: int, dataloader_idx: int = 0,
    ) -> None:  # fmt: skip
        """Write the batch."""
        rows = _dealt(trainer)[dataloader_idx].rows(batch_idx)
        if len(rows):
            self._predictions[dataloader_idx].add(outputs["scores"], outputs["targets"], rows=rows)
            self._states[dataloader_idx].add(outputs.get("output"), rows=len(rows))

    def on_test_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Give the files their names."""
        self._open.close()
        trainer.strategy.barrier("predictions")
        if self._world_size > 1 and trainer.is_global_zero:
            for each in self._splits:
                merge(each.path, world_size=self._world_size, rows=each.rows)
        trainer.strategy.barrier("merged")

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Leave what was written, if anything was."""
        self._open.__exit__(type(exception), exception, exception.__traceback__)
        paths = [self._own(each, self._rank) for each in self._splits]
        if not any(kept.frames(_state(path))[1] for path in paths):
            for path in paths:
                unfinished(path).unlink(missing_ok=True)
                _state(path).unlink(missing_ok=True)

    def _own(self, each: Kept, rank: int) -> Path:
        """The predictions of a split of one process."""
        return each.path if self._world_size == 1 else part(each.path, rank)

    def _facts(self, each: Kept) -> dict[str, Any]:
        return {
            "split_rows": each.rows, "batch_size": self._size, "processes": self._world_size,
            "checkpoint": self._model,
        }  # fmt: skip

    def _check(self, each: Kept) -> None:
        """Raise unless the split's files are those of an equal test."""
        for path in sorted(each.path.parent.glob(f"{each.path.name}*{kept.STATE}")):
            then = {k: v for k, v in kept.frames(path)[0].items() if k != "bytes"}
            now = self._facts(each)
            for key in (name for name in now if name in then and then[name] != now[name]):
                numbers = "" if key == "checkpoint" else f", {then[key]} → {now[key]}"
                what = f"it was begun with another {_CALLED[key]}{numbers}"
                raise TrainingError(
                    f"the test of split {each.split!r} cannot go on: {what}",
                    hint="test anew: leave --resume out",
                )

    def _steps(self, each: Kept) -> int:
        """Steps that all processes have made and kept."""
        return min(self._kept(each, rank) for rank in range(self._world_size))

    def _kept(self, each: Kept, rank: int) -> int:
        """Of one process; without a batch in the last step it has made that one, too."""
        path = self._own(each, rank)
        if path.exists() and not unfinished(path).exists():
            os.replace(path, unfinished(path))  # it was whole, and what was to follow did not
        batches = min(
            len(kept.frames(_state(path))[1]), max(len(streams.places(unfinished(path))) - 1, 0)
        )
        in_all = -(-each.rows // self._size)
        is_done = batches == len(range(rank, in_all, self._world_size))
        return -(-in_all // self._world_size) if is_done and batches else batches

    def _batches(self, number: int) -> int:
        """Batches of this process that stay."""
        in_all = -(-self._splits[number].rows // self._size)
        mine = len(range(self._rank, in_all, self._world_size))
        return min(self.starts[number], mine)


def forget(folder: Path) -> None:
    """Remove what a finished test had kept to go on."""
    for path in folder.glob(f"predictions*.arrow*{kept.STATE}"):
        path.unlink(missing_ok=True)


class _States:
    """The scores, targets and losses of batches, a frame each."""

    def __init__(self, path: Path, facts: Mapping[str, Any], *, batches: int) -> None:
        """Write them, behind the first `batches` that are there."""
        self._path = path
        self._frames = kept.frames(path)[1][:batches]
        self._file = self._opened(facts)

    def outputs(self) -> Iterator[StepOutput]:
        """What is kept of the batches with labels, in their order."""
        with self._path.open("rb") as file:
            for frame in self._frames:
                if "scores" in frame.facts:
                    yield _output(frame, file)

    def add(self, output: StepOutput | None, *, rows: int) -> None:
        """Add a batch, of whose output nothing is kept where it has no labels."""
        if output is None:
            self._file.write(kept.line({"rows": rows}))
        else:
            loss, weight = float(output.loss.detach()), output.weight
            parts = {"scores": output.scores, "targets": output.targets}
            raw = {name: _bytes(tensor) for name, tensor in parts.items()}
            facts = {
                "rows": rows, "loss": loss if math.isfinite(loss) else str(loss), "weight": weight,
                **{name: _shape(tensor) for name, tensor in parts.items()},
            }  # fmt: skip
            self._file.write(kept.line(facts, bytes_=sum(map(len, raw.values()))))
            self._file.writelines(raw.values())
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _opened(self, facts: Mapping[str, Any]) -> BinaryIO:
        if not self._frames:
            file: BinaryIO = self._path.open("wb")
            file.write(kept.line(facts))
            file.flush()
            return file
        file = self._path.open("r+b")
        file.truncate(self._frames[-1].end)
        file.seek(0, 2)
        return file


def _state(path: Path) -> Path:
    return path.with_name(f"{path.name}{kept.STATE}")


def _dealt(trainer: pl.Trainer) -> list[Dealt]:
    """The batches of each split."""
    loaders: Any = trainer.test_dataloaders
    found = [loader.sampler for loader in loaders]
    assert all(isinstance(sampler, Dealt) for sampler in found)  # `test` made them
    return found


def _output(frame: kept.Frame, file: BinaryIO) -> StepOutput:
    facts = frame.facts
    file.seek(frame.start)
    scores, targets = (_tensor(facts[name], file) for name in ("scores", "targets"))
    loss = torch.tensor(float(facts["loss"]), dtype=torch.float64)
    return StepOutput(loss=loss, scores=scores, targets=targets, weight=facts["weight"])


def _moved(output: StepOutput, device: torch.device) -> StepOutput:
    loss = output.loss if device.type == "mps" else output.loss.to(device)
    return StepOutput(
        loss=loss, scores=output.scores.to(device), targets=output.targets.to(device),
        weight=output.weight,
    )  # fmt: skip


def _shape(tensor: Tensor) -> list[Any]:
    return [str(tensor.dtype).removeprefix("torch."), *tensor.shape]


def _bytes(tensor: Tensor) -> bytes:
    plain = tensor.detach().cpu().contiguous().reshape(-1)
    return plain.view(torch.uint8).numpy().tobytes()


def _tensor(shape: Sequence[Any], file: BinaryIO) -> Tensor:
    kind = _TYPES[shape[0]]
    sizes = [int(size) for size in shape[1:]]
    raw = bytearray(file.read(math.prod(sizes) * kind.itemsize))
    return (
        torch.frombuffer(raw, dtype=kind).reshape(sizes) if raw else torch.empty(sizes, dtype=kind)
    )
