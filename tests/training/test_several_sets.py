"""Several splits to validate and to test on, and splits without labels."""

from __future__ import annotations

import csv
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import pytorch_lightning as pl
import torch
from datasets import ClassLabel, Dataset, concatenate_datasets

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.errors import DataError
from mlrecipe.recipe import splits
from mlrecipe.recipe.schema import Component, TestSpec
from mlrecipe.training import repeats
from mlrecipe.training.batching.samplers import FileBatches
from mlrecipe.training.checks import metric_names
from mlrecipe.training.devices.dealing import Dealt
from mlrecipe.training.fit import FitReport, fit
from mlrecipe.training.keeping import states
from mlrecipe.training.test import TestReport
from mlrecipe.training.test import test as run_test
from tests.training.test_frozen import Kept
from tests.training.tiny import LABELS, components, make_rows, make_spec

TASK = TextClassification(labels=LABELS, metrics=["accuracy", "f1"])
BOTH = ["matched", "mismatched"]
DATA = {
    "train": make_rows(40, seed=1), "matched": make_rows(11, seed=2),
    "mismatched": make_rows(19, seed=3), "test": make_rows(9, seed=4),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Stop(pl.Callback):
    """Interrupts at a place of the validation: so many steps done, and which split."""

    at: tuple[int, int] = (-1, 0)

    def on_validation_batch_end(self, trainer, module, outputs, batch, batch_idx, dataloader_idx=0):
        if Stop.at == (trainer.global_step, dataloader_idx):
            os.kill(os.getpid(), signal.SIGINT)


def train(
    tiny: Path, run: Path, *, model: Any = None, derive: Any = None, **changes: Any
) -> FitReport:
    run.mkdir(exist_ok=True, parents=True)
    data = changes.pop("data", DATA)
    state = changes.pop("state", None)
    settings: dict[str, Any] = {"valid_split": BOTH, "eval_batch_size": 4, **changes}
    settings["callbacks"] = {"stop": Component(use="Stop"), **settings.get("callbacks", {})}
    return fit(
        task=TASK, model=model or Transformer(config=str(tiny)), spec=make_spec(**settings), seed=1,
        data=data, folder=run, components=components({"Stop": Stop}), derive=derive, state=state,
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> FitReport:
    """A training that was validated on both splits after each of two epochs."""
    return train(tiny, tmp_path_factory.mktemp("trained"), epochs=2)


def try_on(
    checkpoint: Path, folder: Path, split: str | list[str], data: dict[str, Dataset] | None = None,
    *, task: Any = TASK,
) -> TestReport:  # fmt: skip
    folder.mkdir(exist_ok=True, parents=True)
    return run_test(
        task=task, model=Transformer(), spec=TestSpec(split=split, batch_size=4),
        data=data or DATA, checkpoint=checkpoint, folder=folder, trainer={"accelerator": "cpu"},
    )  # fmt: skip


def table(path: Path) -> pa.Table:
    with pa.ipc.open_stream(path) as stream:
        return stream.read_all()


def log_of(folder: Path) -> list[dict[str, str]]:
    return list(csv.DictReader((folder / "logs" / "metrics.csv").read_text().splitlines()))


def said(heard: list[events.Event]) -> list[str]:
    return [event.text for event in heard if isinstance(event, events.Note)]


def test_glue_6_both_sets_are_validated_under_their_own_names(trained: FitReport, tmp_path: Path):
    """In one training, each with the metrics that a test of it alone has."""
    found = {k: v for k, v in trained.best_metrics.items() if not k.startswith("train/")}

    assert set(found) == {f"{split}/{m}" for split in BOTH for m in ("loss", "accuracy", "f1")}
    for split in BOTH:
        alone = try_on(trained.model_folder, tmp_path / split, split).metrics
        for name in ("loss", "accuracy", "f1"):
            assert found[f"{split}/{name}"] == pytest.approx(alone[f"test/{name}"], abs=1e-7)
    assert found["matched/loss"] != found["mismatched/loss"]
    assert trained.rows == {"train": 40, "matched": 11, "mismatched": 19}


def test_glue_6_the_log_has_a_column_for_each(tiny: Path, tmp_path: Path):
    """Named as the recipe names the splits, a value in each epoch; nothing of the loop's own numbers."""
    heard: list[events.Event] = []
    with events.listening(heard.append):
        train(tiny, tmp_path / "run", epochs=2)

    rows = log_of(tmp_path / "run")
    columns = [name for name in rows[0] if name.startswith("m")]
    ends = [event for event in heard if isinstance(event, events.EpochFinished)]
    assert sorted(columns) == sorted(metric_names(TASK.metrics, BOTH)[1:])
    assert all(sum(bool(row[name]) for row in rows) == 2 for name in columns)
    assert not any("dataloader_idx" in name or name.startswith("valid/") for name in rows[0])
    assert len(ends) == 2
    for event in ends:
        assert set(event.metrics) == set(metric_names(TASK.metrics, BOTH))


def test_a_list_of_one_is_that_one(tiny: Path, tmp_path: Path):
    """Its metrics are those of `valid/…`, as without the list."""
    report = train(tiny, tmp_path / "run", valid_split=["matched"])

    assert {name for name in report.best_metrics if "loss" in name} == {"train/loss", "valid/loss"}


@pytest.mark.parametrize(
    ("monitor", "value", "meant"),
    [
        ("valid/loss", "dev", "valid/loss"), ("valid/loss", ["dev"], "valid/loss"),
        ("valid/a/f1", ["m", "mm"], "m/a/f1"), ("mm/f1", ["m", "mm"], "mm/f1"),
        ("valid/f1", ["m", "valid"], "valid/f1"), ("train/loss", ["m", "mm"], "train/loss"),
        ("valid/f1", "", "valid/f1"),
    ],
)  # fmt: skip
def test_valid_in_a_monitor_means_the_first(monitor: str, value: str | list[str], meant: str):
    """Unless one is called so."""
    assert splits.watched(monitor, value) == meant


@pytest.mark.parametrize(
    ("monitor", "seen"),
    [("valid/accuracy", "matched/accuracy"), ("mismatched/f1", "mismatched/f1")],
)
def test_checkpoints_and_early_stopping_watch_one_of_them(
    tiny: Path, tmp_path: Path, monitor: str, seen: str
):
    """By default the first; the best checkpoint is the one that was best by it, and the mode is its own."""
    stop = Component(use="EarlyStopping", params={"patience": 1, "min_delta": 2.0})
    report = train(tiny, tmp_path / "run", epochs=4, monitor=monitor, callbacks={"s": stop})

    rows = [row for row in log_of(tmp_path / "run") if row[seen]]
    values = [float(row[seen]) for row in rows]
    assert len(values) == 2
    assert report.best_value == pytest.approx(max(values))
    assert seen in report.stopped


def test_a_monitor_that_will_not_be_there_lists_those_that_will(tiny: Path, tmp_path: Path):
    """With the names of the splits."""
    with pytest.raises(DataError, match="mismatched/f1") as caught:
        train(tiny, tmp_path / "run", monitor="mismatched/f2")

    assert caught.value.key == "train.monitor"
    assert "did you mean" in str(caught.value)


@pytest.mark.parametrize("place", [0, 1])
def test_a_validation_of_several_that_broke_off_is_resumed(
    tiny: Path, trained: FitReport, tmp_path: Path, place: int
):
    """Amid the first or the second split: afterwards all is as if it had not been."""
    run = tmp_path / "run"
    Stop.at = (5, place)
    try:
        with pytest.raises(KeyboardInterrupt):
            train(tiny, run, epochs=2)
    finally:
        Stop.at = (-1, 0)

    report = train(tiny, run, epochs=2, state=states.newest(run / states.FOLDER))

    assert report.best_metrics == trained.best_metrics
    whole = [row for row in log_of(trained.model_folder.parents[1]) if row["matched/loss"]]
    assert [r for r in log_of(run) if r["matched/loss"]] == whole


def test_validation_amid_an_epoch_is_of_all(tiny: Path, tmp_path: Path):
    """`validate_every` and the sizes of batches hold for each."""
    train(tiny, tmp_path / "run", validate_every=2, trainer={"accelerator": "cpu"})

    rows = log_of(tmp_path / "run")
    for split in BOTH:
        assert [int(row["step"]) for row in rows if row[f"{split}/loss"]] == [1, 3]


def test_the_limits_of_lightning_hold_for_each(tiny: Path, tmp_path: Path):
    """`limit_val_batches` counts a split's batches."""
    limited = {"accelerator": "cpu", "limit_val_batches": 1}
    report = train(tiny, tmp_path / "run", trainer=limited)

    assert set(report.best_metrics) == set(metric_names(TASK.metrics, BOTH))


def test_predictions_of_one_class_are_said_of_each_set(tiny: Path, tmp_path: Path):
    """By its name, with its rows."""
    heard: list[events.Event] = []
    with events.listening(heard.append):
        train(tiny, tmp_path / "run", optimizer=Component(use="AdamW", params={"lr": 1e-9}))

    found = [text for text in said(heard) if "is predicted as" in text]
    assert any("every one of the 11 matched rows" in text for text in found)
    assert any("every one of the 19 mismatched rows" in text for text in found)


def test_rows_in_common_are_looked_for_in_every_set(tiny: Path, tmp_path: Path):
    """The second one's as well."""
    shared = concatenate_datasets([DATA["mismatched"], DATA["train"].select(range(3))])
    heard: list[events.Event] = []
    with events.listening(heard.append):
        train(tiny, tmp_path / "run", data={**DATA, "mismatched": shared})

    assert any("3 rows of split 'mismatched'" in text for text in said(heard))


def test_a_frozen_trunk_is_recorded_for_every_set(tmp_path: Path, tiny: Path):
    """Train and both sets are computed once, and give what they give without."""
    model = Transformer(config=str(tiny), freeze=["bert.*"])
    kept = Kept(tmp_path / "kept")
    plain = train(tiny, tmp_path / "plain", model=model)
    report = train(tiny, tmp_path / "run", model=model, derive=kept)

    assert [made.part for made in kept.made] == ["train", *BOTH]
    assert report.best_metrics == pytest.approx(plain.best_metrics, abs=1e-5)


def test_a_fold_takes_the_place_of_the_first():
    """The others stay as they are."""
    spec = make_spec(valid_split=BOTH, folds=4, fold=1)

    found = repeats.part(TASK, spec, DATA, seed=1)

    assert len(found["matched"]) == 10
    assert len(found["train"]) == 30
    assert found["mismatched"] is DATA["mismatched"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "the list of splits is empty"), (["matched", ""], "an empty name"),
        (["matched", "matched"], "'matched' is there twice"),
        (["train", "matched"], "that of training"), (["matched", "a/b"], "'a/b' cannot be part"),
        (["matched", "mismatch"], "no split 'mismatch'"),
    ],
)  # fmt: skip
def test_names_that_do_not_do_are_refused(tiny: Path, tmp_path: Path, value: Any, message: str):
    """With the key, before anything is trained."""
    with pytest.raises(DataError, match=message) as caught:
        train(tiny, tmp_path / "run", valid_split=value)

    assert caught.value.key == "train.valid_split"


