"""Run directories."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mlrecipe.errors import RequestError
from mlrecipe.recipe.project import project_of
from mlrecipe.runs import run as running
from mlrecipe.runs.manifest import RECIPE, conclude, describe


def create(project, **facts):
    given = {"name": "small", "stage": "train", "recipe": "r.toml"} | facts
    return running.create(project, **given)


def test_a_run_has_a_folder_of_its_own(project):
    """Named by time, experiment, stage and chance; it says that it is running, and where."""
    run = create(project, name="my exp!", fingerprint="f")

    assert run.folder.parent == project / "runs"
    assert "-my-exp-train-" in run.id
    assert run.status == "running"
    assert run.facts["fingerprint"] == "f"
    assert json.loads((run.folder / "run.json").read_text()) == dict(run.facts)


def test_a_lone_recipe_has_a_project_once_it_has_a_run(tmp_path):
    """So that the run's own recipe finds the plugins, wherever the store lies."""
    run = create(tmp_path)

    assert project_of(run.folder) == tmp_path


def test_recipe_48_fifty_starts_give_fifty_folders(project):
    """At the same second too."""
    with ThreadPoolExecutor(10) as pool:
        runs = list(pool.map(lambda _: create(project), range(50)))

    assert len({run.id for run in runs}) == 50
    assert len(list(running.every(project))) == 50


def test_recipe_49_a_killed_run_shows_as_crashed(project):
    """Its process is gone, or another has its number now."""
    code = "import sys, pathlib; from mlrecipe.runs import run; import os\n" \
           "print(run.create(pathlib.Path(sys.argv[1]), name='x', stage='train', recipe='r').id," \
           " flush=True)\nos.kill(os.getpid(), 9)"  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code, str(project)], capture_output=True, text=True, check=False
    )

    run = running.find(project, done.stdout.strip())

    assert run.facts["status"] == "running"
    assert run.status == "crashed"
    reused = run.update(pid=os.getpid())  # the number lives again, but not as the same process
    assert reused.status == "crashed"


def test_a_run_of_another_machine_is_believed(project):
    """Its process cannot be looked for from here."""
    assert create(project).update(host="elsewhere", pid=1).status == "running"


def test_a_finished_run_keeps_its_facts(project):
    """Status, end and whatever else is noted."""
    run = create(project).finish("finished", seconds=3)

    again = running.find(project, run.id)

    assert (again.status, again.facts["seconds"], again.facts["name"]) == ("finished", 3, "small")
    assert again.facts["ended"] > again.facts["started"]


def test_runs_are_listed_newest_first_and_strangers_left_out(project):
    """Folders without a readable `run.json` are no runs."""
    first, second = create(project), create(project)
    (project / "runs" / "stranger").mkdir()
    (project / "runs" / "broken").mkdir()
    (project / "runs" / "broken" / "run.json").write_text("{")

    assert [run.id for run in running.every(project)] == [second.id, first.id]


def test_a_project_without_runs_has_none(project):
    """Not an error."""
    assert list(running.every(project)) == []


def test_a_run_is_found_by_part_of_its_name(project):
    """If only one fits; else the error lists them."""
    first, second = create(project), create(project)

    assert running.find(project, first.id).id == first.id
    assert running.find(project, second.id[-4:]).id == second.id
    with pytest.raises(RequestError, match="means 2 runs"):
        running.find(project, first.id[:4])
    with pytest.raises(RequestError, match="no run 'nothing'"):
        running.find(project, "nothing")


def test_experiment_26_the_newest_finished_run_of_a_recipe(project):
    """Of its stage, and of an equal request where that is asked."""
    wanted = create(project, fingerprint="a").finish("finished")
    later = create(project, fingerprint="b").finish("finished")
    create(project, fingerprint="a").finish("failed")
    create(project, stage="test").finish("finished")
    create(project, recipe="other.toml").finish("finished")

    def newest(**more):
        found = running.newest(project, stage="train", recipe="r.toml", **more)
        return found.id if found else None

    assert newest() == later.id
    assert newest(fingerprint="a") == wanted.id
    assert newest(fingerprint="none") is None


def test_experiment_25_a_missing_checkpoint_names_those_there_are(project):
    """No metrics of something else are given."""
    run = create(project)
    (run.folder / "checkpoints" / "last").mkdir(parents=True)

    assert run.checkpoint("last").name == "last"
    with pytest.raises(RequestError, match=r"no checkpoint 'lst'; did you mean 'last'\?"):
        run.checkpoint("lst")


