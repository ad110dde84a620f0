"""What stops a training that goes wrong, and what is said of one that is not worth much."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from safetensors.torch import load_file

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.interfaces import Head, StepOutput
from mlrecipe.recipe.schema import Component, TestSpec
from mlrecipe.training.collapse import Collapse, Predicted
from mlrecipe.training.fit import fit
from mlrecipe.training.keeping.checkpoints import read_record
from mlrecipe.training.module import Meters
from mlrecipe.training.test import test as run_test
from mlrecipe.training.watch import NotFinite
from tests.training.tiny import LABELS, components, make_spec, make_splits


class Spoil(pl.Callback):
    """Spoils the loss or the gradients of a step."""

    def __init__(self, what: str, step: int, value: float) -> None:
        self.what, self.step, self.value = what, step, value

    def on_before_backward(self, trainer, pl_module, loss):
        if self.what == "loss" and trainer.global_step + 1 == self.step:
            loss.data.fill_(self.value)

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        if self.what == "gradients" and trainer.global_step + 1 == self.step:
            next(p for p in pl_module.parameters() if p.grad is not None).grad.fill_(self.value)


class First(pl.Callback):
    """Spoils the loss before it is looked at: a task would."""

    def __init__(self, step: int, value: float) -> None:
        self.step, self.value = step, value

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.global_step + 1 == self.step:
            own = pl_module._task

            class Task:
                def __getattr__(_, name: str) -> Any:
                    return getattr(own, name)

                def step(_, module, batch):
                    output = own.step(module, batch)
                    return type(output)(output.loss * self.value, output.scores, output.targets)

            pl_module._task = Task()


def train(tiny, run, callback=None, *, splits=None, **changes):
    table = {"spoil": Component(use="Spoil")} if callback is not None else {}
    return fit(
        task=TextClassification(labels=LABELS), model=Transformer(config=str(tiny)),
        spec=make_spec(**changes, callbacks=table), seed=1,
        data=splits or make_splits(train=40, valid=10), folder=run,
        components=components({"Spoil": lambda: callback}),
    )  # fmt: skip


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_stops_with_its_batch(tiny, run, value):
    """The batch and its rows are in the run directory, one message says what to try, the weights are whole."""
    with pytest.raises(NotFinite) as caught:
        train(tiny, run, First(3, value))

    rows = json.loads((run / "not-finite" / "batch.json").read_text())
    batch = load_file(run / "not-finite" / "batch.safetensors")
    assert rows["step"] == 3
    assert len(rows["rows"]) == len(batch["labels"]) == 8
    train_rows = make_splits(train=40, valid=10)["train"]
    tokens = [row[row != 0].tolist() for row in batch["input_ids"]]
    assert tokens == [train_rows[row]["input_ids"] for row in rows["rows"]]
    assert "the loss is infinite or not a number at step 3, epoch 1" in str(caught.value)
    assert "lower train.optimizer.lr" in str(caught.value)
    assert read_record(run / "checkpoints" / "last").step == 2
    weights = load_file(run / "checkpoints" / "last" / "model.safetensors")
    assert all(weight.isfinite().all() for weight in weights.values())


@pytest.mark.parametrize("step", [2, 5])
def test_gradients_that_are_no_numbers_stop_before_the_weights_are_kept(tiny, run, step):
    """At the next loss, or at the epoch's end; the batch kept is the one that they are of."""
    with pytest.raises(NotFinite, match=f"the weights are .* at step {step}, epoch 1"):
        train(tiny, run, Spoil("gradients", step, float("nan")))

    assert json.loads((run / "not-finite" / "batch.json").read_text())["step"] == step
    assert not (run / "checkpoints" / "last").exists()
    assert not (run / "checkpoints" / "best").exists()


def test_a_training_that_is_well_keeps_no_batch(tiny, run):
    """Nothing is written, nothing stops."""
    train(tiny, run)

    assert not (run / "not-finite").exists()


def warnings(heard) -> list[str]:
    """The warnings of the test."""
    return [e.text for e in heard if isinstance(e, events.Note) and e.level == "warning"]


def test_glue_17_predictions_of_one_class_are_warned_of(tiny, run, heard):
    """In validation, and again in the test; the class is named."""
    splits = make_splits(train=40, valid=10)
    report = train(tiny, run, splits=splits, optimizer=Component(use="AdamW", params={"lr": 1e-9}))
    found = [text for text in warnings(heard) if "valid rows is predicted as" in text]
    heard.clear()
    (run / "test").mkdir()

    run_test(
        task=TextClassification(labels=LABELS), model=Transformer(config=str(tiny)),
        spec=TestSpec(), data=splits, checkpoint=report.model_folder, folder=run / "test",
        trainer={"accelerator": "cpu"},
    )  # fmt: skip

    assert len(found) == 1
    assert "every one of the 10 valid rows is predicted as '" in found[0]
    assert any("every one of the 22 test rows is predicted as '" in t for t in warnings(heard))


