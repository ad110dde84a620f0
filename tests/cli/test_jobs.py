"""`--jobs`: several nodes at once, seen from the command line."""

from __future__ import annotations

import json

import pytest

from tests.cli.test_secrets import OPS, RECIPE, SECRET, hiding_places


@pytest.mark.parametrize("option", [["--jobs", "2"], ["-j2"], ["-j", "0"]])
def test_nodes_run_in_processes_of_their_own(cli, work, option):
    """The same lines on standard error, and the same summary."""
    done = cli("prepare", "recipe.toml", *option)

    lines = done.err.splitlines()
    assert (done.code, done.out) == (0, "")
    assert "first: running (never run before)" in lines
    assert lines[-1].startswith("recipe.toml: 4 nodes (4 run, 0 in the store) in ")
    assert sorted(work.ran()) == ["add", "numbers", "numbers", "scale"]


def test_a_negative_number_of_jobs_is_refused(cli):
    """Exit code 2."""
    done = cli("prepare", "recipe.toml", "-j", "-1")

    assert done.code == 2
    assert "-1 is not in the range x>=0" in done.err


def test_store_26_a_failure_with_jobs_exits_1_and_keeps_the_rest(cli, work):
    """And says the same as without."""
    with (work.folder / "recipe.toml").open("a") as file:
        file.write('[nodes.bad]\nuse = "fail"\n')

    done = cli("prepare", "recipe.toml", "-j2")

    lines = done.err.splitlines()
    assert done.code == 1
    assert "bad: failed" in lines
    assert lines[-1].startswith("error: node 'bad' (op 'fail') failed at ops.py:")
    assert work.statuses()["scaled"] == "hit"


def test_training_07_the_traceback_of_a_worker_is_shown_when_asked_for(cli, work):
    """With the line of the op."""
    with (work.folder / "recipe.toml").open("a") as file:
        file.write('[nodes.bad]\nuse = "fail"\n')

    short, long = (cli("prepare", "recipe.toml", "-j2", *more) for more in ([], ["--traceback"]))

    assert "Traceback" not in short.err
    assert "raise ValueError(message)" in long.err


@pytest.fixture
def secretive(work):
    """Two nodes that print a secret; where asked, they fail with it."""
    work.write("ops.py", OPS.replace("print(", "import sys; sys.stderr.write('half '); print("))
    second = RECIPE.partition("[nodes.a]")[2].replace("/good", "/well")
    work.write("recipe.toml", f"{RECIPE}\n[nodes.b]{second}")
    return work


@pytest.mark.parametrize("flags", [[], ["--traceback"], ["-v"]])
@pytest.mark.parametrize("end", ["fine", "bad"])
def test_recipe_16_no_worker_shows_a_secret(secretive, flags, end):
    """What its op prints, and its errors, are redacted before they leave it."""
    change = ["--set", f"nodes.b.url=https://u:${{secret:MLRECIPE_TOKEN}}@host/{end}"]
    done = secretive.run("prepare", "recipe.toml", "-j2", *change, *flags, MLRECIPE_TOKEN=SECRET)

    assert done.code == (end == "bad")
    assert "a: half calling with ***" in done.err
    assert "värde" not in done.out + done.err
    assert ("refused: ***" in done.err) == (end == "bad")
    assert hiding_places(secretive.folder) == []


def test_a_secret_that_is_a_word_of_the_wire_harms_nothing(secretive):
    """What workers and their driver tell each other is not redacted as a whole."""
    done = secretive.run("prepare", "recipe.toml", "-j2", MLRECIPE_TOKEN="digest")

    assert done.code == 0, done.err
    assert "calling with ***" in done.err


def test_cost_is_shown(cli):
    """By `inspect`, as text and as JSON."""
    cli("prepare", "recipe.toml", "-j2")

    facts = json.loads(cli("inspect", "sum", "recipe.toml", "--json").out)

    assert {"seconds", "cpu_seconds", "peak_bytes"} <= facts.keys()
    if facts["peak_bytes"] is not None:
        assert " of memory)" in cli("inspect", "sum", "recipe.toml").out


@pytest.mark.parametrize("command", ["prepare", "train", "run"])
def test_commands_that_run_nodes_have_the_option(cli, command):
    """With its short form."""
    assert "-j" in cli(command, "--help").out
