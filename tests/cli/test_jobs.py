"""`--jobs`: several nodes at once, seen from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.cli.test_secrets import OPS, RECIPE, SECRET, hiding_places
from tests.projects import ROOT


@pytest.mark.parametrize("option", [["--jobs", "2"], ["-j2"], ["-j", "0"]])
def test_nodes_run_in_processes_of_their_own(cli, work, option):
    """The same lines on standard error, and the same summary."""
    done = cli("prepare", "recipe.toml", *option)

    lines = done.err.splitlines()
    assert (done.code, done.out) == (0, "")
    assert "first: running (never run before)" in lines
    assert lines[-1].startswith("recipe.toml: 4 nodes (4 run, 0 in the store) in ")
    assert sorted(work.ran()) == ["add", "numbers", "numbers", "scale"]


@pytest.mark.parametrize("text", ["-1", "x", "0.5", ""])
def test_what_is_no_number_of_jobs_is_refused(cli, text):
    """With what one may write instead."""
    done = cli("prepare", "recipe.toml", "-j", text)

    told = " ".join(done.err.split())
    assert done.code == 2
    assert f"{text!r} is no number of jobs: write 1 or more, or 0 for as many as there" in told


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


@pytest.mark.parametrize("option", [[], ["-j2"]])
def test_why_a_node_runs_is_told_as_what_happened(cli, option):
    """Not as what would have to happen, which is all that a plan can say."""
    cli("prepare", "recipe.toml")

    done = cli("prepare", "recipe.toml", "--set", "nodes.first.start=1", *option)

    assert "sum: running (input first changed)" in done.err.splitlines()


def test_mistakes_in_the_data_of_two_nodes_are_not_said_to_be_found_before_the_work(cli, work):
    """A line each, and exit code 2, after what else there was to do was done."""
    work.edit(
        "ops.py", "raise ValueError(message)", 'raise mlrecipe.DataError(message, key="message")'
    )
    with (work.folder / "recipe.toml").open("a") as file:
        for name in ("one", "two"):
            file.write(f'[nodes.{name}]\nuse = "fail"\nmessage = "{name}!"\n')

    done = cli("prepare", "recipe.toml")

    assert done.code == 2
    assert "nodes.one.message: one!\nrecipe.toml:" in done.err
    assert "nothing was run" not in done.err


@pytest.mark.skipif(sys.platform == "win32", reason="asks a POSIX shell")
def test_a_closed_standard_error_is_nobody_s_file(work):
    """Whatever is printed goes nowhere, and never into a file of the store."""
    command = f'"{sys.executable}" -m mlrecipe prepare recipe.toml <&- >&- 2>&-'

    done = subprocess.run(
        command, shell=True, cwd=work.folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True, check=False, timeout=60,
    )  # fmt: skip

    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert len(work.ran()) == 4


def test_a_single_node_has_a_process_of_its_own_too(work):
    """So that one that ends its process ends no command."""
    work.edit("ops.py", '    note("scale")\n', "    import os\n\n    os._exit(9)\n")
    work.run("prepare", "recipe.toml", "sum")

    done = work.run("prepare", "recipe.toml", "-j2")

    assert done.code == 1
    assert "error: node 'scaled': the process that worked on it died of exit code 9\n" in done.err


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="needs a folder that nobody can write in")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_store_that_cannot_be_written_is_told_once(cli, monkeypatch, jobs):
    """However many nodes cannot be stored there."""
    monkeypatch.setenv("MLRECIPE_STORE", "/proc/a")

    done = cli("prepare", "recipe.toml", "-j", jobs)

    assert {"first: failed", "second: failed"} <= set(done.err.splitlines())
    assert done.err.count("cannot write to the store '/proc/a'") == 1
    assert done.code == 1