def test_glue_6_several_sets_are_tested_in_one_run(trained: FitReport, tmp_path: Path):
    """Each with its metrics and a file of predictions, which are those of a test of it alone."""
    folder = tmp_path / "both"

    report = try_on(trained.model_folder, folder, BOTH)

    assert list(report.metrics) == [
        f"{split}/{name}" for split in BOTH for name in ("accuracy", "f1", "loss")
    ]
    assert (report.rows, report.splits) == (30, {"matched": 11, "mismatched": 19})
    for split in BOTH:
        alone = try_on(trained.model_folder, tmp_path / split, split)
        assert alone.metrics["test/f1"] == report.metrics[f"{split}/f1"]
        assert report.predictions[split] == folder / f"predictions-{split}.arrow"
        assert table(report.predictions[split]).equals(table(alone.predictions[split]))
    assert json.loads((folder / "metrics.json").read_text())["splits"] == report.splits


def unlabelled(how: str) -> Dataset:
    rows = DATA["test"]
    if how == "absent":
        return rows.remove_columns("label")
    if how == "null":
        return rows.remove_columns("label").add_column("label", pa.nulls(len(rows), pa.string()))
    features = rows.features.copy()
    features["label"] = ClassLabel(names=LABELS)
    columns = {**rows.to_dict(), "label": [-1] * len(rows)}
    return Dataset.from_dict(columns, features=features)


