"""Gradual unfreezing: the head learns first, then one layer after the other joins it from the top."""

from __future__ import annotations

from collections.abc import Sequence

import pytorch_lightning as pl
from torch import nn

from mlrecipe import callback, events
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Layered, Model, Parts


@callback("gradual-unfreezing")
class GradualUnfreezing(pl.Callback):
    """Lets the head learn first, then the highest layer with it, and so on down to the embeddings.

    After Howard and Ruder 2018, Universal Language Model Fine-tuning (arXiv 1801.06146). What the model
    itself freezes stays frozen. Which layers learn follows from the epoch alone, so that a resumed training
    goes on as it was.
    """

    # Their parameters are in the optimizer's groups from the start, with the rates of the schedule: one
    # without a gradient is neither changed nor decayed, and has no state.

    def __init__(self, *, epochs_per_layer: int = 1) -> None:
        """Take down one layer at a time.

        Args:
            epochs_per_layer: epochs until the next layer joins.
        """
        if epochs_per_layer < 1:
            raise ValueError(f"`epochs_per_layer` is {epochs_per_layer!r}, not at least 1")
        self._epochs = epochs_per_layer
        self._steps: list[tuple[str, list[nn.Parameter]]] = []

    def bind(self, parts: Parts) -> None:
        """Take the layers that learn, the highest first, the embeddings last.

        Raises:
            DataError: none of them learns.
        """
        names = [f"layer {number}" for number in range(len(parts.layers), 0, -1)]
        modules: list[nn.Module] = [*reversed(parts.layers)]
        steps = [(name, _learning(m)) for name, m in zip(names, modules, strict=True)]
        steps.append(("the embeddings", [p for p in parts.below if p.requires_grad]))
        self._steps = [step for step in steps if step[1]]
        if not self._steps:
            raise DataError(
                "no layer would ever learn: the model freezes them all", key="train.callbacks"
            )

    def learning(self, epoch: int) -> list[str]:
        """What learns beside the head in an epoch, counted from 0."""
        return [name for name, _ in self._steps[: epoch // self._epochs]]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Freeze what does not learn yet; a resumed epoch does not begin again."""
        self._arrange(trainer)
        last = self.learning((trainer.max_epochs or 1) - 1)
        never = [name for name, _ in self._steps][len(last) :]
        if never and trainer.is_global_zero:
            epochs = "1 epoch" if trainer.max_epochs == 1 else f"{trainer.max_epochs} epochs"
            events.emit(events.Note(f"never learn in {epochs}: {_listed(never)}"))

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Let the epoch's layers learn."""
        self._arrange(trainer)
        epoch = trainer.current_epoch
        before = self.learning(epoch - 1) if epoch else []
        if (joined := self.learning(epoch)[len(before) :]) and trainer.is_global_zero:
            events.emit(events.Note(f"epoch {epoch + 1}: {_listed(joined)} learns from now on"))

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: object
    ) -> None:
        """Drop the gradients of what does not learn yet, where processes had to agree on them."""
        if trainer.world_size > 1:
            for _, parameters in self._steps[len(self.learning(trainer.current_epoch)) :]:
                for parameter in parameters:
                    parameter.grad = None

    def _arrange(self, trainer: pl.Trainer) -> None:
        if trainer.world_size > 1:
            return  # processes have agreed on whose gradients they share; these must come
        count = len(self.learning(trainer.current_epoch))
        for number, (_, parameters) in enumerate(self._steps):
            for parameter in parameters:
                parameter.requires_grad_(number < count)


def bind(callbacks: Sequence[pl.Callback], model: Model, network: nn.Module) -> None:
    """Show the layers of the network to the callbacks that let them join one by one.

    Raises:
        DataError: the model does not know them.
    """
    for each in callbacks:
        if not isinstance(each, GradualUnfreezing):
            continue
        if not isinstance(model, Layered):
            message = "`gradual-unfreezing` needs a model that knows its layers"
            hint = "give it a method `parts`, as `mlrecipe.interfaces.Layered` says"
            raise DataError(message, key="train.callbacks", hint=hint)
        each.bind(model.parts(network))


def _learning(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
