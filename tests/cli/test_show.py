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


MANY = """
name = "many"
extends = ["recipe.toml"]
pick = { size = "big" }
limit = "${nodes.first.count}"

[variant.size.big.nodes.first]
count = 40

[variant.size.small.nodes.first]
count = 2
"""


def test_recipe_41_origins_are_comments_and_the_text_stays_the_same_recipe(cli, work):
    """Every value has one; what is printed is valid TOML with the same hash."""
    work.write("many.toml", MANY)
    done = cli("show", "many.toml", "--origin", "--set", "nodes.second.start=7")

    lines = dict(
        line.split("  # ") if "  # " in line else (line, "") for line in done.out.splitlines()
    )
    comments = {key.strip(): comment for key, comment in lines.items()}
    assert (done.code, done.err) == (0, "")
    assert comments["count = 40"] == "many.toml:7:1 (variant size=big)"
    assert comments["start = 7"] == "--set #1"
    assert comments["factor = 2.0"] == "default"
    assert comments["limit = 40"] == "many.toml:4:1  ${nodes.first.count}"
    assert comments['inputs = "sum"'] == "recipe.toml:19:1"
    assert all(comments[k] for k in comments if "=" in k and not k.startswith("["))
    work.write("again.toml", done.out)
    assert "equal\": true" in cli(
        "show", "again.toml", "--json", "--set", "name=many", "--diff", "again.toml"
    ).out  # fmt: skip
    plain = cli("show", "many.toml", "--set", "nodes.second.start=7").out
    assert tomli.loads(plain) == tomli.loads(done.out)


def test_origins_in_json(cli, work):
    """Beside the recipe itself."""
    done = json.loads(cli("show", "recipe.toml", "--json", "--origin").out)

    assert done["recipe"]["nodes"]["first"]["count"] == 4
    assert done["origins"]["nodes.first.count"] == "recipe.toml:6:1"


def test_a_diff_shows_what_an_override_changes(cli, work):
    """After resolution: references and defaults too."""
    work.write("many.toml", MANY)

    done = cli("show", "many.toml", "--pick", "size=small", "--diff", "many.toml")

    assert done.out == "  limit: 40 → 2\n  nodes.first.count: 40 → 2\n"
    same = cli("show", "many.toml", "--diff", "many.toml")
    assert same.out == "no difference from many.toml\n"


def test_a_diff_in_json(cli, work):
    """Key, both values, and whether the hashes are equal."""
    work.write("many.toml", MANY)

    done = json.loads(cli("show", "recipe.toml", "--diff", "many.toml", "--json").out)

    assert done["equal"] is False
    assert {"key": "nodes.first.count", "other": 40, "this": 4} in done["changes"]
    assert {"key": "limit", "other": 40, "this": None} in done["changes"]
