"""Averaged weights: what is validated is what is saved."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any, ClassVar

import pytest
import pytorch_lightning as pl
import torch
from safetensors.torch import load_file

from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.errors import DataError
from mlrecipe.recipe.schema import Component
from mlrecipe.training.fit import FitReport, fit
from mlrecipe.training.keeping import states
from mlrecipe.training.keeping.averaging import (
    EMAWeightAveraging,
    StochasticWeightAveraging,
)
from tests.training.killed import files_of
from tests.training.tiny import LABELS, components, make_spec, make_splits

EMA = Component(use="EMAWeightAveraging", params={"decay": 0.9})
SWA = Component(
    use="StochasticWeightAveraging",
    params={"swa_lrs": 1e-3, "swa_epoch_start": 2, "annealing_epochs": 2},
)
EQUAL = Component(use="WeightAveraging")


class Record(pl.Callback):
    """The weights after each step, and the learning rates; sends a signal if it is to."""

    seen: ClassVar[list[dict[str, torch.Tensor]]] = []
    rates: ClassVar[list[float]] = []
    stop_at = 0

    def on_before_zero_grad(self, trainer, pl_module, optimizer):
        Record.rates.append(optimizer.param_groups[0]["lr"])

    def on_train_batch_end(self, trainer, pl_module, *args):
        weights = pl_module.network.state_dict()
        Record.seen.append({name: value.clone() for name, value in weights.items()})
        if trainer.global_step == Record.stop_at:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.fixture(autouse=True)
def _afresh() -> None:
    Record.seen, Record.rates, Record.stop_at = [], [], 0


def train(
    tiny: Path, run: Path, average: Component, *, state: Path | None = None, **changes: Any
) -> FitReport:
    run.mkdir(exist_ok=True)
    callbacks = {"record": Component(use="Record"), "average": average}
    return fit(
        task=TextClassification(labels=LABELS), model=Transformer(config=str(tiny)),
        spec=make_spec(callbacks=callbacks, **changes), seed=1, data=make_splits(train=32),
        folder=run, components=components({"Record": Record}), state=state,
    )  # fmt: skip


def weights_of(checkpoint: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(checkpoint / "model.safetensors")
    return found


def validated(tiny: Path, checkpoint: Path) -> float:
    """The loss of a checkpoint on the valid split."""
    task, model = TextClassification(labels=LABELS), Transformer(config=str(tiny))
    data = make_splits(train=32)
    rows = task.encode(data["valid"], task.head(data), split="valid").with_format("arrow")
    with torch.no_grad():
        return float(task.step(model.load(checkpoint).eval(), task.collate(rows[:])).loss)


@pytest.mark.parametrize("average", [EMA, SWA, EQUAL], ids=lambda component: component.use)
def test_the_average_is_validated_and_saved(tiny: Path, tmp_path: Path, average: Component) -> None:
    """Best and last hold weights whose loss is the one that was reported; learning goes on without them."""
    report = train(tiny, tmp_path / "run", average, epochs=3, save_every=4)

    best = validated(tiny, report.checkpoints["best"])
    assert best == pytest.approx(report.best_metrics["valid/loss"], abs=1e-6)
    last = weights_of(report.checkpoints["last"])
    learning = Record.seen[-1]
    assert any(not torch.equal(last[name], learning[name]) for name in last)


def test_ema_decays_as_it_should(tiny: Path, tmp_path: Path) -> None:
    """The last checkpoint is the average by the formula, over the weights of all steps."""
    report = train(tiny, tmp_path / "run", EMA, epochs=2)

    expected = Record.seen[0]
    for weights in Record.seen[1:]:
        expected = {name: 0.9 * expected[name] + 0.1 * weights[name] for name in expected}
    for name, value in weights_of(report.checkpoints["last"]).items():
        torch.testing.assert_close(value, expected[name], atol=1e-6, rtol=1e-5)


def test_swa_averages_the_ends_of_the_last_epochs(tiny: Path, tmp_path: Path) -> None:
    """Of epochs 2, 3 and 4, the last one included; its rate leaves the schedule for its own."""
    report = train(tiny, tmp_path / "run", SWA, epochs=4)

    ends = [Record.seen[i] for i in (7, 11, 15)]
    for name, value in weights_of(report.checkpoints["last"]).items():
        expected = torch.stack([end[name] for end in ends]).mean(0)
        torch.testing.assert_close(value, expected, atol=1e-6, rtol=1e-5)
    per_epoch = [Record.rates[i : i + 4] for i in range(0, 16, 4)]
    assert len(set(per_epoch[0])) == 4
    assert all(len(set(rates)) == 1 for rates in per_epoch[1:])
    assert per_epoch[2][0] == per_epoch[3][0] == pytest.approx(1e-3)


def test_before_the_first_average_the_learning_weights_are_validated(
    tiny: Path, tmp_path: Path
) -> None:
    """Lightning would validate the weights of before the training."""
    late = Component(use="EMAWeightAveraging", params={"update_starting_at_step": 100})

    report = train(tiny, tmp_path / "run", late, epochs=1)

    last = weights_of(report.checkpoints["last"])
    assert all(torch.equal(last[name], Record.seen[-1][name]) for name in last)


def test_whole_numbers_are_not_averaged(tiny: Path, tmp_path: Path) -> None:
    """The places of a BERT: 0.1 and 0.9 of a number make less than it, and would be cut down."""
    seen: list[torch.Tensor] = []

    class Places(pl.Callback):
        def on_validation_batch_start(self, trainer, pl_module, *args):
            buffers = dict(pl_module.named_buffers())
            seen.extend(v.clone() for k, v in buffers.items() if k.endswith("position_ids"))

    run = tmp_path / "run"
    run.mkdir()
    fit(
        task=TextClassification(labels=LABELS), model=Transformer(config=str(tiny)), seed=1,
        spec=make_spec(epochs=3, callbacks={"a": EMA, "p": Component(use="Places")}),
        data=make_splits(train=32), folder=run, components=components({"Places": Places}),
    )  # fmt: skip

    assert len(seen) == 3
    assert all(torch.equal(places[0], torch.arange(places.shape[1])) for places in seen)


@pytest.mark.parametrize(
    ("average", "step"),
    [(EMA, 5), (SWA, 4), (SWA, 6), (SWA, 9), (EQUAL, 8)],
    ids=lambda value: getattr(value, "use", value),
)
def test_an_average_survives_an_interruption(
    tiny: Path, tmp_path: Path, average: Component, step: int
) -> None:
    """Before, at and after the epoch with which averaging begins: all files are the same bytes."""
    train(tiny, tmp_path / "whole", average, epochs=3)
    run = tmp_path / "run"
    Record.stop_at = step
    with pytest.raises(KeyboardInterrupt):
        train(tiny, run, average, epochs=3)
    Record.stop_at = 0

    train(tiny, run, average, epochs=3, state=states.newest(run / states.FOLDER))

    assert files_of(run) == files_of(tmp_path / "whole")


@pytest.mark.parametrize(
    ("params", "key"),
    [({"swa_lrs": 0.0}, "swa_lrs"), ({"swa_lrs": 1e-3, "swa_epoch_start": 1.5}, "swa_epoch_start")],
)
def test_wrong_parameters_are_named(params: dict[str, Any], key: str) -> None:
    """With the recipe's own key."""
    with pytest.raises(DataError) as caught:
        StochasticWeightAveraging(**params)

    assert caught.value.key == key


def test_rates_that_do_not_fit_the_groups_are_told_before_the_first_step(
    tiny: Path, tmp_path: Path
) -> None:
    """Else the training would end in the first epoch that is averaged."""
    average = Component(use="StochasticWeightAveraging", params={"swa_lrs": [1e-3] * 9})
    Record.seen.clear()

    with pytest.raises(DataError, match="9 learning rates"):
        train(tiny, tmp_path / "run", average, epochs=4)

    assert Record.seen == []


def test_an_average_that_would_never_be_made_is_refused() -> None:
    """But not one that is made at the ends of epochs alone."""
    with pytest.raises(DataError, match="nothing would be averaged"):
        EMAWeightAveraging(update_every_n_steps=0)

    EMAWeightAveraging(update_every_n_steps=0, update_starting_at_epoch=1)
