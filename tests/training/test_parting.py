"""Batches that go through the network in parts, in Lightning's own loop."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from safetensors.torch import load_file

from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.errors import TrainingError
from mlrecipe.recipe.schema import Component
from mlrecipe.training import parting
from mlrecipe.training.fit import FitReport, fit
from tests.training.tiny import LABELS, components, make_spec, make_splits, write_tiny

SGD = {"optimizer": Component(use="SGD", params={"lr": 1.0})}
PLAIN = {"accelerator": "cpu", "log_every_n_steps": 1}
Train = Callable[..., FitReport]


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model without dropout."""
    folder = tmp_path_factory.mktemp("still")
    return write_tiny(folder, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)


@pytest.fixture
def train(still: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Trains on 22 rows in a run directory of its own, with parts of at most 40 places."""
    monkeypatch.setattr(parting, "_LEAST", 40 // torch.get_num_threads())
    monkeypatch.setattr(parting, "_NUMBERS", 0)

    def run(name: str, *, task: dict[str, Any] | None = None, **changes: Any) -> FitReport:
        folder = tmp_path / name
        folder.mkdir()
        spec = make_spec(**{"trainer": PLAIN, "valid_split": "", "epochs": 2, **SGD, **changes})
        return fit(
            task=TextClassification(labels=LABELS, **(task or {})),
            model=Transformer(config=str(still)), seed=1, data=make_splits(train=22), folder=folder,
            spec=spec, components=components({"Calls": Calls, "Late": Late}),
        )  # fmt: skip

    return run


class Calls(pl.Callback):
    """Notes with how many rows the network is called, and the losses that Lightning hands on."""

    rows: list[int]
    losses: list[float]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        type(self).rows, type(self).losses = [], []
        network: Any = pl_module.network
        network.register_forward_pre_hook(
            lambda _, args, given: self.rows.append(len(given["input_ids"])), with_kwargs=True
        )

    def on_train_batch_end(self, *found: Any) -> None:
        self.losses.append(float(found[2]["loss"]))


class Late(pl.Callback):
    """Spoils the second call of the network."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        calls: list[int] = []

        def spoil(module: Any, inputs: Any, output: Any) -> Any:
            calls.append(1)
            if len(calls) == 2:
                output.logits = output.logits * math.nan
            return output

        network: Any = pl_module.network
        network.register_forward_hook(spoil)


def losses(report: FitReport) -> list[float]:
    """The loss of each step, as logged."""
    path = next(report.checkpoints["last"].parents[1].rglob("metrics.csv"))
    with path.open() as file:
        return [float(row["train/loss"]) for row in csv.DictReader(file) if row.get("train/loss")]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"device_batch_size": 4},
        {"task": {"label_smoothing": 0.1, "class_weights": [3.0, 1.0]}},
        {"batching": "shuffle"},
    ],
)
def test_parts_learn_what_the_whole_batch_does(train: Train, changes: dict[str, Any]) -> None:
    """Weights and losses are the same but for rounding; the network sees fewer rows at once."""
    watched = {"callbacks": {"calls": Component(use="Calls")}, **changes}
    in_parts = train("parts", **watched)
    calls, handed_on = list(Calls.rows), list(Calls.losses)
    whole = train("whole", parts="whole", **watched)

    assert len(calls) > len(Calls.rows)
    assert sum(calls) == sum(Calls.rows) == 44  # two epochs of 22
    assert losses(in_parts) == pytest.approx(losses(whole), rel=1e-5)
    assert handed_on == pytest.approx(Calls.losses, rel=1e-5)
    found, wanted = (
        load_file(r.checkpoints["last"] / "model.safetensors") for r in (in_parts, whole)
    )
    for name in wanted:
        torch.testing.assert_close(found[name], wanted[name], rtol=1e-4, atol=1e-5)


def test_parts_work_in_bf16(train: Train) -> None:
    """Whose casts of the weights are kept for no longer than one part."""
    trainer = {**PLAIN, "precision": "bf16-mixed"}
    in_parts, whole = (train(how, parts=how, trainer=trainer) for how in ("auto", "whole"))

    assert losses(in_parts) == pytest.approx(losses(whole), abs=0.02)


def test_a_later_part_that_is_no_number_stops_training(train: Train) -> None:
    """As a batch does, before anything is learnt from it."""

    with pytest.raises(TrainingError, match="at step 1, epoch 1"):
        train("late", callbacks={"late": Component(use="Late")})


def test_long_rows_go_one_by_one(still: Path) -> None:
    """A row is never cut, and parts are as alike as can be."""
    batch = {"input_ids": torch.zeros(10, 512, dtype=torch.int64)}
    task = TextClassification(labels=LABELS)

    assert [len(part["input_ids"]) for part, _ in task.separate(batch, 256)] == [1] * 10
    assert [len(part["input_ids"]) for part, _ in task.separate(batch, 512 * 4)] == [4, 3, 3]
    assert sum(share for _, share in task.separate(batch, 512 * 4)) == pytest.approx(1)
    assert task.separate(batch, 5120) == [(batch, 1.0)]
