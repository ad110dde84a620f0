"""Training from loaded splits to checkpoints."""

from __future__ import annotations

import csv
import logging
import math
import os
import re
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from datasets import Dataset
from transformers import AutoModelForSequenceClassification

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import DataError, TrainingError
from mlrecipe.recipe.schema import Component
from mlrecipe.registry import Kind, registries
from mlrecipe.training.fit import FitReport, fit
from mlrecipe.training.keeping.checkpoints import read_record
from mlrecipe.training.trainer import train_arguments
from tests.training.tiny import LABELS, components, make_rows, make_spec, make_splits

ACCURACY = {"monitor": "valid/accuracy"}


def train(
    tiny: Path, run: Path, *, data: Mapping[str, Dataset] | None = None, seed: int = 1,
    extra: Mapping[str, Any] | None = None, task: TextClassification | None = None, **changes: Any,
) -> FitReport:  # fmt: skip
    return fit(
        task=task or TextClassification(labels=LABELS), model=Transformer(config=str(tiny)),
        spec=make_spec(**changes), seed=seed, data=data or make_splits(), folder=run,
        components=components(extra),
    )  # fmt: skip


def log_of(run: Path) -> list[dict[str, str]]:
    with (run / "logs" / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def trained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FitReport, list]:
    """A training of a few epochs: its directory, its report, and what it told."""
    run = tmp_path_factory.mktemp("run")
    seen: list[events.Event] = []
    with events.listening(seen.append):
        report = train(tiny, run, data=make_splits(train=200), epochs=6, **ACCURACY)
    return run, report, seen


def test_the_model_learns(trained):
    """Words that give the label away are found: guessing would be right half the time."""
    assert trained[1].best_value >= 0.9


def test_the_report_counts_what_was_done(trained):
    """Six epochs of 25 batches; the best checkpoint is one of the validated ones."""
    report = trained[1]

    assert (report.epochs, report.steps) == (6, 150)
    assert report.best_step in range(25, 151, 25)
    assert report.best_metrics["valid/accuracy"] == report.best_value
    assert report.stopped == "finished 6 epochs"
    assert 0.9 <= report.batch_fill <= 1
    assert report.examples_per_second > 0


def test_both_checkpoints_load_with_plain_from_pretrained(trained):
    """Labels lie beside the weights; what was known of the model is in checkpoint.json."""
    report = trained[1]

    for name in ("best", "last"):
        folder = report.checkpoints[name]
        assert AutoModelForSequenceClassification.from_pretrained(folder).config.id2label == {
            0: "negative", 1: "positive",
        }  # fmt: skip
        assert (folder / "tokenizer.json").is_file()
    assert read_record(report.checkpoints["last"]).step == 150
    assert read_record(report.checkpoints["last"]).epoch == 6
    assert read_record(report.model_folder).step == report.best_step
    assert read_record(report.model_folder).head.labels == tuple(LABELS)


def test_the_best_checkpoint_is_that_of_the_best_validation(trained):
    """The log has every validation; the first of the best is kept."""
    run, report, _ = trained
    values = [(float(row["valid/accuracy"]), int(row["step"]) + 1) for row in log_of(run)
              if row["valid/accuracy"]]  # fmt: skip
    best = max(value for value, _ in values)

    assert len(values) == 6
    assert report.best_value == pytest.approx(best)
    assert report.best_step == next(step for value, step in values if value == best)


def test_nothing_but_checkpoints_and_logs_is_left(trained):
    """No temporary folder, no file of Lightning's own; `resume` goes once the run is finished."""
    run = trained[0]

    assert sorted(path.name for path in run.iterdir()) == ["checkpoints", "logs", "resume"]
    assert sorted(path.name for path in (run / "checkpoints").iterdir()) == ["best", "last"]


