"""What `check` says of checkpoints that would never be kept."""

from __future__ import annotations

from typing import Any

import pytest

from mlrecipe.code.catalog import Catalog
from mlrecipe.recipe.layers import Layer, merge
from mlrecipe.training.rules.keeping import problems


@pytest.mark.parametrize(
    ("train", "key", "message"),
    [
        ({"top_k": 2, "valid_split": ""}, "top_k", "does nothing without validation"),
        (
            {"callbacks": {"a": {"use": "EMAWeightAveraging"}, "b": {"use": "WeightAveraging"}}},
            "callbacks.b",
            "in one way only, and 'a' does so already",
        ),
        (
            {
                "callbacks": {
                    "a": {"use": "StochasticWeightAveraging", "swa_lrs": 0.1},
                    "x": {"use": "EarlyStopping"},
                    "b": {"use": "EMAWeightAveraging"},
                }
            },
            "callbacks.b",
            "in one way only, and 'a' does so already",
        ),
    ],
)
def test_what_keeps_nothing_is_an_error(train: dict[str, Any], key: str, message: str) -> None:
    """The key is the recipe's own, and nothing else is said."""
    tree = merge([Layer(name="r.toml", values={"train": train})])

    (problem,) = problems(tree, Catalog())

    assert problem.key == f"train.{key}"
    assert message in problem.message


def test_a_recipe_that_says_nothing_of_it_has_no_problem() -> None:
    """The defaults hold, and one average is none too many."""
    train = {"top_k": 3, "callbacks": {"a": {"use": "EMAWeightAveraging"}}}
    tree = merge([Layer(name="r.toml", values={"train": train})])

    assert problems(tree, Catalog()) == []
