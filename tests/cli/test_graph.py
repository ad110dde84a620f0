"""`mlrecipe graph` and `mlrecipe lineage`."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import pytest


def test_the_graph_is_drawn_with_states(cli, work):
    """Lanes, names, ops and what would happen; nothing runs."""
    cli("prepare", "recipe.toml", "first")
    work.ran()

    done = cli("graph", "recipe.toml")

    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "●    first   numbers  hit\n"
        "│ ●  second  numbers  run\n"
        "├─╯\n"
        "●    sum     add      run\n"
        "●    scaled  scale    run\n"
    )
    assert work.ran() == []


def test_a_picture_and_a_page_are_written(cli, work):
    """By what the file's name ends in."""
    assert cli("graph", "recipe.toml", "--output", "g.svg").err == "written: g.svg\n"
    ET.parse(work.folder / "g.svg")
    cli("graph", "recipe.toml", "--output", "g.md")
    assert (work.folder / "g.md").read_text().startswith("```mermaid\nflowchart TD\n")
    assert cli("graph", "recipe.toml", "--format", "mermaid").out.startswith("flowchart TD\n")

    done = cli("graph", "recipe.toml", "--output", "g.png")

    assert (done.code, done.err) == (
        2, "error: cannot write a .png file; known: .txt, .svg, .mmd, .mermaid, .md\n"
    )  # fmt: skip
    assert cli("graph", "recipe.toml", "--output", "no/g.svg").code == 2


def test_the_graph_in_json(cli):
    """Nodes and edges."""
    done = json.loads(cli("graph", "recipe.toml", "--json").out)

    assert done["nodes"][0] == {"node": "first", "op": "numbers", "status": "run"}
    assert {"from": "sum", "to": "scaled"} in done["edges"]


def test_lineage_is_a_tree_in_both_directions(cli, work):
    """Of a node, with the recipe guessed."""
    cli("prepare", "recipe.toml")
    digests = {n: work.store.latest("recipe.toml", n).digest[:12] for n in
               ("first", "second", "sum", "scaled")}  # fmt: skip

    done = cli("lineage", "sum")

    assert done.out == (
        f"sum  {digests['sum']}  (recipe.toml, op add)\n"
        "\nmade from\n"
        f"  ├─ first  {digests['first']}  (recipe.toml, op numbers)\n"
        f"  └─ second  {digests['second']}  (recipe.toml, op numbers)\n"
        "\nused by\n"
        f"  └─ scaled  {digests['scaled']}  (recipe.toml, op scale)\n"
    )
    assert json.loads(cli("lineage", "sum", "--json").out)["subject"]["name"] == "sum"
    assert "used by: nothing" in cli("lineage", "scaled", "recipe.toml").out


def test_lineage_of_nothing_known(cli):
    """Says what may be named; exit code 2."""
    done = cli("lineage", "tokens")

    assert done.code == 2
    assert done.err.startswith("error: nothing known as 'tokens'")


def test_lineage_of_the_output_that_a_changed_recipe_gives(cli, work):
    """Not of the one that was made last."""
    cli("prepare", "recipe.toml", "--set", "nodes.first.start=5")
    changed = work.store.latest("recipe.toml", "sum").digest
    cli("prepare", "recipe.toml")
    last = work.store.latest("recipe.toml", "sum").digest

    found = {
        digest: json.loads(cli("lineage", "sum", "recipe.toml", *options, "--json").out)
        for digest, options in ((last, []), (changed, ["--set", "nodes.first.start=5"]))
    }

    assert changed != last
    assert {digest: facts["subject"]["digest"] for digest, facts in found.items()} == {
        last: last, changed: changed,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["sum", "recipe.toml", "--set", "nodes.first.start=6"],
         "error: no output of 'sum' with these changes is stored; mlrecipe prepare makes it"),
        (["smu", "recipe.toml", "--set", "nodes.first.start=6"],
         "error: no node 'smu', and only of nodes does a change of the recipe choose the output; did you mean"),
        (["recipe.toml", "sum"],
         "error: the node comes first; mlrecipe lineage sum recipe.toml"),
    ],
)  # fmt: skip
def test_lineage_that_cannot_be_told(cli, arguments, problem):
    """What would help."""
    cli("prepare", "recipe.toml")

    done = cli("lineage", *arguments)

    assert done.code == 2
    assert done.err.startswith(problem)


def test_lineage_of_a_file(cli, work):
    """The nodes that came from it."""
    work.write("data.txt", "x\n")
    with (work.folder / "recipe.toml").open("a") as file:
        file.write('\n[nodes.read]\nuse = "lines"\npath = "data.txt"\n')
    cli("prepare", "recipe.toml")

    found = json.loads(cli("lineage", "data.txt", "--json").out)

    assert found["subject"]["kind"] == "file"
    assert [branch["thing"]["name"] for branch in found["to"]] == ["read"]