def test_events_tell_of_every_step_and_epoch(trained):
    """Progress ends at the last step, with the loss beside it; epochs have their metrics."""
    told = trained[2]
    steps = [e for e in told if isinstance(e, events.Progress)]
    epochs = [e for e in told if isinstance(e, events.EpochFinished)]

    assert [e.done for e in steps] == list(range(151))
    assert {e.total for e in steps} == {150}
    assert steps[-1].values["loss"] > 0
    assert [e.epoch for e in epochs] == [1, 2, 3, 4, 5, 6]
    assert set(epochs[0].metrics) == {"train/loss", "valid/loss", "valid/accuracy"}
    assert "200 rows of train, 20 rows of valid; 6 epochs" in told[0].facts


def test_training_prints_nothing(tiny: Path, run: Path, capfd, recwarn):
    """Neither tips nor warnings of Lightning reach the user."""
    train(tiny, run)

    assert capfd.readouterr() == ("", "")
    assert [str(w.message) for w in recwarn if "LeafSpec" not in str(w.message)] == []
    assert logging.getLogger("pytorch_lightning").level != logging.ERROR


def test_training_35_the_same_seed_gives_the_same_metrics_file(tiny: Path, tmp_path: Path):
    """Byte for byte; another seed gives another."""
    logs = []
    for number, seed in enumerate((1, 1, 2)):
        run = tmp_path / str(number)
        run.mkdir()
        train(tiny, run, seed=seed, epochs=2)
        logs.append((run / "logs" / "metrics.csv").read_bytes())

    assert logs[0] == logs[1]
    assert logs[0] != logs[2]


def test_dropout_is_on_in_training_and_off_in_validation(tiny: Path, run: Path):
    """Pretrained networks come in evaluation mode, in which Lightning would leave them."""
    modes: dict[str, set[bool]] = {"train": set(), "valid": set()}

    class Look(pl.Callback):
        def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
            modes["train"] |= {m.training for m in pl_module.network.modules()}

        def on_validation_batch_start(self, trainer, pl_module, batch, batch_idx):
            modes["valid"] |= {m.training for m in pl_module.network.modules()}

    torch.manual_seed(0)
    task = TextClassification(labels=LABELS)
    source = run / "source"
    model = Transformer(config=str(tiny))
    model.save(model.build(task.head(make_splits())), source)
    fit(
        task=task, model=Transformer(checkpoint=str(source)), seed=1, data=make_splits(),
        folder=run, spec=make_spec(callbacks={"look": Component(use="Look")}),
        components=components({"Look": Look}),
    )  # fmt: skip

    assert modes == {"train": {True}, "valid": {False}}


def test_valid_loss_is_the_mean_over_rows(tiny: Path, run: Path):
    """A last batch with a single row counts as one row, not as a batch."""
    data = make_splits(valid=9)
    report = train(tiny, run, data=data, eval_batch_size=4)
    task = TextClassification(labels=LABELS)
    head = task.head(data)
    rows = task.encode(data["valid"], head, split="valid").with_format("arrow")
    network = Transformer(config=str(tiny)).load(report.checkpoints["last"]).eval()

    with torch.no_grad():
        losses = [task.step(network, task.collate(rows[[i]])).loss.item() for i in range(9)]

    last = read_record(report.checkpoints["last"]).metrics
    assert last["valid/loss"] == pytest.approx(sum(losses) / 9, abs=1e-6)


def test_the_schedule_ends_with_the_last_step(tiny: Path, run: Path):
    """64 rows in batches of 8, two batches a step: 8 steps in two epochs, falling by eighths."""
    rates = []

    class Watch(pl.Callback):
        def on_before_zero_grad(self, trainer, pl_module, optimizer):
            rates.append(optimizer.param_groups[0]["lr"])

    train(
        tiny, run, epochs=2, callbacks={"watch": Component(use="Watch")}, extra={"Watch": Watch},
        scheduler=Component(use="linear"), optimizer=Component(use="SGD", params={"lr": 1.0}),
        batch_size=16, device_batch_size=8,
    )  # fmt: skip

    assert rates == pytest.approx([1 - i / 8 for i in range(8)])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"batch_size": 16, "device_batch_size": 4}, "1 epoch in batches of 16, 4 at a time;"),
        ({"batch_size": 24, "device_batch_size": 10}, "1 epoch in batches of 24, 6 at a time;"),
        ({"batch_size": 16}, "1 epoch in batches of 16;"),
    ],
)
def test_the_first_line_says_what_a_device_takes_at_once(
    tiny: Path, run: Path, changes: dict[str, Any], said: str
):
    """Where a step is made from several batches: as many as fit, by division or by halves."""
    heard: list[events.Event] = []
    with events.listening(heard.append):
        train(tiny, run, epochs=1, max_steps=1, valid_split="", **changes)

    (first,) = (event.facts for event in heard if isinstance(event, events.StageStarted))
    assert said in first


