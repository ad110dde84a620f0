"""Optimizer steps made of several batches, in Lightning's own loop."""

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

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.errors import DataError
from mlrecipe.recipe.schema import Component
from mlrecipe.training.fit import FitReport, fit
from tests.training.tiny import LABELS, components, make_spec, make_splits, write_tiny

SGD = {"optimizer": Component(use="SGD", params={"lr": 1.0}), "scheduler": Component(use="linear")}
PLAIN = {"accelerator": "cpu", "gradient_clip_val": 0.0}
Train = Callable[..., FitReport]


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model without dropout."""
    folder = tmp_path_factory.mktemp("still")
    return write_tiny(folder, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)


@pytest.fixture
def train(still: Path, tmp_path: Path) -> Train:
    """Trains on 22 rows in a run directory of its own."""

    def run(name: str = "run", *, rows: int = 22, extra: Any = None, **changes: Any) -> FitReport:
        folder = tmp_path / name
        folder.mkdir()
        spec = make_spec(**{"trainer": PLAIN, "valid_split": "", **changes})
        return fit(
            task=TextClassification(labels=LABELS), model=Transformer(config=str(still)), seed=1,
            data=make_splits(train=rows), folder=folder, spec=spec, components=components(extra),
        )  # fmt: skip

    return run


def weights_of(report: FitReport) -> dict[str, torch.Tensor]:
    return load_file(report.checkpoints["last"] / "model.safetensors")


class Steps(pl.Callback):
    """Notes after which batches of the epoch the optimizer stepped, and with which rate."""

    seen: list[tuple[int, int, float]]

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        type(self).seen = []

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        progress = trainer.fit_loop.epoch_loop.batch_progress.current
        rate = optimizer.param_groups[0]["lr"]
        self.seen.append((trainer.current_epoch, progress.ready - 1, rate))


def test_glue_20_the_last_step_of_an_epoch_may_be_of_fewer_batches(train: Train):
    """22 rows in steps of 8, 2 at once: four, four and three batches, in each epoch anew.

    The schedule falls over just these six steps.
    """
    report = train(
        epochs=2, device_batch_size=2, callbacks={"steps": Component(use="Steps")},
        extra={"Steps": Steps}, **SGD,
    )  # fmt: skip

    assert report.steps == 6
    assert [(e, b) for e, b, _ in Steps.seen] == [(e, b) for e in (0, 1) for b in (3, 7, 10)]
    assert [rate for _, _, rate in Steps.seen] == pytest.approx([1 - i / 6 for i in range(6)])


@pytest.mark.parametrize("limit", [4, 2, 1])
@pytest.mark.parametrize("rows", [22, 17])
def test_glue_19_accumulated_steps_learn_what_whole_ones_do(train: Train, limit: int, rows: int):
    """Step by step the gradient is the mean over the step's rows, also in the last one of fewer."""
    whole = weights_of(train("whole", rows=rows, **SGD))
    parts = weights_of(train("parts", rows=rows, device_batch_size=limit, **SGD))

    for name, weight in whole.items():
        torch.testing.assert_close(parts[name], weight, atol=1e-5, rtol=1e-5)


def test_a_limit_on_batches_ends_the_epoch_with_a_whole_mean(train: Train):
    """Three batches of four rows: the second step is the mean over its one batch alone."""
    weights = []

    class Watch(pl.Callback):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any,
                               batch_idx: int) -> None:  # fmt: skip
            weights.append(trainer.datamodule.weight_of(batch_idx))

    train(
        device_batch_size=4, trainer={**PLAIN, "limit_train_batches": 3}, extra={"Watch": Watch},
        callbacks={"watch": Component(use="Watch")},
    )  # fmt: skip

    assert weights == [1, 1, 2]


@pytest.mark.parametrize(("every", "epochs", "steps"), [(2, 2, [2, 4, 6]), (3, 3, [3, 6, 9])])
def test_validation_comes_after_steps_and_not_after_batches(
    train: Train, tmp_path: Path, every: int, epochs: int, steps: list[int]
):
    """Eleven batches make an epoch's three steps: no number of batches would do."""
    train(epochs=epochs, device_batch_size=2, validate_every=every, valid_split="valid")

    with (tmp_path / "run" / "logs" / "metrics.csv").open(newline="") as file:
        seen = [int(row["step"]) + 1 for row in csv.DictReader(file) if row["valid/loss"]]

    assert seen == steps


def test_a_validation_that_never_comes_is_an_error(train: Train):
    """Also where only the devices' batches tell how many steps there are."""
    with pytest.raises(DataError, match="only 3 optimizer steps"):
        train(device_batch_size=2, validate_every=4, valid_split="valid")


def test_glue_20_batches_by_tokens_make_as_many_steps_as_are_scheduled(train: Train):
    """Every epoch has the same number, and the rate falls to the last of them."""
    report = train(
        rows=60, epochs=3, batching="tokens", tokens_per_batch=120, extra={"Steps": Steps},
        callbacks={"steps": Component(use="Steps")}, **SGD,
    )  # fmt: skip
    rates = [rate for _, _, rate in Steps.seen]

    assert report.steps == len(rates) > 3
    assert report.steps % 3 == 0
    assert rates == pytest.approx([1 - i / len(rates) for i in range(len(rates))])


def test_overfit_batches_learns_the_same_ones_again(train: Train):
    """Lightning's own way to that would ask the rows for single ones."""
    seen = []

    class Watch(pl.Callback):
        def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any,
                                 batch_idx: int) -> None:  # fmt: skip
            seen.append(batch["input_ids"].tolist())

    report = train(
        epochs=2, trainer={**PLAIN, "overfit_batches": 2}, extra={"Watch": Watch},
        callbacks={"watch": Component(use="Watch")}, valid_split="valid", eval_batch_size=4,
    )  # fmt: skip

    assert report.steps == 4
    assert seen[:2] == seen[2:]
    assert seen[0] != seen[1]


def test_more_places_than_the_network_has_are_an_error(train: Train):
    """Before the first step, and not as an index that is out of range."""
    with pytest.raises(DataError, match="takes 64 tokens at most, not 65") as caught:
        train(batching="fixed", pad_to=65)

    assert caught.value.key == "train.pad_to"


def test_progress_shows_the_mean_loss_over_rows(train: Train):
    """And not the part of it that goes into an accumulated step."""
    seen: list[events.Event] = []

    with events.listening(seen.append):
        train(rows=6, device_batch_size=2, batch_size=8)

    shown = [e.values["loss"] for e in seen if isinstance(e, events.Progress) and e.values]
    assert shown[0] == pytest.approx(math.log(2), abs=0.3)


@pytest.mark.parametrize("sampling", ["balanced", "undersampled"])
def test_sampling_trains(train: Train, sampling: str):
    """Half of the rows have each label: both ways an epoch has three steps."""
    assert train(sampling=sampling).steps == 3


def test_the_report_knows_the_fill_of_fixed_batches(train: Train):
    """Padding to 60 places leaves most of them empty."""
    assert train(batching="fixed", pad_to=60).batch_fill < 0.5