def describe_here(project, run, **changed):
    given = {
        "recipe": "name = 'x'\n", "origins": {"name": "r.toml:1:1"},
        "overrides": ("a=1", "a=2"), "inputs": {"n": {"digest": "d"}},
    } | changed  # fmt: skip
    describe(run, project=project, recipe_hash="h", **given)


def test_recipe_25_a_run_says_how_it_was_asked_for(project):
    """Every override as typed, also one that a later one beats."""
    run = create(project)

    describe_here(project, run)

    read = {p.name: p.read_text() for p in run.folder.iterdir()}
    assert json.loads(read["command.json"])["overrides"] == ["a=1", "a=2"]
    assert json.loads(read["command.json"])["argv"][1:] == sys.argv[1:]
    assert json.loads(read["origin.json"]) == {"name": "r.toml:1:1"}
    assert json.loads(read["inputs.json"]) == {"n": {"digest": "d"}}
    assert read[RECIPE] == "name = 'x'\n"
    assert json.loads(read["env.json"])["python"].startswith("3.")


def git(folder, *arguments):
    subprocess.run(
        ["git", "-c", "user.name=x", "-c", "user.email=x@y", *arguments],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip


def test_experiment_36_a_run_keeps_the_state_of_git(project):
    """Commit, dirtiness, untracked names, and a patch that takes the commit to what ran."""
    git(project, "init", "-b", "main")
    (project / "ops.py").write_text("x = 1\n")
    git(project, "add", "ops.py")
    git(project, "commit", "-m", "first")
    (project / "ops.py").write_text("x = 2\n")
    (project / "new.py").touch()
    run = create(project)

    describe_here(project, run)

    state = json.loads((run.folder / "env.json").read_text())["git"]
    assert (len(state["commit"]), state["branch"], state["dirty"]) == (40, "main", True)
    assert "new.py" in state["untracked"]
    assert "+x = 2" in (run.folder / "git.patch").read_text()


def test_a_project_outside_git_has_no_state(project):
    """Which is no error."""
    run = create(project)

    describe_here(project, run)

    assert not (run.folder / "git.patch").exists()


def test_a_run_ends_with_the_digests_of_what_it_gave(project):
    """Of files and of every file of a folder."""
    run = create(project)
    (run.folder / "checkpoints" / "best").mkdir(parents=True)
    (run.folder / "checkpoints" / "best" / "w").write_text("w")
    (run.folder / "predictions").write_text("p")

    conclude(run, metrics={"test/f1": 0.5}, outputs={
        "best": run.folder / "checkpoints" / "best", "predictions": run.folder / "predictions",
    })  # fmt: skip

    outputs = json.loads((run.folder / "outputs.json").read_text())
    assert json.loads((run.folder / "metrics.json").read_text()) == {"test/f1": 0.5}
    assert outputs["best"]["path"] == "checkpoints/best"
    assert list(outputs["best"]["sha256"]) == ["w"]
    assert list(outputs["predictions"]["sha256"]) == ["predictions"]


def test_files_of_a_run_are_written_whole(project):
    """A reader sees the old text or the new; nothing is left beside."""
    run = create(project)

    run.write("x.json", {"a": 1})
    run.write("x.json", {"a": 2})

    assert json.loads((run.folder / "x.json").read_text()) == {"a": 2}
    assert sorted(p.name for p in run.folder.iterdir()) == ["run.json", "x.json"]


def test_a_run_of_another_user_goes_on(project, monkeypatch):
    """Its process may not be signalled, but it is there."""
    run = create(project)

    def refuse(pid, number):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(running.os, "kill", refuse)

    assert running.find(project, run.id).status == "running"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_process_that_nobody_waits_for_is_gone(project):
    """As where the first process of a container waits for none."""
    with subprocess.Popen(["true"]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        born = running._birth(process.pid)

        assert create(project).update(pid=process.pid, born=born).status == "crashed"


def test_a_patch_keeps_line_ends_and_files_need_not_be_utf_8(project):
    """A changed file in Latin-1 stops no run, and one with CRLF can be patched."""
    git(project, "init", "-b", "main")
    git(project, "config", "core.autocrlf", "false")
    (project / "a.csv").write_bytes(b"caf\xe9\n")
    (project / "b.txt").write_bytes(b"x\r\ny\r\n")
    git(project, "add", ".")
    git(project, "commit", "-m", "first")
    (project / "a.csv").write_bytes(b"caf\xe9s\n")
    (project / "b.txt").write_bytes(b"x\r\nz\r\n")
    run = create(project)

    describe_here(project, run)

    assert b"+z\r\n" in (run.folder / "git.patch").read_bytes()