def test_validation_every_few_steps(tiny: Path, run: Path):
    """Steps are counted across epochs, and are optimizer steps."""
    train(tiny, run, epochs=2, validate_every=3, batch_size=16, device_batch_size=8)

    assert [int(row["step"]) + 1 for row in log_of(run) if row["valid/loss"]] == [3, 6]


def test_max_steps_ends_training(tiny: Path, run: Path):
    """Whatever `epochs` says; the report says why."""
    report = train(tiny, run, epochs=5, max_steps=3, valid_split="")

    assert report.steps == 3
    assert report.stopped == "reached max_steps, 3"


@pytest.mark.parametrize(
    "name", sorted({*registries["optimizer"].names()} - {"Muon", "SparseAdam"})
)
def test_every_optimizer_of_the_catalog_trains(tiny: Path, run: Path, name: str):
    """All but two, which say themselves that they take only matrices, or only sparse gradients."""
    optimizer = Component(use=name, params={"lr": 1e-3})

    report = train(tiny, run, max_steps=2, valid_split="", optimizer=optimizer)

    assert report.steps == 2


def test_one_device_trains_unless_the_recipe_asks_for_more(tiny: Path, run: Path):
    """By itself Lightning would start a process for each GPU of a machine."""
    assert train_arguments(make_spec())["devices"] == 1
    assert train_arguments(make_spec(trainer={"devices": "auto"}))["devices"] == "auto"


def test_without_validation_the_best_is_the_last(tiny: Path, run: Path):
    """Both are there, with the same weights."""
    report = train(tiny, run, valid_split="")

    best, last = (read_record(report.checkpoints[name]) for name in ("best", "last"))
    assert best.sha256 == last.sha256
    assert report.best_value is None
    assert report.best_step == report.steps == 8


@pytest.mark.parametrize(("patience", "times"), [(1, "1 validation;"), (2, "2 validations;")])
def test_training_37_early_stopping_states_metric_value_and_step(
    tiny: Path, run: Path, patience: int, times: str
):
    """Without a monitor of its own it takes the recipe's, in the right direction."""
    report = train(
        tiny, run, epochs=9, optimizer=Component(use="SGD", params={"lr": 0.0}), **ACCURACY,
        callbacks={"stop": Component(use="EarlyStopping", params={"patience": patience})},
    )  # fmt: skip

    assert report.epochs == read_record(report.checkpoints["last"]).epoch == patience + 1
    assert re.match(
        rf"stopped early at step {8 * report.epochs}: valid/accuracy has not improved on 0\.\d+ in "
        rf"{times} best checkpoint at step 8",
        report.stopped,
    )


