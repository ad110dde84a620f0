"""Validations whose predictions are evaluated: their files, metrics that are watched, and what is kept."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from datasets import Dataset

from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.errors import DataError, OpError
from mlrecipe.recipe.schema import Component
from mlrecipe.training.fit import FitReport, fit
from mlrecipe.training.keeping import states
from mlrecipe.training.rehearsing import spread
from mlrecipe.training.signals import Stop
from mlrecipe.training.validated import FOLDER, prune
from tests.training.tiny import LABELS, components, make_spec, make_splits

pytestmark = pytest.mark.heavy


def read(path: Path) -> pa.Table:
    with pa.ipc.open_stream(path) as stream:
        return stream.read_all()


class Doubt:
    """An evaluator: how far predictions are from certain; falls as the model learns."""

    def __init__(self, *, fails_at: int | None = None) -> None:
        self.seen: list[tuple[Path, str, int]] = []
        self._fails_at = fails_at

    def evaluate(self, predictions: Path, *, split: str) -> Mapping[str, float]:
        table = read(predictions)
        self.seen.append((predictions, split, len(table)))
        if len(self.seen) == self._fails_at:
            raise OpError("evaluate.nodes.doubt: it broke")
        best = torch.tensor(table["probabilities"].to_pylist()).double().max(dim=1).values
        return {"doubt/mean": float(1 - best.mean()), "rows": float(len(table))}


def splits() -> dict[str, Dataset]:
    return {
        name: rows.add_column("text", [f"{name} {i}" for i in range(len(rows))])
        for name, rows in make_splits(train=66).items()
    }


def train(
    tiny: Path, run: Path, evaluator: Any, *, state: Path | None = None, stop: Stop | None = None,
    keep: int = 1, extra: Mapping[str, Any] | None = None, **changes: Any,
) -> FitReport:  # fmt: skip
    run.mkdir(exist_ok=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return fit(
            task=TextClassification(labels=LABELS), model=Transformer(config=str(tiny)),
            spec=make_spec(**changes), seed=1, data=splits(), folder=run, state=state, stop=stop,
            components=components(extra), evaluator=evaluator, keep_validations=keep,
        )  # fmt: skip
    finally:
        torch.set_num_threads(threads)


WATCHED = {
    "epochs": 8, "monitor": "valid/doubt/mean", "mode": "max",
    "callbacks": {"stop": Component(use="EarlyStopping", params={"patience": 2})},
}  # fmt: skip


def test_experiment_27_an_evaluated_metric_decides_and_stops(tiny: Path, run: Path) -> None:
    """It is there before checkpoints and early stopping look, in the log, and as exact as it was given."""

    class Told(Doubt):
        values = (0.0, 0.2, 0.9, 0.4, 0.5, 0.3)  # the first is before training

        def evaluate(self, predictions: Path, *, split: str) -> Mapping[str, float]:
            super().evaluate(predictions, split=split)
            return {"doubt/mean": self.values[len(self.seen) - 1]}

    report = train(tiny, run, Told(), **WATCHED)

    log = list(csv.DictReader((run / "logs" / "metrics.csv").read_text().splitlines()))
    logged = [float(row["valid/doubt/mean"]) for row in log if row.get("valid/doubt/mean")]
    assert logged == [0.2, 0.9, 0.4, 0.5]
    assert (report.best_step, report.best_value) == (18, 0.9)
    assert "stopped early at step 36: valid/doubt/mean has not improved" in report.stopped


def test_experiment_27_every_validation_is_a_file_of_predictions(tiny: Path, run: Path) -> None:
    """As a test's: rows in order, with columns beside; the metrics are those over this file."""
    evaluator = Doubt()

    report = train(tiny, run, evaluator, epochs=1)

    path = run / FOLDER / "step-9" / "predictions.arrow"
    table = read(path)
    assert [step.name for step in (run / FOLDER).iterdir()] == ["step-9"]
    assert [file.name for file in path.parent.iterdir()] == ["predictions.arrow"]
    assert table["row"].to_pylist() == list(range(20))
    assert table["text"].to_pylist() == [f"valid {i}" for i in range(20)]
    assert table["label"].to_pylist() == splits()["valid"]["label"][:]
    assert table.schema.metadata[b"split"] == b"valid"
    assert evaluator.seen[-1] == (path, "valid", 20)
    assert (
        report.best_metrics["valid/doubt/mean"] == evaluator.evaluate(path, split="")["doubt/mean"]
    )
    assert report.best_metrics["valid/rows"] == 20
    assert path.stat().st_size == len(path.read_bytes())


def test_experiment_27_a_resumed_training_is_guided_as_one_that_was_not_stopped(
    tiny: Path, tmp_path: Path
) -> None:
    """Weights, log and kept validations are the same bytes."""
    settings = {**WATCHED, "validate_every": 4, "epochs": 2, "eval_batch_size": 8}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(tiny, whole, Doubt(), **settings)
    stop = Stop()

    class Asking(Doubt):
        def evaluate(self, predictions: Path, *, split: str) -> Mapping[str, float]:
            if len(self.seen) == 2:
                stop.asked = 2
            return super().evaluate(predictions, split=split)

    with pytest.raises(KeyboardInterrupt):
        train(tiny, parts, Asking(), stop=stop, **settings)
    state = states.newest(parts / states.FOLDER)
    train(tiny, parts, Doubt(), state=state, **settings)

    found = [
        {path.relative_to(run).as_posix(): path.read_bytes() for path in sorted(run.rglob("*"))
         if path.is_file() and states.FOLDER not in path.parts}
        for run in (whole, parts)
    ]  # fmt: skip
    assert state is not None
    assert found[0].keys() == found[1].keys()
    assert [name for name in found[0] if found[0][name] != found[1][name]] == []


