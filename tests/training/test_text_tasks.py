"""Tasks beside that of one label a text, from rows to the predictions of a test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from datasets import Dataset

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.multi_label_classification import MultiLabelClassification
from mlrecipe.builtin.tasks.multi_output_classification import MultiOutputClassification
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.builtin.tasks.text_regression import TextRegression
from mlrecipe.interfaces import Head, Task
from mlrecipe.recipe.schema import TestSpec
from mlrecipe.training.fit import FitReport, fit
from mlrecipe.training.keeping.checkpoints import read_record
from mlrecipe.training.settling import settle
from mlrecipe.training.test import TestReport
from mlrecipe.training.test import test as run_test
from tests.training.tiny import components, make_rows, make_spec


def splits(**columns: Any) -> dict[str, Dataset]:
    """Rows whose words tell 0 from 1; each column is made of that number and the row's own."""
    found = {}
    for seed, (name, count) in enumerate({"train": 200, "valid": 21, "test": 17}.items()):
        rows = make_rows(count, seed=seed, labels=[0, 1])
        numbers = rows["label"][:]
        rows = rows.remove_columns("label")
        for column, make in columns.items():
            values = [make(number, i) for i, number in enumerate(numbers)]
            rows = rows.add_column(column, pa.array(values))
        found[name] = rows
    return found


NUMBERS = splits(score=lambda number, i: 2.0 * number - 1)
SEVERAL = splits(tags=lambda number, i: [["bad"], ["fine", "good"]][number] if i % 9 else [])
OUTPUTS = splits(intent=lambda number, i: "ab"[number], topic=lambda number, i: "xyz"[i % 3])
MONITORS = {
    "regression": "valid/pearson-corrcoef", "several": "valid/f1-micro",
    "outputs": "valid/intent/accuracy",
}  # fmt: skip
CASES: dict[str, tuple[Task, Mapping[str, Dataset]]] = {
    "regression": (TextRegression(), NUMBERS),
    "several": (MultiLabelClassification(threshold=0.4), SEVERAL),
    "outputs": (MultiOutputClassification(outputs=["intent", "topic"]), OUTPUTS),
}


def train(
    task: Task, tiny: Path, run: Path, data: Mapping[str, Dataset], **changes: Any
) -> FitReport:
    model = Transformer(config=str(tiny), **changes.pop("model", {}))
    return fit(
        task=task, model=model, spec=make_spec(**changes), seed=1, data=data,
        folder=run, components=components(),
    )  # fmt: skip


def judge(
    task: Task, checkpoint: Path, run: Path, rows: Dataset, *, model: Transformer | None = None
) -> tuple[TestReport, list[dict[str, Any]]]:
    """The report of a test and its predictions."""
    run.mkdir()
    report = run_test(
        task=task, model=model or Transformer(config="/nowhere"), spec=TestSpec(batch_size=4),
        data={"test": rows}, checkpoint=checkpoint, folder=run, trainer={"accelerator": "cpu"},
    )  # fmt: skip
    with pa.ipc.open_stream(run / "predictions.arrow") as stream:
        return report, stream.read_all().to_pylist()


@pytest.mark.parametrize("case", CASES)
def test_each_task_learns_and_is_tested(tiny: Path, tmp_path: Path, case: str):
    """With batches whose last is of one row; the recipe's task is enough to test a checkpoint."""
    task, data = CASES[case]
    (tmp_path / "train").mkdir()

    report = train(task, tiny, tmp_path / "train", data, monitor=MONITORS[case], epochs=6)
    tested, rows = judge(task, report.model_folder, tmp_path / "test", data["test"])

    assert report.best_value is not None
    assert report.best_value > 0.7
    assert tested.metrics[MONITORS[case].replace("valid", "test")] > 0.7
    assert [row["row"] for row in rows] == list(range(17))
    head = read_record(report.model_folder).head
    assert all(len(row["probabilities"]) == len(head.labels) for row in rows)


def test_predictions_of_several_outputs_are_of_each(tiny: Path, tmp_path: Path):
    """Column → label; the probabilities stand in the order of the head's labels."""
    task, data = CASES["outputs"]
    (tmp_path / "train").mkdir()
    report = train(task, tiny, tmp_path / "train", data, epochs=1)

    _, rows = judge(task, report.model_folder, tmp_path / "test", data["test"])

    assert [row["label"] for row in rows[:3]] == [
        {"intent": intent, "topic": topic}
        for intent, topic in zip(data["test"]["intent"][:3], data["test"]["topic"][:3], strict=True)
    ]
    for row in rows:
        given = row["probabilities"]
        assert row["prediction"] == {
            "intent": "ab"[given[:2].index(max(given[:2]))],
            "topic": "xyz"[given[2:].index(max(given[2:]))],
        }