@pytest.mark.parametrize(
    ("changes", "key", "message"),
    [
        ({"monitor": "valid/f1"}, "train.monitor", "no metric 'valid/f1' will be there"),
        ({"callbacks": {"stop": Component(use="EarlyStopping", params={"monitor": "f1"})}},
         "train.callbacks.stop.monitor", "no metric 'f1' will be there"),
        ({"callbacks": {"stop": Component(use="EarlyStopping", params={"pacience": 1})}},
         "train.callbacks.stop", "EarlyStopping refuses its parameters"),
        ({"train_split": "trian"}, "train.train_split", "did you mean 'train'"),
        ({"valid_split": "dev"}, "train.valid_split", "splits: train, valid, test"),
        ({"trainer": {"max_epochs": 1}}, "train.trainer.max_epochs", "set `train.epochs`"),
        ({"trainer": {"gradient_clip": 1}}, "train.trainer.gradient_clip", "no argument 'gradient_clip'"),
        ({"trainer": {"precision": "17"}}, "train.trainer", "refuses its arguments"),
        ({"optimizer": Component(use="Adam", params={"lr": -1.0})}, "train.optimizer", "Adam"),
        ({"batch_size": 0}, "train.batch_size", "not at least 1"),
        ({"validate_every": 9}, "train.validate_every", "only 8 optimizer steps.* after every 9"),
        ({"trainer": {"strategy": "ddp_spawn"}}, "train.trainer.strategy", "copies of this one"),
    ],
)  # fmt: skip
def test_a_wrong_request_fails_before_the_first_step(
    tiny: Path, run: Path, changes: dict[str, Any], key: str, message: str
):
    """The error has the recipe's key, and no checkpoint is left."""
    with pytest.raises(DataError, match=message) as caught:
        train(tiny, run, **changes)

    assert caught.value.key == key
    assert not (run / "checkpoints").exists()


@pytest.mark.parametrize(
    ("task", "data", "key"),
    [
        (TextClassification(label="lable"), make_splits(), "task.label"),
        (TextClassification(labels=["a", "b"]), make_splits(), "task.labels"),
        (TextClassification(), {"train": make_rows(4, labels=["a"]), "valid": make_rows(4)},
         "task.label"),
        (TextClassification(), {**make_splits(), "valid": make_rows(0)}, "train.valid_split"),
        (TextClassification(),
         {**make_splits(), "train": Dataset.from_dict({"label": ["a", "b"]})}, "train.data"),
    ],
    ids=["column", "labels", "one class", "no rows", "not tokenized"],
)  # fmt: skip
def test_data_that_do_not_fit_fail_before_the_model_loads(
    run: Path, task: TextClassification, data: dict[str, Dataset], key: str
):
    """The configuration that is not there is never asked for."""
    with pytest.raises(DataError) as caught:
        train(Path("/nowhere"), run, task=task, data=data)

    assert caught.value.key == key


def test_a_model_that_cannot_be_built_names_its_parameter(run: Path):
    """`config` of the model is `model.config` in the recipe."""
    with pytest.raises(DataError, match="does not exist") as caught:
        train(Path("/nowhere"), run)

    assert caught.value.key == "model.config"


def test_a_logger_without_its_package_says_what_to_install(tiny: Path, run: Path):
    """No traceback of an import, but the package's name."""

    def absent(**_: Any) -> None:
        raise ModuleNotFoundError("no package 'boards'; pip install boards", name="boards")

    with pytest.raises(TrainingError, match="pip install boards") as caught:
        train(tiny, run, loggers={"b": Component(use="Board")}, extra={"Board": absent})

    assert caught.value.key == "train.loggers.b"


@pytest.mark.parametrize(
    ("kind", "name", "filled"),
    [("callback", "EarlyStopping", "monitor"), ("logger", "CSVLogger", "save_dir"),
     ("logger", "TensorBoardLogger", "save_dir")],
)  # fmt: skip
def test_a_recipe_need_not_repeat_what_is_known(kind: Kind, name: str, filled: str):
    """The signature, as a recipe is checked against it, asks for neither metric nor folder."""
    found = Catalog().find(kind, name)

    assert found is not None
    assert found.signature.params[filled].default is None