def test_experiment_27_a_metric_that_no_node_gives_is_refused_before_the_first_step(
    tiny: Path, run: Path
) -> None:
    """With the names that there are: those of the nodes, and the task's."""
    with pytest.raises(
        DataError, match=r"no metric 'valid/doubt/man' .*valid/doubt/mean"
    ) as caught:
        train(tiny, run, Doubt(), monitor="valid/doubt/man")

    assert caught.value.key == "train.monitor"
    stop = Component(use="EarlyStopping", params={"monitor": "valid/rws"})
    with pytest.raises(DataError) as caught:
        train(tiny, run, Doubt(), callbacks={"stop": stop})
    assert caught.value.key == "train.callbacks.stop.monitor"
    assert not (run / "checkpoints").exists()
    assert list((run / FOLDER).iterdir()) == []


def test_experiment_27_a_node_that_fails_does_so_before_the_first_step(
    tiny: Path, run: Path
) -> None:
    """Its error is that of the node."""
    with pytest.raises(OpError, match=r"evaluate\.nodes\.doubt: it broke"):
        train(tiny, run, Doubt(fails_at=1))

    assert not (run / "checkpoints").exists()


def test_the_rehearsal_says_of_how_many_rows_it_has_some(tiny: Path, run: Path) -> None:
    """In the file: a node that counts rows then knows what all of them will have."""
    facts = []

    class Looking(Doubt):
        def evaluate(self, predictions: Path, *, split: str) -> Mapping[str, float]:
            facts.append(read(predictions).schema.metadata.get(b"rows"))
            raise OpError("enough was seen")

    with pytest.raises(OpError, match="enough"):
        train(tiny, run, Looking())

    assert facts == [b"20"]


def test_the_rehearsal_changes_nothing(tiny: Path, tmp_path: Path) -> None:
    """The weights are those of a training that is not evaluated, even if a node draws random numbers."""

    class Drawing(Doubt):
        def evaluate(self, predictions: Path, *, split: str) -> Mapping[str, float]:
            if not self.seen:
                torch.rand(3)
            return super().evaluate(predictions, split=split)

    runs = [tmp_path / "without", tmp_path / "with"]
    for run, evaluator in zip(runs, (None, Drawing()), strict=True):
        train(tiny, run, evaluator, epochs=1)

    weights = [(run / "checkpoints/best/model.safetensors").read_bytes() for run in runs]
    assert weights[0] == weights[1]
    assert not (runs[0] / FOLDER).exists()


def test_a_metric_that_is_not_there_this_time_is_not_the_one_before(tiny: Path, run: Path) -> None:
    """What a node cannot give, such as a correlation of equal numbers, is no number then."""

    class Once(Doubt):
        def evaluate(self, predictions: Path, *, split: str) -> Mapping[str, float]:
            found = super().evaluate(predictions, split=split)
            return found if len(self.seen) <= 2 else {"rows": found["rows"]}

    report = train(tiny, run, Once(), epochs=3, monitor="valid/doubt/mean", mode="min")

    assert report.best_step == 9


def test_experiment_39_old_validations_are_pruned(tiny: Path, run: Path) -> None:
    """The newest stay, and those whose checkpoints are kept."""

    class First(Doubt):
        def evaluate(self, predictions: Path, *, split: str) -> Mapping[str, float]:
            super().evaluate(predictions, split=split)
            return {"doubt": float(len(self.seen))}

    report = train(tiny, run, First(), epochs=4, monitor="valid/doubt", mode="min", keep=2)

    found = {path.name for path in (run / FOLDER).iterdir()}
    assert report.best_step == 9
    assert found == {"step-9", "step-27", "step-36"}


def test_only_folders_of_validations_are_pruned(run: Path) -> None:
    """With none to keep and no checkpoint all go; what is called otherwise stays."""
    for name in ("step-3", "step-11", "mine"):
        (run / FOLDER / name).mkdir(parents=True)

    prune(run, keep=1)
    assert {path.name for path in (run / FOLDER).iterdir()} == {"step-11", "mine"}
    prune(run, keep=0)
    assert {path.name for path in (run / FOLDER).iterdir()} == {"mine"}


def test_several_splits_are_evaluated_each(tiny: Path, run: Path) -> None:
    """Each has a file and metrics under its own name."""
    evaluator = Doubt()

    report = train(tiny, run, evaluator, epochs=1, valid_split=["valid", "test"])

    assert {path.name for path in (run / FOLDER / "step-9").iterdir()} == {
        "predictions-valid.arrow", "predictions-test.arrow",
    }  # fmt: skip
    assert report.best_metrics["valid/rows"] == 20
    assert report.best_metrics["test/rows"] == 22
    assert [split for _, split, _ in evaluator.seen[-2:]] == ["valid", "test"]


def test_without_validation_nothing_is_evaluated(tiny: Path, run: Path) -> None:
    """There are no predictions to evaluate."""
    evaluator = Doubt()

    train(tiny, run, evaluator, epochs=1, valid_split="", monitor="train/loss")

    assert evaluator.seen == []
    assert not (run / FOLDER).exists()


def test_short_and_long_rows_are_rehearsed_with() -> None:
    """From the shortest to the longest, each once; all where there are few."""
    lengths = torch.randint(1, 500, (1000,)).numpy()

    found = lengths[spread(lengths)]

    assert (len(found), found[0], found[-1]) == (64, lengths.min(), lengths.max())
    assert len(set(spread(lengths).tolist())) == 64
    assert sorted(spread(lengths[:3]).tolist()) == [0, 1, 2]
