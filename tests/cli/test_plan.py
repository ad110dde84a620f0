"""`mlrecipe plan`."""

from __future__ import annotations

import json


def test_store_21_each_node_is_shown_with_its_status_and_reason(cli):
    """Names aligned, results on standard output."""
    cli("prepare", "recipe.toml")

    done = cli("plan", "recipe.toml", "--set", "nodes.first.count=5")

    lines = done.out.splitlines()
    assert (done.code, done.err) == (0, "")
    assert lines[0] == "  first   run    count 4 → 5"
    assert lines[1].startswith("  second  hit    unchanged since 20")
    assert lines[2] == "  sum     maybe  only if first gives something else"
    assert lines[3] == "  scaled  maybe  only if sum gives something else"


def test_json_is_one_document(cli):
    """With what scripts rely on: node, status, reasons."""
    cli("prepare", "recipe.toml")

    plan = json.loads(cli("plan", "recipe.toml", "--json", "--force", "sum").out)

    assert plan["recipe"] == "recipe.toml"
    assert [(s["node"], s["status"]) for s in plan["steps"]] == [
        ("first", "hit"), ("second", "hit"), ("sum", "run"), ("scaled", "maybe"),
    ]  # fmt: skip
    assert plan["steps"][2]["reasons"] == ["forced"]
    assert len(plan["steps"][0]["fingerprint"]) == 64


def test_only_named_nodes(cli):
    """And what they need."""
    assert [line.split()[0] for line in cli("plan", "recipe.toml", "second").out.splitlines()] == [
        "second"
    ]


def test_an_unknown_node_is_an_error(cli):
    """With the nearest name and exit code 2."""
    done = cli("plan", "recipe.toml", "frist")

    assert (done.code, done.err) == (2, "error: no node 'frist'; did you mean 'first'?\n")


def test_a_recipe_without_nodes_says_so(cli, work):
    """Not an empty page."""
    work.write("recipe.toml", 'name = "x"\n')

    assert cli("plan", "recipe.toml").out == "recipe.toml has no nodes\n"


def test_a_recipe_of_the_recipes_folder_is_found_and_named(cli, work):
    """From anywhere in the project, with or without `.toml`; errors say which file it was."""
    text = (work.folder / "recipe.toml").read_text().replace("ops.py", "../ops.py")
    work.write("recipes/other.toml", text.replace("count = 4", "cuont = 4", 1))

    done = cli("check", "other")

    assert done.code == 2
    assert "recipes/other.toml:6:1  nodes.first.cuont" in done.err