def test_a_logger_of_the_recipe_gets_the_run_directory(tiny: Path, run: Path):
    """A second CSV log lies where Lightning puts it, beside mlrecipe's own."""
    train(tiny, run, loggers={"more": Component(use="CSVLogger", params={"name": "more"})})

    assert list(run.glob("more/**/metrics.csv"))
    assert log_of(run)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("DeviceStatsMonitor", {}),
        ("EMAWeightAveraging", {}),
        ("LearningRateMonitor", {}),
        ("ModelCheckpoint", {}),
        ("ModelPruning", {"pruning_fn": "l1_unstructured", "amount": 0.1}),
        ("OnExceptionCheckpoint", {"dirpath": "unused"}),
        ("SpikeDetection", {}),
        ("StochasticWeightAveraging", {"swa_lrs": 1e-3}),
        ("Timer", {"duration": "00:01:00:00"}),
        ("WeightAveraging", {}),
    ],
)
def test_callbacks_of_lightning_run(tiny: Path, run: Path, name: str, params: dict[str, Any]):
    """Every callback that the catalog names can be used from a recipe."""
    report = train(tiny, run, epochs=2, callbacks={"x": Component(use=name, params=params)})

    assert report.steps == 16
    assert read_record(report.model_folder).metrics["valid/loss"] > 0


def test_an_interruption_keeps_the_last_model_and_stays_one(tiny: Path, run: Path):
    """Ctrl-C in the middle: `last` holds what was learnt, and the caller sees KeyboardInterrupt."""

    class Interrupt(pl.Callback):
        def on_train_batch_end(self, trainer, *args):
            if trainer.global_step == 3:
                os.kill(os.getpid(), signal.SIGINT)

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(
            tiny, run, callbacks={"now": Component(use="Interrupt")}, extra={"Interrupt": Interrupt}
        )

    assert read_record(run / "checkpoints" / "last").step in (3, 4)
    assert not (run / "checkpoints" / "best").exists()
    assert signal.getsignal(signal.SIGINT) is handler


def test_weights_that_are_no_numbers_leave_no_checkpoint(tiny: Path, run: Path):
    """Training stops after the step that has broken them."""
    with pytest.raises(TrainingError, match="the weights are infinite or not a number at step 1"):
        train(tiny, run, optimizer=Component(use="SGD", params={"lr": math.inf}))

    assert not list(run.glob("checkpoints/*"))


def test_every_epoch_sees_every_row_in_another_order(tiny, tmp_path, monkeypatch):
    """What the network is really given: all rows once an epoch, shuffled anew, the same for one seed."""
    seen: list[tuple[int, ...]] = []
    step = TextClassification.step

    def recorded(self, module, batch):
        if module.training:
            seen.extend(tuple(row[row != 0].tolist()) for row in batch["input_ids"])
        return step(self, module, batch)

    monkeypatch.setattr(TextClassification, "step", recorded)
    rows = 64
    train(tiny, tmp_path / "a", data=make_splits(train=rows), epochs=2)
    first, second, once = seen[:rows], seen[rows:], list(seen)
    seen.clear()
    train(tiny, tmp_path / "b", data=make_splits(train=rows), epochs=2)

    assert len(once) == 2 * rows
    assert sorted(first) == sorted(second)
    assert first != second
    assert seen == once


def test_validation_is_not_switched_off_in_silence(tiny, tmp_path):
    """`limit_val_batches = 0` is refused, with the key that says it."""
    (tmp_path / "run").mkdir()

    with pytest.raises(DataError, match="nothing is validated") as caught:
        train(tiny, tmp_path / "run", trainer={"limit_val_batches": 0})

    assert caught.value.key == "train.trainer.limit_val_batches"


@pytest.mark.parametrize("epochs", [1, 3])
@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({"patience": 1}, r"step 4: valid/accuracy has not improved on 0\.\d+ in 1 validation;"),
        ({"stopping_threshold": 0.0}, r"step 2: valid/accuracy came to 0\.\d+;"),
    ],
)
def test_early_stopping_in_the_first_epoch_says_so(
    tiny: Path, run: Path, epochs: int, params: dict[str, Any], why: str
):
    """Lightning counts that epoch as 0; a threshold is not a lack of improvement."""
    report = train(
        tiny, run, epochs=epochs, validate_every=2, **ACCURACY,
        optimizer=Component(use="SGD", params={"lr": 0.0}),
        callbacks={"stop": Component(use="EarlyStopping", params=params)},
    )  # fmt: skip

    assert re.match(f"stopped early at {why}", report.stopped)
