"""What is refused before any work."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest
import pytorch_lightning as pl

from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import DataError
from mlrecipe.recipe.layers import Layer, merge
from mlrecipe.recipe.schema import TrainSpec
from mlrecipe.training.checks import (
    OWN_TRAINER_KEYS,
    check_validations,
    count_steps,
    problems,
    resolve_mode,
)


def found(**tables):
    """Key and message of every problem of a recipe with these tables."""
    tree = merge([Layer(name="r.toml", values=tables)])
    return {problem.key: problem.message for problem in problems(tree, Catalog())}


TRAIN = [
    ({"trainer": {"max_epochs": 3}}, "trainer.max_epochs", "set `train.epochs`"),
    ({"trainer": {"callbacks": []}}, "trainer.callbacks", "use `train.callbacks`"),
    ({"trainer": {"precison": 16}}, "trainer.precison", "did you mean 'precision'?"),
    ({"trainer": {"benchmark": 3}}, "trainer.benchmark", "expected true or false, got 3"),
    ({"trainer": {"fast_dev_run": True}}, "trainer.fast_dev_run", "use --fast-dev-run"),
    ({"trainer": {"limit_train_batches": 0}}, "trainer.limit_train_batches", "nothing to learn from"),
    ({"trainer": {"limit_val_batches": 0}}, "trainer.limit_val_batches", "nothing is validated"),
    ({"scheduler": {"use": "linear", "warmup": -0.1}}, "scheduler.warmup", "-0.1 is not at least 0"),
    ({"monitor": "valid/acuracy"}, "monitor", "did you mean 'valid/accuracy'?"),
    ({"callbacks": {"stop": {"use": "EarlyStopping", "monitor": "valid/los"}}},
     "callbacks.stop.monitor", "did you mean 'valid/loss'?"),
]  # fmt: skip


@pytest.mark.parametrize(("train", "key", "message"), TRAIN)
def test_a_wrong_request_names_the_key_and_the_way_out(train: dict, key: str, message: str):
    """The key is the recipe's own."""
    task = {"use": "text-classification", "metrics": ["accuracy"]}

    [(where, what)] = found(train=train, task=task).items()

    assert where == f"train.{key}"
    assert message in what


def test_recipe_27_all_mistakes_of_training_come_at_once():
    """Not the first one alone."""
    train = {"trainer": {"max_epochs": 3, "precison": 16, "devices": 0}, "monitor": "x"}

    keys = set(found(train=train, task={"use": "text-classification", "labels": ["a", "a"]}))

    names = {"trainer.max_epochs", "trainer.precison", "trainer.devices", "monitor"}
    assert keys == {f"train.{name}" for name in names} | {"task.labels"}


@pytest.mark.parametrize("odd", [3, "x", [1], {"trainer": 1}, {"monitor": 3, "callbacks": [2]}])
def test_what_is_of_another_type_is_left_to_the_structure(odd):
    """Values are plain ones of any type."""
    assert found(train=odd, task=odd, model=odd) == {}


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
    task, model = {"use": "text-classification", **task}, {"use": "transformer", **model}

    [(where, what)] = found(task=task, model=model).items()

    assert where == key
    assert message in what


def test_what_is_as_it_should_be_is_not_refused():
    """One process by any of its names, a list of labels, one source; other components say for themselves."""
    trainer = {"devices": "auto", "num_nodes": 1, "strategy": "auto", "precision": "32-true"}
    task = {"use": "text-classification", "labels": ["a", "b"]}
    model = {"use": "transformer", "config": "tiny", "checkpoint": None}

    assert found(train={"trainer": trainer}, task=task, model=model) == {}
    assert found(task={"use": "own", "labels": []}, model={"use": "own"}) == {}


