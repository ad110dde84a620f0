"""What `check` says of batches that cannot be."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import tomli

from mlrecipe.code.catalog import Catalog
from mlrecipe.recipe.layers import Layer, merge
from mlrecipe.recipe.load import load
from mlrecipe.recipe.resolved import resolved, to_toml
from mlrecipe.training.rules.batches import problems

WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"tokens_per_batch": 4096}, "tokens_per_batch", "unless `batching = 'tokens'`"),
    ({"pad_to": 128}, "pad_to", "unless `batching = 'fixed'`"),
    ({"sampling_weights": "w"}, "sampling_weights", "unless `sampling = 'weighted'`"),
    ({"sampling": "weighted"}, "sampling", "needs `sampling_weights`"),
    ({"batching": "tokens"}, "batching", "needs `tokens_per_batch`"),
    ({"batching": "tokens", "tokens_per_batch": 9, "batch_size": 8}, "batch_size", "does nothing"),
    ({"batching": "tokens", "tokens_per_batch": 9, "device_batch_size": 8}, "device_batch_size",
     "does nothing"),
    ({"batching": "tokens", "tokens_per_batch": 9, "compile": True}, "compile", "too many shapes"),
    ({"batch_size": 30, "device_batch_size": 8}, "device_batch_size", "nearest sizes that work"),
    ({"batch_size": 9, "trainer": {"devices": 2}}, "batch_size", "nearest sizes that work: 8 and 10"),
    ({"batch_size": 8, "trainer": {"devices": 2, "num_nodes": 3}}, "batch_size", "by 6 devices"),
]  # fmt: skip


def found(train: dict[str, Any]) -> dict[str, str]:
    tree = merge([Layer(name="r.toml", values={"train": train})])
    return {problem.key: problem.message for problem in problems(tree, Catalog())}


@pytest.mark.parametrize(("train", "key", "message"), WRONG)
def test_an_option_that_does_nothing_is_an_error(train: dict[str, Any], key: str, message: str):
    """The key is the recipe's own, and nothing else is said."""
    [(where, what)] = found(train).items()

    assert where == f"train.{key}"
    assert message in what


@pytest.mark.parametrize(
    "train",
    [
        {},
        {"batching": "tokens", "tokens_per_batch": 4096},
        {"batching": "fixed", "pad_to": 128, "compile": True},
        {"sampling": "weighted", "sampling_weights": "w"},
        {"batch_size": 32, "device_batch_size": 8, "trainer": {"devices": 2}},
        {"batch_size": 9, "trainer": {"devices": "auto"}},
        {"batch_size": "${env:SIZE}", "device_batch_size": 8},
    ],
)
def test_options_that_go_together_are_let_through(train: dict[str, Any]):
    """Also where the number of devices is known only later."""
    assert found(train) == {}


def test_batches_by_tokens_do_not_go_with_a_strategy_of_rows():
    """What the recipe says itself is to blame, not the size that the strategy gives."""
    own = Layer(name="r.toml", values={"train": {
        "strategy": "mosbach", "batching": "tokens", "tokens_per_batch": 9,
    }})  # fmt: skip
    tree = merge([Layer(name="strategy mosbach", values={"train": {"batch_size": 16}}), own])

    (problem,) = problems(tree, Catalog())

    assert problem.key == "train.batching"
    assert "does not go with `strategy = 'mosbach'`, whose steps are of 16 rows" in problem.message


def test_a_resolved_recipe_of_batches_by_tokens_is_one_again(tmp_path: Path):
    """It does not say the default of what does nothing there."""
    path, again = tmp_path / "a.toml", tmp_path / "again.toml"
    path.write_text('name = "a"\n[train]\nbatching = "tokens"\ntokens_per_batch = 99\n')
    loading = load(path)
    assert loading.loaded is not None

    again.write_text(to_toml(resolved(loading.loaded, loading.catalog)))

    assert load(again).loaded is not None
    assert found(tomli.loads(again.read_text())["train"]) == {}


def test_the_recipes_of_the_how_to_are_right():
    """Every table that the page shows."""
    page = Path(__file__).parents[2] / "docs" / "how-to" / "batches.md"
    tables = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)

    assert len(tables) == 4
    assert [found(tomli.loads(table)["train"]) for table in tables] == [{}, {}, {}, {}]
