"""`mlrecipe show`."""

from __future__ import annotations

import json

import tomli


def test_training_11_the_whole_recipe_is_shown_and_gives_the_same_node_keys(cli, work):
    """Saved beside the first, it is a recipe with the same results."""
    cli("prepare", "recipe.toml")

    done = cli("show", "recipe.toml")
    work.write("again.toml", done.out)

    values = tomli.loads(done.out)
    assert (done.code, done.err) == (0, "")
    assert values["nodes"]["scaled"] == {
        "use": "scale", "inputs": "sum", "factor": 2.0, "num_workers": 1,
    }  # fmt: skip
    assert values["train"]["optimizer"]["lr"] == 2e-5
    assert {s.status for s in work.plan(recipe="again.toml").steps} == {"hit"}
    assert cli("show", "again.toml").out == done.out


def test_overrides_are_in_it(cli):
    """And what they bring with them."""
    values = tomli.loads(cli("show", "recipe.toml", "--set", "train.optimizer.use=SGD").out)

    assert values["train"]["optimizer"]["use"] == "SGD"
    assert "betas" not in values["train"]["optimizer"]


def test_json_is_one_document(cli):
    """The same values."""
    text = cli("show", "recipe.toml").out

    assert json.loads(cli("show", "recipe.toml", "--json").out) == tomli.loads(text)