@pytest.mark.parametrize("how", ["absent", "null", "none"])
def test_glue_7_a_split_without_labels_is_predicted(trained: FitReport, tmp_path: Path, how: str):
    """The predictions are those that it has with labels; there is no metric of it, and that is said."""
    heard: list[events.Event] = []
    known = try_on(trained.model_folder, tmp_path / "known", "test")

    with events.listening(heard.append):
        data = {**DATA, "test": unlabelled(how)}
        report = try_on(trained.model_folder, tmp_path / "run", "test", data)

    assert report.metrics == {}
    assert report.unlabelled == ["test"]
    assert "split 'test' has no labels: its rows are predicted, and there are no metrics" in said(
        heard
    )
    found, whole = table(report.predictions["test"]), table(known.predictions["test"])
    assert found["label"].null_count == 9
    assert found.drop_columns("label").equals(whole.drop_columns("label"))
    assert found.schema == whole.schema


def test_glue_7_labelled_and_unlabelled_splits_go_together(trained: FitReport, tmp_path: Path):
    """Metrics are those of the labelled rows alone: no dummy label reaches one."""
    data = {**DATA, "test": unlabelled("none")}

    report = try_on(trained.model_folder, tmp_path / "run", ["test", "matched"], data)

    alone = try_on(trained.model_folder, tmp_path / "alone", "matched").metrics
    assert report.metrics == {f"matched/{k.partition('/')[2]}": v for k, v in alone.items()}
    assert report.splits == {"test": 9, "matched": 11}


