"""What is refused before any work."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
import pytorch_lightning as pl

from mlrecipe.errors import DataError
from mlrecipe.recipe.schema import Component, TrainSpec
from mlrecipe.training.checks import (
    OWN_TRAINER_KEYS,
    check_validations,
    count_steps,
    resolve_mode,
    validate_request,
)


@pytest.mark.parametrize(
    ("changes", "key", "message"),
    [
        ({"trainer": {"max_epochs": 3}}, "train.trainer", "set `train.epochs`"),
        ({"trainer": {"callbacks": []}}, "train.trainer", "use `train.callbacks`"),
        ({"batch_size": 0}, "train.batch_size", "0 is not at least 1"),
        ({"validate_every": -1}, "train.validate_every", "-1 is not at least 1"),
        ({"trainer": {"devices": 2}}, "train.trainer", "in several processes is not there yet"),
        ({"trainer": {"devices": [0, 1]}}, "train.trainer", "in several processes"),
        ({"trainer": {"devices": -1}}, "train.trainer", "in several processes"),
        ({"trainer": {"num_nodes": 2}}, "train.trainer", "in several processes"),
        ({"trainer": {"strategy": "ddp"}}, "train.trainer", "in several processes"),
        ({"trainer": {"fast_dev_run": True}}, "train.trainer", "`limit` and `train.max_steps`"),
        ({"trainer": {"limit_train_batches": 0}}, "train.trainer", "nothing to learn from"),
        ({"scheduler": Component(use="linear", params={"warmup": -0.1})},
         "train.scheduler.warmup", "-0.1 is not at least 0"),
        ({"monitor": "valid/acuracy"}, "train.monitor", "did you mean 'valid/accuracy'?"),
    ],
)  # fmt: skip
def test_a_wrong_request_names_the_key_and_the_way_out(changes: dict, key: str, message: str):
    """The key is the recipe's own."""
    with pytest.raises(DataError, match=message.replace("?", r"\?")) as caught:
        validate_request(spec=TrainSpec(**changes), metrics=["accuracy"])

    assert caught.value.key == key


@pytest.mark.parametrize(
    ("task", "model", "key", "message"),
    [
        ({"labels": []}, {"config": "tiny"}, "task.labels", "list of labels is empty"),
        ({"labels": ["a", "b", "a"]}, {"config": "tiny"}, "task.labels", "'a' is there twice"),
        ({}, {}, "model.checkpoint", "neither is given"),
        ({}, {"checkpoint": "c", "config": "tiny"}, "model.checkpoint", "both are given"),
    ],
)  # fmt: skip
def test_a_task_and_a_model_that_contradict_themselves_are_refused(
    task: dict, model: dict, key: str, message: str
):
    """No data has to be prepared to see it."""
    with pytest.raises(DataError, match=message) as caught:
        validate_request(
            spec=TrainSpec(),
            task=Component(use="text-classification", params=task),
            model=Component(use="transformer", params=model),
        )

    assert caught.value.key == key


def test_what_is_as_it_should_be_is_not_refused():
    """One process by any of its names, a list of labels, one source; other components say for themselves."""
    trainer = {"devices": "auto", "num_nodes": 1, "strategy": "auto"}
    task = Component(use="text-classification", params={"labels": ["a", "b"]})
    model = Component(use="transformer", params={"config": "tiny", "checkpoint": None})

    validate_request(spec=TrainSpec(trainer=trainer), task=task, model=model)
    validate_request(
        spec=TrainSpec(),
        task=Component(use="own", params={"labels": []}),
        model=Component(use="own"),
    )


@pytest.mark.parametrize(
    ("changes", "steps"),
    [
        ({}, 20),
        ({"epochs": 3}, 60),
        ({"max_steps": 7}, 7),
        ({"batch_size": 64}, 4),
        ({"trainer": {"accumulate_grad_batches": 4}}, 5),
        ({"trainer": {"limit_train_batches": 3}}, 3),
        ({"trainer": {"limit_train_batches": 0.5}}, 10),
    ],
)
def test_the_steps_that_there_will_be(changes: dict, steps: int):
    """Up to that many a validation can come; after that it never would."""
    settings = {"batch_size": 10, "epochs": 1, **changes}
    assert count_steps(TrainSpec(**settings), rows=196) == steps

    check_validations(TrainSpec(validate_every=steps, **settings), rows=196)
    check_validations(TrainSpec(validate_every=999, valid_split="", **settings), rows=196)
    with pytest.raises(DataError, match=f"only {steps} optimizer steps.* every {steps + 1}"):
        check_validations(TrainSpec(validate_every=steps + 1, **settings), rows=196)


def test_training_34_an_unknown_monitor_lists_the_names():
    """All names are there to choose from."""
    with pytest.raises(DataError, match="known: train/loss, valid/accuracy, valid/f1, valid/loss"):
        validate_request(spec=TrainSpec(monitor="bleu"), metrics=["accuracy", "f1"])


def test_what_mlrecipe_sets_itself_is_an_argument_of_the_trainer():
    """The list follows Lightning's Trainer."""
    assert set(OWN_TRAINER_KEYS) <= set(inspect.signature(pl.Trainer.__init__).parameters)


@pytest.mark.parametrize(
    ("monitor", "mode", "expected"),
    [
        ("valid/loss", "auto", "min"),
        ("valid/calibration-error", "auto", "min"),
        ("valid/accuracy", "auto", "max"),
        ("valid/accuracy", "min", "min"),
    ],
)
def test_losses_and_errors_should_fall(monitor: str, mode: str, expected: str):
    """Everything else should rise, unless the recipe says otherwise."""
    assert resolve_mode(monitor, mode) == expected


def test_the_checks_import_nothing_heavy():
    """They can be made by a command that must start fast."""
    code = "import sys, mlrecipe.training.checks; print('torch' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