def test_predictions_of_several_labels_go_by_the_threshold(tiny: Path, tmp_path: Path):
    """That of the training, kept with the checkpoint: whoever tests need not say it."""
    task, data = CASES["several"]
    (tmp_path / "train").mkdir()
    report = train(task, tiny, tmp_path / "train", data, epochs=1)
    head = read_record(report.model_folder).head

    _, rows = judge(task, report.model_folder, tmp_path / "test", data["test"])

    assert (head.threshold, head.labels) == (0.4, ("bad", "fine", "good"))
    for row in rows:
        scored = zip(head.labels, row["probabilities"], strict=True)
        assert row["prediction"] == [label for label, chance in scored if chance > 0.4]
    assert [row["label"] for row in rows] == [sorted(tags) for tags in data["test"]["tags"]]


@pytest.mark.parametrize("case", CASES)
def test_glue_7_rows_without_labels_are_predicted_all_the_same(
    tiny: Path, tmp_path: Path, case: str
):
    """The same predictions as with labels; there are no metrics, and each label is missing."""
    task, data = CASES[case]
    (tmp_path / "train").mkdir()
    report = train(task, tiny, tmp_path / "train", data, epochs=1)
    bare = data["test"].select_columns(["input_ids"])

    _, rows = judge(task, report.model_folder, tmp_path / "test", data["test"])
    unlabelled, others = judge(task, report.model_folder, tmp_path / "bare", bare)

    assert unlabelled.metrics == {}
    assert all(row["label"] is None for row in others)
    assert [row["prediction"] for row in others] == [row["prediction"] for row in rows]


@pytest.mark.parametrize("case", CASES)
def test_a_frozen_encoder_gives_each_task_the_same_as_a_computed_one(
    tiny: Path, tmp_path: Path, case: str
):
    """Outputs that are kept change nothing of what is learnt."""
    task, data = CASES[case]
    found = []
    for name, kept in (("kept", True), ("computed", False)):
        (tmp_path / name).mkdir()
        report = train(
            task, tiny, tmp_path / name, data, epochs=2, cache_frozen=kept,
            model={"freeze_layers": 1},
        )  # fmt: skip
        found.append(report.best_metrics["valid/loss"])

    assert found[0] == pytest.approx(found[1], rel=1e-4)


@pytest.mark.parametrize("case", CASES)
def test_an_adapter_learns_each_task(tiny: Path, tmp_path: Path, case: str):
    """Below a head of its own, which learns as well; it is tested like any other."""
    pytest.importorskip("peft")
    task, data = CASES[case]
    pretrained = Transformer(config=str(tiny))
    base = tmp_path / "base"
    pretrained.save(pretrained.build(task.head(data)), base)
    (tmp_path / "train").mkdir()
    lora = {"method": "lora", "r": 4, "target_modules": ["query", "value"]}
    model = Transformer(checkpoint=str(base), peft=lora)

    report = fit(
        task=task, model=model, spec=make_spec(), seed=1, data=data, folder=tmp_path / "train",
        components=components(),
    )  # fmt: skip
    _, rows = judge(task, report.model_folder, tmp_path / "test", data["test"], model=model)

    assert report.best_metrics["train/loss"] > 0
    assert len(rows) == 17


def test_glue_8_what_was_found_is_said_once_and_kept(tiny: Path, tmp_path: Path):
    """The column and the label map, sorted; the checkpoint's head has them, too."""
    data = splits(v1=lambda number, i: ["spam", "ham"][number])
    heard: list[events.Event] = []

    with events.listening(heard.append):
        report = train(TextClassification(), tiny, tmp_path, data, epochs=1)

    notes = [event.text for event in heard if isinstance(event, events.Note)]
    assert notes[:2] == ["label column: v1", "label map: ham → 0, spam → 1"]
    assert report.taken == {"label_column": "v1", "label_map": {"ham": 0, "spam": 1}}
    assert read_record(report.model_folder).head == Head(
        problem_type="single_label_classification", labels=("ham", "spam"), targets=("v1",)
    )


@pytest.mark.parametrize(("names", "said"), [(["0", "1"], []), (["1", "2"], ["1 → 0, 2 → 1"])])
def test_numbers_that_are_their_own_names_are_no_news(names: list[str], said: list[str]):
    """The label map is said where a label's name is not the number of its output."""
    data = splits(label=lambda number, i: names[number])
    heard: list[events.Event] = []

    with events.listening(heard.append):
        _, taken = settle(TextClassification(), make_spec(), data)

    assert taken["label_map"] == {names[0]: 0, names[1]: 1}
    assert [e.text for e in heard if isinstance(e, events.Note)] == [
        f"label map: {s}" for s in said
    ]


def test_glue_8_another_split_goes_by_the_column_that_was_found(tiny: Path, tmp_path: Path):
    """Not by what looks most like a label there."""
    data = splits(v1=lambda number, i: ["spam", "ham"][number])
    report = train(TextClassification(), tiny, tmp_path, data, epochs=1)
    rows = data["test"].add_column("label", pa.array(["no"] * 17))

    _, found = judge(TextClassification(), report.model_folder, tmp_path / "test", rows)

    assert [row["label"] for row in found] == rows["v1"][:]
