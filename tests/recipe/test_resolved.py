"""The resolved recipe: a recipe again, and the same one."""

from __future__ import annotations

import shutil

import pytest
import tomli

from mlrecipe.recipe.origins import origins
from mlrecipe.recipe.resolved import resolved, to_toml
from tests.projects import Work

OPS = """
import mlrecipe


@mlrecipe.op("defaults")
def defaults(*, rate: float = 1, names: list[str] = ("a", "b"), size: int | None = 3,
             text: str = "x", seed: int, limit: int | None, scratch, path: mlrecipe.File | None = None):
    return [rate, names, size, text, seed]


@mlrecipe.op("take")
def take(data):
    return data
"""

RECIPE = """
name = "small"
seed = 5
plugins = ["ops.py"]

[nodes.a]
use = "defaults"

[nodes.b]
use = "take"
inputs = "a"
"""


@pytest.fixture(autouse=True)
def ops(work):
    work.write("ops.py", OPS)
    work.write("recipe.toml", RECIPE)


def owns(work: Work, *overrides: str, recipe: str = "recipe.toml") -> dict[str, str]:
    """Node → hash of its own parts."""
    return {step.node.name: step.own for step in work.plan(*overrides, recipe=recipe).steps}


def text_of(work: Work, *overrides: str, elsewhere: bool = False) -> str:
    request = work.request(*overrides)
    return to_toml(resolved(request.loaded, request.catalog, elsewhere=elsewhere))


VARIANTS = [
    [],
    ["nodes.a.rate=2"],
    ["nodes.a.names=[]"],
    ["nodes.a.size=${none}"],
    ["nodes.a.text=$${x}"],
    ["nodes.a.text=a $${ b"],
    ["nodes.a.text=$$${name}"],
    ["nodes.a.text=日本 \"'\\"],
    ["nodes.a.seed=9", "seed=4"],
    ["nodes.a.limit=9", "limit=4"],
    ["nodes.a.version=2"],
    ["train.max_steps=5", "train.optimizer.use=SGD"],
]


@pytest.mark.parametrize("overrides", VARIANTS)
def test_recipe_40_the_resolved_recipe_gives_the_same_node_keys(work, overrides):
    """Defaults written out, references and overrides put in: nothing that counts is changed."""
    before = owns(work, *overrides)

    work.write("again.toml", text_of(work, *overrides))

    assert owns(work, recipe="again.toml") == before


@pytest.mark.parametrize("overrides", VARIANTS)
def test_the_resolved_recipe_resolves_to_itself(work, overrides):
    """Every value, not only the nodes'."""
    text = text_of(work, *overrides)
    work.write("recipe.toml", text)

    assert text_of(work) == text


def test_recipe_40_in_another_folder_and_in_a_copy_of_the_project(work, tmp_path):
    """Paths start from where the first recipe's did; the store of the copy has every node."""
    work.write("data.txt", "x\n")
    work.edit("recipe.toml", "[nodes.b]", 'path = "data.txt"\n\n[nodes.b]')
    work.prepare().raise_failures()
    work.write("runs/one/recipe.resolved.toml", text_of(work, elsewhere=True))

    steps = work.plan(recipe="runs/one/recipe.resolved.toml").steps
    copy = shutil.copytree(work.folder, tmp_path / "copy")
    work.folder = copy
    copied = work.plan(recipe="runs/one/recipe.resolved.toml").steps

    assert [step.status for step in steps] == ["hit", "hit"]
    assert [step.status for step in copied] == ["hit", "hit"]


def test_every_default_is_written(work):
    """Of the recipe's own tables and of every component."""
    values = tomli.loads(text_of(work))

    assert values["nodes"]["a"] == {
        "use": "defaults", "rate": 1, "names": ["a", "b"], "size": 3, "text": "x",
    }  # fmt: skip
    assert values["train"]["batch_size"] == 32
    assert values["train"]["scheduler"]["use"] == "linear"
    assert values["test"]["split"] == "test"
    assert values["seed"] == 5


def test_writing_a_default_out_changes_no_fingerprint(work):
    """A default and the same value in the recipe are one."""
    before = owns(work)

    work.edit("recipe.toml", 'use = "defaults"', 'use = "defaults"\nrate = 1\nnames = ["a", "b"]')

    assert owns(work) == before


def test_recipe_41_every_value_has_one_origin(work):
    """Its file, line and column, the override, or default."""
    request = work.request("nodes.a.rate=2")

    found = origins(request.tree)

    assert found["seed"] == "recipe.toml:2:1"
    assert found["nodes.a.use"] == "recipe.toml:6:1"
    assert found["nodes.a.rate"] == "--set #1"
    assert found["train.optimizer.lr"] == "default"
    assert all(isinstance(place, str) and place for place in found.values())
