"""Testing a checkpoint."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pytest
import torch
from datasets import Dataset

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.errors import DataError, TrainingError
from mlrecipe.interfaces import Head
from mlrecipe.recipe.schema import TestSpec
from mlrecipe.training.fit import fit
from mlrecipe.training.test import TestReport
from mlrecipe.training.test import test as run_test
from tests.training.tiny import LABELS, components, make_rows, make_spec, make_splits


@pytest.fixture(scope="module")
def checkpoint(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The best checkpoint of a short training."""
    report = fit(
        task=TextClassification(labels=LABELS), model=Transformer(config=str(tiny)),
        spec=make_spec(), seed=1, data=make_splits(), components=components(),
        folder=tmp_path_factory.mktemp("trained"),
    )  # fmt: skip
    return report.model_folder


def run_on(
    checkpoint: Path, run: Path, rows: Dataset, *, task: TextClassification | None = None
) -> TestReport:
    return run_test(
        task=task or TextClassification(metrics=["accuracy", "f1"]),
        model=Transformer(config="/nowhere"), spec=TestSpec(batch_size=4), data={"test": rows},
        checkpoint=checkpoint, folder=run, trainer={"accelerator": "cpu"},
    )  # fmt: skip


def predictions_of(run: Path) -> pa.Table:
    with pa.ipc.open_stream(run / "predictions.arrow") as stream:
        return stream.read_all()


def test_every_row_is_predicted_once_in_order(checkpoint: Path, run: Path):
    """Row numbers, targets by name, and probabilities in the order of the labels."""
    rows = make_rows(11, seed=5)

    report = run_on(checkpoint, run, rows)

    table = predictions_of(run)
    assert report.rows == 11
    assert table["row"].to_pylist() == list(range(11))
    assert table["label"].to_pylist() == rows["label"][:]
    assert json.loads(table.schema.metadata[b"labels"]) == LABELS
    assert table.schema.field("probabilities").type == pa.list_(pa.float32())
    for prediction, scores in zip(table["prediction"].to_pylist(),
                                  table["probabilities"].to_pylist(), strict=True):  # fmt: skip
        assert sum(scores) == pytest.approx(1)
        assert prediction == LABELS[scores.index(max(scores))]


def test_probabilities_are_those_of_the_checkpoint(checkpoint: Path, run: Path):
    """What is stored is what the model says of each row alone."""
    rows = make_rows(6, seed=5)
    task = TextClassification(labels=LABELS)
    head = Head(problem_type="single_label_classification", labels=tuple(LABELS))
    encoded = task.encode(rows, head, split="test").with_format("arrow")
    network = Transformer().load(checkpoint).eval()

    run_on(checkpoint, run, rows)

    stored = torch.tensor(predictions_of(run)["probabilities"].to_pylist())
    with torch.no_grad():
        alone = [task.step(network, task.collate(encoded[[i]])).scores for i in range(6)]
    assert torch.allclose(stored, torch.cat(alone), atol=1e-6)


def test_metrics_are_those_of_the_predictions(checkpoint: Path, run: Path):
    """Accuracy by hand, from the stored rows; the file says the same as the report."""
    report = run_on(checkpoint, run, make_rows(11, seed=5))

    table = predictions_of(run)
    pairs = zip(table["label"].to_pylist(), table["prediction"].to_pylist(), strict=True)
    assert report.metrics["test/accuracy"] == pytest.approx(sum(a == b for a, b in pairs) / 11)
    assert set(report.metrics) == {"test/loss", "test/accuracy", "test/f1"}
    assert json.loads((run / "metrics.json").read_text())["metrics"] == dict(report.metrics)


def test_labels_go_by_the_names_that_the_checkpoint_was_trained_with(checkpoint: Path, run: Path):
    """A recipe that now lists them in another order changes nothing."""
    rows = make_rows(8, seed=5)
    before = run_on(checkpoint, run, rows).metrics

    turned = TextClassification(labels=LABELS[::-1], metrics=["accuracy", "f1"])

    assert run_on(checkpoint, run, rows, task=turned).metrics == before


def test_progress_counts_rows(checkpoint: Path, run: Path):
    """It ends at the last row."""
    seen: list[events.Event] = []

    with events.listening(seen.append):
        run_on(checkpoint, run, make_rows(10))

    done = [(e.done, e.total) for e in seen if isinstance(e, events.Progress)]
    assert done == [(4, 10), (8, 10), (10, 10)]
    assert seen[0] == events.StageStarted("test", "10 rows of split 'test'")


def test_no_checkpoint_is_a_plain_refusal(tmp_path: Path, run: Path):
    """Never metrics of an untrained model."""
    with pytest.raises(TrainingError, match="there is no checkpoint"):
        run_on(tmp_path / "nothing", run, make_rows(4))

    assert list(run.iterdir()) == []


def test_a_damaged_checkpoint_is_refused(checkpoint: Path, tmp_path: Path, run: Path):
    """One flipped byte in the weights is found by their digest."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in checkpoint.iterdir():
        content = bytearray(path.read_bytes())
        if path.suffix == ".safetensors":
            content[-1] ^= 1
        (copy / path.name).write_bytes(content)

    with pytest.raises(TrainingError, match=r"is damaged: model\.safetensors"):
        run_on(copy, run, make_rows(4))


@pytest.mark.parametrize(
    ("rows", "key", "message"),
    [
        (make_rows(4, labels=["negative", "neutral"]), "task.labels", "'neutral' of split 'test'"),
        (make_rows(4).remove_columns("input_ids"), "test.data", "no column 'input_ids'"),
        (make_rows(0), "test.split", "has no rows"),
    ],
    ids=["unknown label", "no tokens", "no rows"],
)
def test_a_split_that_does_not_fit_is_an_error(
    checkpoint: Path, run: Path, rows: Dataset, key: str, message: str
):
    """The error has the recipe's key, and no predictions are left."""
    with pytest.raises(DataError, match=message) as caught:
        run_on(checkpoint, run, rows)

    assert caught.value.key == key
    assert list(run.iterdir()) == []