@pytest.mark.parametrize(
    ("changes", "accumulation", "steps"),
    [
        ({}, 1, 20),
        ({"epochs": 3}, 1, 60),
        ({"max_steps": 7}, 1, 7),
        ({}, 4, 5),
        ({"epochs": 3}, 3, 21),
        ({"trainer": {"limit_train_batches": 3}}, 1, 3),
        ({"trainer": {"limit_train_batches": 3}}, 2, 2),
        ({"trainer": {"limit_train_batches": 0.5}}, 1, 10),
    ],
)
def test_the_steps_that_there_will_be(changes: dict, accumulation: int, steps: int):
    """Up to that many a validation can come; after that it never would."""
    settings = {"epochs": 1, **changes}
    sizes = {"batches": 20, "accumulation": accumulation}
    assert count_steps(TrainSpec(**settings), **sizes) == steps

    check_validations(TrainSpec(validate_every=steps, **settings), **sizes)
    check_validations(TrainSpec(validate_every=999, valid_split="", **settings), **sizes)
    with pytest.raises(DataError, match=f"only {steps} optimizer steps.* every {steps + 1}"):
        check_validations(TrainSpec(validate_every=steps + 1, **settings), **sizes)


def test_training_34_an_unknown_monitor_lists_the_names():
    """All names are there to choose from."""
    task = {"use": "text-classification", "metrics": ["accuracy", "f1"]}

    [message] = found(train={"monitor": "bleu"}, task=task).values()

    assert "known: train/loss, valid/accuracy, valid/f1, valid/loss" in message


@pytest.mark.parametrize("split", ["a/b", ["a/b"]])
def test_the_metrics_of_a_single_split_are_not_called_by_its_name(split: str | list[str]):
    """The error says by what they are."""
    task = {"use": "text-classification", "metrics": ["accuracy"]}

    [message] = found(train={"monitor": "a/b/accuracy", "valid_split": split}, task=task).values()

    assert "the metrics of a single split stand under `valid/`: 'valid/accuracy'" in message


def test_what_mlrecipe_sets_itself_is_an_argument_of_the_trainer():
    """The list follows Lightning's Trainer."""
    assert set(OWN_TRAINER_KEYS) <= set(inspect.signature(pl.Trainer.__init__).parameters)


@pytest.mark.parametrize(
    ("monitor", "mode", "expected"),
    [
        ("valid/loss", "auto", "min"),
        ("valid/calibration-error", "auto", "min"),
        ("valid/mistakes/rate", "auto", "min"),
        ("valid/slices/gap", "auto", "min"),
        ("valid/slices/worst", "auto", "max"),
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


JUDGES = {
    "nodes": {
        "hits": {"use": "top-rows", "inputs": ["predictions"]},
        "since": {"use": "top-rows", "inputs": ["validation"]},
    }
}


def test_experiment_27_a_metric_of_an_evaluation_node_may_be_watched():
    """Whatever its name is: that is known once the node has run. A node that no validation has is told."""
    task = {"use": "text-classification", "metrics": ["accuracy"]}
    stop = {"use": "EarlyStopping", "monitor": "valid/hits/a/b"}

    fine = found(
        train={"monitor": "valid/hits/share", "callbacks": {"stop": stop}},
        task=task,
        evaluate=JUDGES,
    )
    wrong = found(train={"monitor": "valid/since/share"}, task=task, evaluate=JUDGES)
    left_out = found(
        train={"monitor": "valid/hits/share"}, task=task, evaluate={**JUDGES, "validation": []}
    )
    other = found(
        train={"monitor": "dev/hits/share", "valid_split": ["dev", "more"]},
        task=task,
        evaluate=JUDGES,
    )

    assert fine == other == {}
    assert "its input 'validation' is not there" in wrong["train.monitor"]
    assert "`evaluate.validation` does not name it" in left_out["train.monitor"]


@pytest.mark.parametrize("metric", ["/worts", "", "/xyz", "/value", "/topic/value"])
def test_experiment_27_a_metric_that_a_built_in_op_never_has_is_told(metric: str):
    """With the ones that it has; of several outputs each may have them."""
    judges = {"nodes": {"lengths": {"use": "slices", "inputs": ["predictions"]}}}
    task = {"use": "text-classification", "metrics": ["accuracy"]}

    said = found(train={"monitor": f"valid/lengths{metric}"}, task=task, evaluate=judges)

    name = metric.removeprefix("/")
    told = f"evaluation node 'lengths' has no metric {name!r}; "
    told += "did you mean 'worst'?" if name == "worts" else "known: gap, value, worst"
    is_one = metric.endswith("/value")
    assert said == ({} if is_one else {"train.monitor": told})
