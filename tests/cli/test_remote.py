"""`mlrecipe cache push` and `pull`: one project computes, another takes what it needs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mlrecipe.cli import app
from tests.projects import ROOT, Done, Work

BIG = """
name = "big"
plugins = ["ops.py"]

[nodes.long]
use = "numbers"
count = 20000

[nodes.longer]
use = "scale"
inputs = "long"

[nodes.sum]
use = "total"
inputs = ["longer"]
"""


@pytest.fixture
def other(tmp_path):
    """The same project on another machine, where nothing was computed."""
    return Work(tmp_path / "other")


@pytest.fixture
def remote(tmp_path):
    """A folder that both reach."""
    return tmp_path / "remote"


@pytest.fixture
def at(monkeypatch, capsys):
    """Runs a command in a project, in this process."""

    def call(work: Work, *arguments: str | Path) -> Done:
        monkeypatch.chdir(work.folder)
        code = app.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


@pytest.fixture
def pushed(work, other, remote, at):
    """A recipe with long outputs, prepared and pushed by one project."""
    for project in (work, other):
        project.write("recipe.toml", BIG)
    assert at(work, "prepare", "recipe.toml").code == 0
    assert at(work, "cache", "push", remote).code == 0
    work.ran()
    return remote


def results(done):
    """Node → status of a report in JSON."""
    return {row["node"]: row["status"] for row in json.loads(done.out)["results"]}


def objects(folder):
    return [path.parent.name for path in folder.glob("**/objects/*/*/manifest.json")]


# ---------------------------------------------------------------------------------------------------- pull


def test_what_was_pulled_is_not_computed(other, pushed, at):
    """Nothing runs, and the outputs are the same."""
    done = at(other, "cache", "pull", pushed, "recipe.toml")

    assert done.code == 0
    assert ": 1 pulled, 2 as records alone, for nothing needs their outputs (" in done.err
    assert set(other.statuses().values()) == {"hit"}
    assert other.output("sum") == 2 * sum(range(20000))
    assert other.ran() == []


def test_outputs_that_nobody_loads_stay_at_the_remote(other, pushed, at):
    """Their records lead on to what is made of them; a check of the store finds nothing wrong."""
    at(other, "cache", "pull", pushed, "recipe.toml")

    assert objects(other.folder) == []
    assert at(other, "cache", "verify").code == 0


def test_a_node_that_is_named_comes_whole(other, pushed, at):
    """With the records of what it was made from."""
    done = at(other, "cache", "pull", pushed, "recipe.toml", "longer", "--json")

    assert results(done) == {"long": "record", "longer": "pulled"}
    assert len(objects(other.folder)) == 1
    assert other.output("longer")[-1] == 2.0 * 19999


def test_inputs_of_what_will_run_come_whole(other, pushed, at):
    """A node that was changed here finds what it needs."""
    done = at(
        other, "cache", "pull", pushed, "recipe.toml", "--set", "nodes.longer.factor=3.0", "--json"
    )

    assert results(done) == {"long": "pulled", "longer": "missing", "sum": "missing"}
    reasons = {row["node"]: row["reason"] for row in json.loads(done.out)["results"]}
    assert reasons["longer"] == "the remote does not have it"
    assert reasons["sum"] == "what it gets from longer is not known"
    other.prepare("nodes.longer.factor=3.0")
    assert other.ran() == ["scale", "total"]


def test_what_was_left_at_the_remote_is_pulled_when_it_is_needed(other, pushed, at):
    """Though its record is here already."""
    at(other, "cache", "pull", pushed, "recipe.toml")

    done = at(other, "cache", "pull", pushed, "recipe.toml", "long", "--json")

    assert results(done) == {"long": "pulled"}
    assert other.output("long")[-1] == 19999
    assert other.ran() == []


def test_a_recipe_of_another_name_takes_what_is_equal(other, pushed, at):
    """From then on its nodes have a history, with which a change is explained."""
    (other.folder / "recipe.toml").rename(other.folder / "mine.toml")

    done = at(other, "cache", "pull", pushed, "mine.toml", "--json")

    assert results(done)["sum"] == "pulled"
    steps = other.plan("nodes.longer.factor=3.0", recipe="mine.toml").by_node
    assert steps["longer"].reasons == ("factor 2.0 → 3.0",)


def test_a_second_pull_copies_nothing(other, pushed, at):
    """All is there."""
    at(other, "cache", "pull", pushed, "recipe.toml", "longer", "sum")

    done = at(other, "cache", "pull", pushed, "recipe.toml", "longer", "sum")

    assert ": 3 there already (0 B in " in done.err


def test_store_45_what_is_damaged_at_the_remote_is_computed(other, pushed, at):
    """With a warning; its input is pulled, for now it is needed."""
    record = next(r for r in other_records(pushed) if r["node"] == "longer")
    (data,) = pushed.glob(f"v1/objects/*/{record['digest']}/data/*")
    data.write_bytes(data.read_bytes().replace(b"1", b"2", 1))

    done = at(other, "cache", "pull", pushed, "recipe.toml", "longer", "--json")

    assert done.code == 0
    assert results(done) == {"long": "pulled", "longer": "refused"}
    assert "the remote's output of 'longer' is not taken: value.json has other bytes" in done.err
    assert other.output("longer")[-1] == 2.0 * 19999
    assert other.ran() == ["scale"]


def other_records(remote):
    return [json.loads(path.read_bytes()) for path in remote.glob("v1/records/*/*.json")]


def test_a_record_of_another_computation_is_not_taken(other, pushed, at):
    """Its fingerprint says one thing, what it was made from another."""
    for path in pushed.glob("v1/records/*/*.json"):
        content = json.loads(path.read_bytes())
        if content["node"] == "long":
            path.write_text(json.dumps(content | {"own": "0" * 64}))

    done = at(other, "cache", "pull", pushed, "recipe.toml", "--json")

    assert set(results(done).values()) == {"missing"}
    assert "'long' is not taken: it is that of another computation" in done.err


def test_a_node_that_always_runs_is_not_pulled(other, pushed, at):
    """What is made of it is not known before."""
    done = at(
        other, "cache", "pull", pushed, "recipe.toml", "--set", "nodes.longer.cache=false", "--json"
    )

    assert results(done) == {"long": "pulled", "longer": "missing", "sum": "missing"}


def test_nothing_was_ever_pushed(work, remote, at):
    """A warning and no error: the first build of a project has nothing to pull."""
    done = at(work, "cache", "pull", remote, "recipe.toml")

    assert done.code == 0
    assert "warning: nothing was ever pushed to" in done.err
    assert ": 4 not at the remote" in done.err
    assert not remote.exists()


def test_a_dry_pull_copies_nothing(other, pushed, at):
    """It says what it would copy, and how much that is."""
    done = at(other, "cache", "pull", pushed, "recipe.toml", "longer", "--dry-run")

    assert "longer  pulled" in done.out
    assert "nothing was copied (--dry-run)" in done.err
    assert not (other.folder / ".mlrecipe" / "store").exists()


# ---------------------------------------------------------------------------------------------------- push


def test_the_newest_results_of_all_recipes_are_pushed(work, remote, at):
    """An older result of the same node stays here."""
    work.write("second.toml", BIG)
    work.prepare()
    work.prepare("nodes.first.count=5", nodes=["first"])
    work.prepare(recipe="second.toml")

    done = at(work, "cache", "push", remote, "--json")

    rows = json.loads(done.out)["results"]
    assert {row["status"] for row in rows} == {"pushed"}
    assert sorted((row["recipe"], row["node"]) for row in rows) == [
        ("recipe.toml", "first"), ("recipe.toml", "first"), ("recipe.toml", "scaled"),
        ("recipe.toml", "second"), ("recipe.toml", "sum"), ("second.toml", "long"),
        ("second.toml", "longer"), ("second.toml", "sum"),
    ]  # fmt: skip
    assert len(list(remote.glob("v1/records/*/*.json"))) == 8


def test_what_recipes_use_is_pushed_and_the_newest_too(work, other, remote, at):
    """Whatever `--set` was prepared last, and nothing that is older."""
    work.prepare("nodes.first.count=9", nodes=["first"])
    work.prepare()
    work.prepare("nodes.first.count=5", nodes=["first"])

    assert at(work, "cache", "push", remote, "first").code == 0

    assert len(other_records(remote)) == 2
    for overrides in ((), ("--set", "nodes.first.count=5")):
        at(other, "cache", "pull", remote, "recipe.toml", *overrides)
        assert other.statuses(*overrides[1:])["first"] == "hit"


def test_the_results_of_one_recipe_are_pushed(work, remote, at):
    """As it is now, and what it has not computed is named."""
    work.write("second.toml", BIG)
    work.prepare()
    work.prepare(recipe="second.toml", nodes=["long"])

    done = at(work, "cache", "push", remote, "--recipe", "second.toml")

    assert "not in the store: longer, sum; prepare the recipe first" in done.err
    assert ": 1 pushed (" in done.err
    assert [r["node"] for r in other_records(remote)] == ["long"]


def test_nodes_may_be_named(work, remote, at):
    """And a name that is none is a wrong request."""
    work.prepare()

    wrong = at(work, "cache", "push", remote, "secnd")
    done = at(work, "cache", "push", remote, "second")

    assert (wrong.code, done.code) == (2, 0)
    assert "nothing is stored of 'secnd'; did you mean 'second'?" in wrong.err
    assert [r["node"] for r in other_records(remote)] == ["second"]


def test_a_dry_push_copies_nothing(work, remote, at):
    """It says what it would copy."""
    work.prepare()

    done = at(work, "cache", "push", remote, "--dry-run")

    assert "first   pushed" in done.out
    assert not remote.exists()


def test_a_dry_push_tells_results_of_one_node_name_apart(work, remote, at):
    """By their recipe, and two of one recipe by their fingerprint."""
    work.write("second.toml", BIG)
    work.prepare()
    work.prepare("nodes.first.count=5", nodes=["first"])
    work.prepare(recipe="second.toml")

    lines = at(work, "cache", "push", remote, "--dry-run").out.splitlines()

    names = [re.split("  +", line.strip())[0] for line in lines]
    prints = [work.store.latest("recipe.toml", "first").fingerprint]
    prints.append(work.plan().by_node["first"].record.fingerprint)
    assert sorted(names) == sorted([
        *(f"first (recipe.toml, {print_[:12]})" for print_ in prints),
        "long", "longer", "scaled", "second", "sum (recipe.toml)", "sum (second.toml)",
    ])  # fmt: skip


def test_a_damaged_output_makes_a_push_fail(work, remote, at):
    """What is whole is pushed all the same."""
    work.write("recipe.toml", BIG)
    work.prepare()
    store = work.store
    path = store.object_folder(store.latest("recipe.toml", "long").digest) / "value.json"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"1", b"2", 1))

    done = at(work, "cache", "push", remote)

    assert done.code == 1
    assert ": 2 pushed, 1 damaged here" in done.err


def test_a_change_of_a_recipe_needs_its_name(work, remote, at):
    """`--set` alone says nothing."""
    done = at(work, "cache", "push", remote, "--set", "nodes.first.count=5")

    assert done.code == 2
    assert "name it with --recipe" in done.err


def test_relative_paths_start_here(work, at):
    """As those of any other command do."""
    work.prepare()

    assert at(work, "cache", "push", "../shared").code == 0

    assert (work.folder.parent / "shared" / "schema").is_file()


def test_a_missing_package_is_named_by_its_extra(work, at, monkeypatch):
    """It is one line to install it."""
    monkeypatch.setitem(sys.modules, "gcsfs", None)

    done = at(work, "cache", "pull", "gs://bucket/results", "recipe.toml")

    assert done.code == 2
    assert done.err == (
        "error: remote 'gs://bucket/results': a package for gs:// is missing; "
        "pip install 'mlrecipe[gcs]'\n"
    )


def test_no_other_command_loads_fsspec():
    """It takes a while, and only these two need it."""
    code = (
        "import sys, mlrecipe.cli.app, mlrecipe.cli.remote, mlrecipe.store.remote\n"
        "assert 'fsspec' not in sys.modules"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)

    assert done.returncode == 0


def test_a_format_that_nobody_knows_is_an_error(other, remote, at):
    """Which there are is said; nothing is looked for."""
    near = at(other, "cache", "pull", remote, "recipe.toml", "--format", "jsn")
    far = at(other, "cache", "pull", remote, "recipe.toml", "--format", "mine")

    assert (near.code, far.code) == (2, 2)
    assert "--format: no format 'jsn'; did you mean 'json'?" in near.err
    assert "--format: no format 'mine'; known: " in far.err
    assert not (other.folder / ".mlrecipe" / "store" / "v1").exists()