@pytest.mark.parametrize(
    ("predicted", "there", "found"),
    [([1, 1, 1], [0, 1, 2], 1), ([0, 1, 1], [0, 1, 2], -1), ([2, 2, 2], [2, 2, 2], -1)],
)
def test_one_class_is_no_collapse_where_it_is_the_only_one(predicted, there, found):
    """Only a model that should have told classes apart has collapsed."""
    metric = Predicted(3)

    metric.update(torch.eye(3)[predicted], torch.tensor(there))

    assert metric.compute().tolist() == [found, 3]


def test_one_class_is_told_of_when_it_is_twice_in_a_row_or_last(tiny, run, heard):
    """A network that learns nothing: after the second of four epochs, and after the last."""
    splits = make_splits(train=40, valid=10)

    train(tiny, run, splits=splits, epochs=4, optimizer=Component(use="SGD", params={"lr": 0.0}))

    found = [text for text in warnings(heard) if "valid rows is predicted as" in text]
    assert [text.partition(" after ")[2].partition(":")[0] for text in found] == [
        "step 10",
        "step 20",
    ]


def test_scores_that_choose_no_class_are_not_counted():
    """A regression's, or those of several labels at once."""
    metric = Predicted(2)

    metric.update(torch.rand(4), torch.rand(4))
    metric.update(torch.rand(4, 2), torch.ones(4, 2))

    assert metric.compute().tolist() == [-1, 0]


SETS = Head(problem_type="multi_label_classification", labels=("a", "b"), threshold=0.4)
OUTPUTS = Head(
    problem_type="multi_output_classification", labels=("x=a", "x=b", "y=c", "y=d", "y=e"),
    outputs={"x": ("a", "b"), "y": ("c", "d", "e")},
)  # fmt: skip


@pytest.mark.parametrize(
    ("head", "scores", "targets", "said"),
    [
        (SETS, [[0.3, 0.3], [0.4, 0.1]], [[0, 1], [0, 0]],
         ["none of the 4 test rows is predicted to have any label"]),
        (SETS, [[0.3, 0.9], [0.9, 0.5]], [[0, 1], [1, 0]],
         ["every one of the 4 test rows is predicted to have 'b'"]),
        (SETS, [[0.3, 0.9], [0.9, 0.1]], [[0, 1], [1, 1]], []),
        (SETS, [[0.3, 0.3], [0.3, 0.3]], [[0, 0], [0, 0]], []),
        (OUTPUTS, [[0.9, 0.1, 0.1, 0.8, 0.1], [0.8, 0.2, 0.2, 0.7, 0.1]], [[0, 1], [1, 2]],
         ["'x': every one of the 4 test rows is predicted as 'a'",
          "'y': every one of the 4 test rows is predicted as 'd'"]),
        (OUTPUTS, [[0.9, 0.1, 0.1, 0.8, 0.1], [0.8, 0.2, 0.7, 0.2, 0.1]], [[0, 1], [1, 2]],
         ["'x': every one of the 4 test rows is predicted as 'a'"]),
    ],
)  # fmt: skip
def test_glue_17_several_labels_and_outputs_are_looked_at_too(heard, head, scores, targets, said):
    """No label anywhere, or one everywhere though not all rows have it; of several outputs each."""
    collapse = Collapse(head)
    trainer: Any = SimpleNamespace(testing=True, is_global_zero=True)
    for _ in range(2):
        collapse.update(StepOutput(torch.tensor(0.0), torch.tensor(scores), torch.tensor(targets)))

    collapse.conclude(trainer, "test")

    assert warnings(heard) == [
        f"{text}: the model does not tell the classes apart" for text in said
    ]


def test_a_loss_that_is_no_number_is_not_left_out_of_the_mean():
    """Unless its batch has nothing to take the mean over."""

    def mean(*batches: tuple[float, int]) -> float:
        meters = Meters({}, Head(problem_type="regression", labels=()))
        for loss, weight in batches:
            meters.update(
                StepOutput(
                    loss=torch.tensor(loss),
                    scores=torch.zeros(2),
                    targets=torch.zeros(2),
                    weight=weight,
                )
            )
        return float(meters.collect()["loss"])

    assert math.isnan(mean((1.0, 2), (math.nan, 2), (1.0, 2)))
    assert mean((1.0, 2), (math.nan, 0), (4.0, 1)) == pytest.approx(2.0)
