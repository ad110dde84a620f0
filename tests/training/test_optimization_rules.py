"""What `check` says of a recipe's optimizer, rates and losses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from mlrecipe.code.catalog import Catalog
from mlrecipe.recipe.layers import Layer, default_layer, merge
from mlrecipe.recipe.load import load
from mlrecipe.training.checks import problems

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "optimize.md"
TRAIN = [
    ({"layer_decay": 1.5}, "layer_decay", "1.5 is not above 0 and at most 1"),
    ({"layer_decay": 0}, "layer_decay", "0 is not above 0"),
    ({"lr_by_name": {"classifier.*": -1e-3}}, 'lr_by_name."classifier.*"', "-0.001 is not above 0"),
    ({"layer_decay": 0.9, "optimizer": {"use": "LBFGS"}}, "layer_decay", "LBFGS has one learning rate"),
    ({"lr_by_name": {"a": 1.0}, "optimizer": {"use": "LBFGS"}}, "lr_by_name", "LBFGS has one"),
    ({"optimizer": {"use": "SparseAdam"}}, "optimizer.use", "takes sparse gradients only"),
    ({"trainer": {"gradient_clip_val": -1.0}}, "trainer.gradient_clip_val", "-1.0 is below 0"),
    ({"trainer": {"gradient_clip_algorithm": "nrm"}}, "trainer.gradient_clip_algorithm",
     "'nrm' is no way to clip gradients"),
    ({"trainer": {"gradient_clip_algorithm": "value", "gradient_clip_val": 0.0}},
     "trainer.gradient_clip_algorithm", "nothing is clipped without `gradient_clip_val`"),
]  # fmt: skip
TASK = [
    ({"label_smoothing": 1.0}, "label_smoothing", "1.0 is not between 0 and 1"),
    ({"focal_gamma": -2.0}, "focal_gamma", "-2.0 is not at least 0"),
    ({"focal_gamma": 2.0, "label_smoothing": 0.1}, "focal_gamma", "not defined for smoothed labels"),
    ({"class_weights": [1.0]}, "class_weights", "there is 1 weight for 2 labels"),
    ({"class_weights": [0.0, 0.0]}, "class_weights", "weights are 0 or more, and not all 0"),
    ({"class_weights": {"a": 1.0, "b": 1.0, "c": 1.0}}, "class_weights.c", "no label 'c'"),
    ({"class_weights": {"a": 1.0}}, "class_weights", "no weight for the label 'b'"),
]  # fmt: skip


def found(train: dict[str, Any], task: dict[str, Any]) -> dict[str, str]:
    values = {
        "train": train, "model": {"use": "transformer", "config": "x"},
        "task": {"use": "text-classification", "labels": ["a", "b"], **task},
    }  # fmt: skip
    tree = merge([default_layer(), Layer(name="r.toml", values=values)])
    return {problem.key: problem.message for problem in problems(tree, Catalog())}


@pytest.mark.parametrize(("train", "key", "message"), TRAIN)
def test_what_cannot_be_or_does_nothing_in_training_is_found(train: dict, key: str, message: str):
    """One problem, at the recipe's own key."""
    [(where, what)] = found(train, {}).items()

    assert where == f"train.{key}"
    assert message in what


@pytest.mark.parametrize(("task", "key", "message"), TASK)
def test_what_cannot_be_of_a_loss_is_found(task: dict, key: str, message: str):
    """One problem, at the task's own key."""
    [(where, what)] = found({}, task).items()

    assert where == f"task.{key}"
    assert message in what


@pytest.mark.parametrize(
    ("train", "task"),
    [
        ({"layer_decay": 1, "lr_by_name": {"classifier.*": 1e-3}}, {"class_weights": "balanced"}),
        ({"trainer": {"gradient_clip_algorithm": "value"}}, {"class_weights": {"b": 2, "a": 0}}),
        ({"trainer": {"gradient_clip_val": 0}}, {"label_smoothing": 0.1, "focal_gamma": 0.0}),
        ({"layer_decay": "much"}, {"class_weights": "balancd", "focal_gamma": True}),
    ],
)
def test_nothing_is_said_of_what_is_right_or_is_left_to_the_types(train: dict, task: dict):
    """A value of another type is reported once, by what knows the types."""
    assert found(train, task) == {}


@pytest.mark.parametrize("shown", re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL))
def test_what_the_page_shows_is_right(tmp_path: Path, shown: str):
    """Each table by itself, in a recipe that names a model and a task."""
    (tmp_path / ".mlrecipe").mkdir()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text('{"model_type": "bert"}')
    task = '[task]\nuse = "text-classification"\nmetrics = ["balanced-accuracy"]\n'
    rest = shown.replace('[task]\nuse             = "text-classification"\n', "")
    path = tmp_path / "r.toml"
    start = 'name = "page"\n[model]\nuse = "transformer"\ncheckpoint = "model"\n'
    path.write_text(start + task + rest)

    loading = load(path, here=tmp_path)

    assert [str(problem) for problem in loading.problems] == []
    assert problems(loading.tree, Catalog()) == []