def test_glue_7_some_missing_labels_are_an_error(trained: FitReport, tmp_path: Path):
    """As they always were: only a split without any is one to predict."""
    rows = DATA["test"].to_dict()
    rows["label"][4] = None
    data = {**DATA, "test": Dataset.from_dict(rows)}

    with pytest.raises(
        DataError, match=r"1 of 9 rows of split 'test' has no label.*first row 4 of the prep"
    ):
        try_on(trained.model_folder, tmp_path / "run", "test", data)


class Plain:
    """A task that cannot predict without labels."""

    def __init__(self) -> None:
        for name in ("head", "encode", "check", "lengths", "collate", "step", "meters"):
            setattr(self, name, getattr(TASK, name))


def test_glue_7_a_task_that_needs_labels_says_so(trained: FitReport, tmp_path: Path):
    """And what it would need."""
    data = {**DATA, "test": unlabelled("absent")}

    with pytest.raises(DataError, match=r"no column 'label'.*need a task with `inputs`") as caught:
        try_on(trained.model_folder, tmp_path / "run", "test", data, task=Plain())

    assert caught.value.key == "task.label"


def test_glue_32_predictions_are_in_file_order_with_names_and_probabilities(
    trained: FitReport, tmp_path: Path
):
    """One for each row, its number, the label's name, and probabilities that sum to 1."""
    report = try_on(trained.model_folder, tmp_path / "run", "mismatched")

    found = table(report.predictions["mismatched"])
    names = json.loads(found.schema.metadata[b"labels"])
    assert found["row"].to_pylist() == list(range(19))
    assert found["label"].to_pylist() == list(DATA["mismatched"]["label"])
    for name, each in zip(
        found["prediction"].to_pylist(), found["probabilities"].to_pylist(), strict=True
    ):
        assert sum(each) == pytest.approx(1)
        assert name == names[each.index(max(each))]


@pytest.mark.parametrize("rows", [(5, 8), (1, 3), (9, 2)])
def test_glue_18_batches_of_every_set_are_dealt_once(rows: tuple[int, int]):
    """Over two processes, whatever the sizes."""
    for count in rows:
        dealt = [Dealt(FileBatches(count, batch_size=2), rank=r, world_size=2) for r in (0, 1)]
        seen = [row for one in dealt for step in range(len(one)) for row in one.rows(step)]
        assert sorted(seen) == list(range(count))
