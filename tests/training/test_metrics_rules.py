"""What `check` says of a recipe's metrics."""

from __future__ import annotations

from typing import Any

import pytest

from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import did_you_mean
from mlrecipe.recipe.layers import Layer, default_layer, merge
from mlrecipe.registry import registries
from mlrecipe.training.checks import problems, resolve_mode
from mlrecipe.training.rules import metrics as rules

WRONG = [
    ("text-classification", "pearson-corrcoef", "does not go with one label for each row"),
    (
        "text-regression",
        "accuracy",
        "does not go with a number for each row; those that do: pearson",
    ),
    ("multi-label-classification", "cohen-kappa", "does not go with several labels for each row"),
    ("multi-output-classification", "exact-match", "does not go with one label for each output"),
    (
        "token-classification",
        "auroc",
        "does not go with a tag for each word; those that do: span-f1",
    ),
    ("token-classification", "f1", "of spans or of words; say `span-f1`, or `f1-macro` or"),
    ("intent-and-slots", "r2-score", "does not go with an intent and slots for each row; those"),
    ("text-classification", "top-3-accuracy", "is always 1: there are only 2 labels"),
]


def found(task: dict[str, Any]) -> dict[str, str]:
    values = {
        "model": {"use": "transformer", "config": "x"}, "train": {"monitor": "valid/loss"},
        "task": task,
    }  # fmt: skip
    tree = merge([default_layer(), Layer(name="r.toml", values=values)])
    return {
        problem.key: problem.message
        for problem in problems(tree, Catalog())
        if problem.key.startswith("task.metrics")
    }


@pytest.mark.parametrize(("task", "metric", "message"), WRONG)
def test_a_metric_that_does_not_fit_the_task_is_found(task: str, metric: str, message: str):
    """At its own place, with the task in words, before anything runs."""
    labels = {"labels": ["a", "b"]} if task == "text-classification" else {}
    right = {"text-regression": "r2-score", "token-classification": "span-f1"}.get(task, "f1")

    [(key, text)] = found({"use": task, "metrics": [right, metric], **labels}).items()

    assert key == "task.metrics[1]"
    assert text.startswith(f"metric {metric!r} ")
    assert message in text


@pytest.mark.parametrize("task", sorted(rules._TASKS))
def test_what_check_names_as_fitting_does_fit(task: str):
    """Every metric that the catalog has for the problem type passes, and those of the hint are among them."""
    kinds, _ = rules._TASKS[task]
    fitting = [entry.name for entry in registries["metric"] if set(kinds) & set(entry.types)]

    assert set(rules._USUAL[kinds[-1]].split(", ")) <= set(fitting)
    assert found({"use": task, "metrics": fitting}) == {}
    assert task in registries["task"]


def test_a_metric_by_its_first_word_is_known():
    """Who writes `pearson` means the one metric that begins so."""
    assert (
        did_you_mean("pearson", registries["metric"].names()) == "did you mean 'pearson-corrcoef'?"
    )
    assert did_you_mean("f1-mcro", registries["metric"].names()) == "did you mean 'f1-micro'?"


def test_of_metrics_and_tasks_of_ones_own_nothing_is_said():
    """What they are for is not known."""
    assert found({"use": "my-task", "metrics": ["pearson-corrcoef"]}) == {}


@pytest.mark.parametrize(
    ("name", "mode"),
    [("f1", "max"), ("mean-squared-error", "min"), ("hamming-distance", "min"),
     ("calibration-error", "min"), ("r2-score", "max"), ("loss", "min")],
)  # fmt: skip
def test_the_better_side_of_a_monitor_is_known_by_its_name(name: str, mode: str):
    """Losses, errors and distances should fall."""
    assert resolve_mode(f"valid/{name}") == mode
