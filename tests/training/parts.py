"""Trainings for the tests of what a network's parts do in them."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertModel

from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.recipe.schema import Component
from mlrecipe.training.fit import FitReport, fit
from mlrecipe.training.keeping import states
from tests.training.tiny import LABELS, components, make_spec, make_splits


class Watch(pl.Callback):
    """Looks at the training after each step, and stops it at one."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.look: Any = None
        self.stop_at: int | None = None

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        if self.look is not None:
            self.seen.append(self.look(trainer, pl_module))
        if trainer.global_step == self.stop_at:
            os.kill(os.getpid(), signal.SIGINT)


def write_encoder(folder: Path) -> None:
    """Put weights beside the configuration of a folder."""
    torch.manual_seed(0)
    BertModel(BertConfig.from_pretrained(folder)).save_pretrained(folder)


def train(
    model: Transformer, run: Path, *, watch: Watch | None = None, state: Path | None = None,
    rows: int = 40, **changes: Any,
) -> FitReport:  # fmt: skip
    """Train in `run` on rows in batches of 8."""
    run.mkdir(exist_ok=True)
    callbacks = {"watch": Component(use="Watch"), **changes.pop("callbacks", {})}
    return fit(
        task=TextClassification(labels=LABELS), model=model,
        spec=make_spec(**changes, callbacks=callbacks), seed=1,
        data=make_splits(train=rows, valid=10), folder=run,
        components=components({"Watch": lambda: watch or Watch()}), state=state,
    )  # fmt: skip


def stop_and_resume(model: Transformer, run: Path, *, step: int, **settings: Any) -> FitReport:
    """Train, be interrupted after a step, and go on in the same folder."""
    watch = Watch()
    watch.stop_at = step
    with pytest.raises(KeyboardInterrupt):
        train(model, run, watch=watch, **settings)
    return train(model, run, state=states.newest(run / states.FOLDER), **settings)


def weights(report: FitReport) -> dict[str, torch.Tensor]:
    """Every tensor of the last checkpoint, adapters included."""
    files = sorted(report.checkpoints["last"].rglob("*.safetensors"))
    assert files
    return {f"{file.parent.name}/{n}": v for file in files for n, v in load_file(file).items()}
