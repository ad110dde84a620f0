"""Passes: prepared rows through the network, those of like length together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from datasets import Dataset
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor, nn

from mlrecipe import events
from mlrecipe.errors import DataError, RequestError, TrainingError
from mlrecipe.inference import tagged
from mlrecipe.inference.gold import Gold
from mlrecipe.inference.replay import SPLIT, of_input
from mlrecipe.interfaces import Head, Model, Predicting, Task
from mlrecipe.training.batching.rows import Rows

Precision = Literal["fp32", "bf16"]

_LONG = 1024
"""Rows up to this length are put into batches with any shorter ones."""


class Passes:
    """Takes rows through a network, and counts those with labels for the metrics."""

    def __init__(
        self, *, task: Task, network: nn.Module, head: Head, batch_size: int, device: torch.device,
        precision: Precision,
    ) -> None:  # fmt: skip
        self.gold = Gold(task, head)
        self._task = task
        self._head = head
        self._module = network.to(device).eval()
        self._batch_size = batch_size
        self._device = device
        self._precision = precision

    def scores(
        self, prepared: Dataset, *, start: int, refused: str = "", total: int | None = None
    ) -> list[NDArray[np.float32]]:
        """What the task says of prepared rows, of each an array, in their order.

        Args:
            prepared: the rows.
            start: number of the first.
            refused: why an op has left their labels out, where it has.
            total: rows that there will be in all, where that is known.

        Raises:
            RequestError: they are not what the task or the network takes.
        """
        gold = self.gold.encode(prepared, start=start, refused=refused)
        try:
            encoded = self._inputs(prepared) if gold is None else gold
            self._task.check(self._module, encoded, split=SPLIT)
        except DataError as error:
            raise RequestError(of_input(error.message), hint=error.hint) from error
        lengths = self._task.lengths(encoded)
        rows = Rows(encoded, self._task.collate, lengths=lengths)
        order = np.argsort(lengths, kind="stable")
        scores: list[Tensor] = []
        targets: list[Tensor] = []
        done = start
        for count in batches(np.asarray(lengths)[order], self._batch_size):
            some = order[done - start : done - start + count]
            score, target = self._forward(rows[some], is_gold=gold is not None)
            scores.append(score)
            targets += [] if target is None else [target]
            done += count
            events.progress(done, total)
        back = np.argsort(order, kind="stable")
        if gold is not None:
            self._update(scores, targets, torch.from_numpy(back))
        found = [row for batch in scores for row in batch.numpy().astype(np.float32, copy=False)]
        return [found[number] for number in back]

    def _update(self, scores: Sequence[Tensor], targets: Sequence[Tensor], back: Tensor) -> None:
        """Count the rows for the metrics, in their order; those with tags batch by batch, of any width."""
        if tagged.has_tags(self._head):
            for some, their in zip(scores, targets, strict=True):
                self.gold.update(some, their)
        else:
            self.gold.update(torch.cat(list(scores))[back], torch.cat(list(targets))[back])

    def _inputs(self, prepared: Dataset) -> Dataset:
        if isinstance(self._task, Predicting):
            return self._task.inputs(prepared, split=SPLIT)
        raise RequestError(
            f"the task {type(self._task).__name__} predicts no rows without labels: {self.gold.reason}",
            hint="give it the methods of `mlrecipe.interfaces.Predicting`",
        )

    def _forward(
        self, batch: Mapping[str, Tensor], *, is_gold: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Scores and, of rows with labels, targets."""
        given = {name: tensor.to(self._device) for name, tensor in batch.items()}
        is_half = self._precision == "bf16"
        with (
            torch.inference_mode(),
            torch.autocast(self._device.type, torch.bfloat16, enabled=is_half),
        ):
            if not is_gold:
                assert isinstance(self._task, Predicting)
                return self._task.scores(self._module, given).float().cpu(), None
            output = self._task.step(self._module, given)
        return output.scores.float().cpu(), output.targets.cpu()


def batches(lengths: Sequence[int] | NDArray[Any], most: int) -> list[int]:
    """How many rows each batch has, of rows by their length: at most so many.

    Where rows are very long none is filled up to more than twice its length: beside a text of 10,000 words 63
    short ones would take as long as 63 such texts.
    """
    made: list[int] = []
    first = 0
    for length in lengths:
        if not made or made[-1] == most or length > max(_LONG, 2 * first):
            made.append(0)
            first = length
        made[-1] += 1
    return made


def device_of(trainer: Mapping[str, Any]) -> torch.device:
    """The device that the recipe's Trainer asks for, else the best there is."""
    asked = trainer.get("accelerator", "auto")
    if asked in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return torch.device("cuda")
    if asked in ("auto", "gpu", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def loaded(model: Model, weights: Path) -> nn.Module:
    """The network of a folder with weights.

    Raises:
        TrainingError: they cannot be read.
    """
    try:
        return model.load(weights)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".:")
        raise TrainingError(
            f"cannot read the weights in {str(weights)!r}: {reason}",
            hint="they are damaged, or of another model: export it anew, or train it again",
        ) from error
