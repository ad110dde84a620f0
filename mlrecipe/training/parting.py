"""Parting: a batch of long rows goes through the network in parts that the processor's caches hold.

Between two layers stand `places` times the width of a layer numbers, several times over. What the caches do not
hold goes to memory and back for every small operation, and is given back to the system and asked for again: a
batch of 32 rows of 512 tokens takes twice the time of the same rows one by one. The gradients are those of the
whole batch, but for rounding.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from mlrecipe.interfaces import Separable, Task
from mlrecipe.recipe.schema import TrainSpec

_NUMBERS = 1 << 19
"""How many numbers, places times the width of a layer, a part may have for each thread.

Measured: the best parts of widths 128, 256 and 512 have 0.2 to 0.8 million with layers of 384."""

_LEAST, _USUAL_WIDTH = 256, 768

Part = tuple[Mapping[str, Tensor], float]
"""Some rows of a batch, and their share of its loss."""


def places(trainer: pl.Trainer, network: nn.Module, spec: TrainSpec) -> int | None:
    """The most places, rows times the tokens of the longest, of a part; None where batches stay whole.

    They do on accelerators, with several processes, whose gradients are exchanged at the end of each part, with
    gradients scaled for half precision, and where the network is compiled for the shapes of whole batches.
    """
    device = trainer.strategy.root_device.type
    is_scaled = getattr(trainer.precision_plugin, "scaler", None) is not None
    if (
        spec.parts == "whole"
        or device != "cpu"
        or trainer.world_size > 1
        or is_scaled
        or spec.compile
    ):
        return None
    return most(network)


def most(network: nn.Module) -> int:
    """The most places of a part on this processor, by the width of the network's layers and torch's threads."""
    config = getattr(network, "config", None)
    width = getattr(config, "hidden_size", None) or getattr(config, "dim", None) or _USUAL_WIDTH
    return max(_NUMBERS // int(width), _LEAST) * torch.get_num_threads()


def parts_of(task: Task, batch: Mapping[str, Tensor], places: int | None) -> Sequence[Part]:
    """The batch in parts of at most so many places, if the task's rows do not meet."""
    if places is None or not isinstance(task, Separable):
        return [(batch, 1.0)]
    return task.separate(batch, places)


class Seen:
    """What the parts of a batch come to."""

    def __init__(self, *, factor: float = 1.0) -> None:
        """`factor` is by what the batch's loss is multiplied in its step."""
        self.factor = factor
        self.loss: Any = 0.0
        """The batch's loss; a scalar once a part was added."""

        self.parts = 0
        self.rows = 0
        self.weight = 0
        """Over how many items the loss is a mean."""

    def add(self, loss: Tensor, share: float, *, rows: int, weight: int) -> None:
        """Add a part's loss, by its share of the batch's."""
        self.loss = self.loss + (loss if math.isclose(share, 1.0) else loss * share)
        self.parts += 1
        self.rows += rows
        self.weight += weight


class Whole(pl.Callback):
    """Lets callbacks after it have the loss of the whole batch: Lightning knows that of the first part."""

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Put it into what Lightning hands on."""
        seen: Any = getattr(pl_module, "seen", None)
        if seen is not None and seen.parts > 1 and isinstance(outputs, dict):
            outputs["loss"] = seen.loss * seen.factor / trainer.accumulate_grad_batches
