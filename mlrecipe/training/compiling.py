"""Compilation: the network in the form that `torch.compile` makes of it, or an error that says why not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn

from mlrecipe import events
from mlrecipe.errors import TrainingError

BACKEND: str | Callable[..., Any] = "inductor"
"""What makes machine code of the network's graph."""

_MOST = 64
"""Versions of one function: shapes of batches, and those between breaks of the graph."""


class Eager(pl.Callback):
    """Validates with the network as it is: to compile it for other shapes would take longer."""

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the compiled form."""
        torch.compiler.set_stance("force_eager")

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Go back to it."""
        torch.compiler.set_stance("default")


def callbacks(*, wanted: bool) -> list[pl.Callback]:
    """What a training with a compiled network needs beside it."""
    return [Eager()] if wanted else []


@contextmanager
def compiled(network: nn.Module, *, wanted: bool) -> Iterator[None]:
    """Within the block the network runs compiled, a version for each shape of batch.

    Its parameters and their names stay as they are.

    Raises:
        TrainingError: nothing can be compiled on this machine, or there are more shapes than can be.
    """
    if not wanted:
        yield
        return
    if not hasattr(torch.compiler, "set_stance"):
        raise TrainingError("compiling needs torch 2.6 or newer", key="train.compile")
    text = (
        "the network is compiled anew for each shape of batch: first steps take minutes, it may be"
    )
    events.emit(events.Note(text))
    import torch._dynamo as dynamo

    # Past its limit torch would go on without compiling and say so in a warning.
    with dynamo.config.patch(recompile_limit=_MOST, fail_on_recompile_limit_hit=True):
        network.compile(dynamic=False, backend=BACKEND)
        try:
            yield
        except (dynamo.exc.TorchDynamoException, dynamo.exc.FailOnRecompileLimitHit) as error:
            raise _failed(getattr(error, "inner_exception", error)) from error
        finally:
            torch.compiler.set_stance("default")
            network._compiled_call_impl = None


def _failed(error: Exception) -> TrainingError:
    reason = next((line for line in str(error).splitlines() if line.strip()), "")
    return TrainingError(
        f"`torch.compile` cannot compile the network: {type(error).__name__}: {reason}",
        key="train.compile",
        hint="it needs a C++ compiler (g++, or the one that CXX names), on a GPU the package triton "
        "too; or set `train.compile = false`",
    )
