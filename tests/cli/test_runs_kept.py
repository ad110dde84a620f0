"""`runs tag`, `diff`, `rm` by condition, `prune`, `du`, `export` and `import`."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlrecipe.runs.run import Run, create, read
from tests.projects import Done, Work

Cli = Callable[..., Done]


def make(
    work: Work, *, lr: float = 0.1, status: str = "finished", stage: str = "train", **facts: Any
) -> Run:
    """A run with two checkpoints."""
    run = create(work.folder, name="small", stage=stage, recipe="small.toml", **facts)
    (run.folder / "recipe.resolved.toml").write_text(f'name = "small"\n[train]\nlr = {lr}\n')
    for name in ("best", "last"):
        (run.folder / "checkpoints" / name).mkdir(parents=True)
        (run.folder / "checkpoints" / name / "model.safetensors").write_bytes(b"x" * 5000)
    run.write("metrics.json", {"valid/f1": lr})
    return run.finish(status) if status != "running" else run  # type: ignore[arg-type]


def tags(run: Run) -> list[str]:
    """What the run's file says now."""
    now = read(run.folder)
    assert now is not None
    return list(now.facts.get("tags", []))


def test_tags_are_given_and_taken(cli: Cli, work: Work) -> None:
    """Each once, in the order in which they came; the list finds the run by them."""
    run = make(work, tags=["old"])

    assert cli("runs", "tag", run.id[-4:], "final", "old", "paper").out == (
        f"{run.id}: old, final, paper\n"
    )
    assert tags(run) == ["old", "final", "paper"]
    assert cli("runs", "tag", run.id, "old", "paper", "--remove").code == 0
    assert tags(run) == ["final"]
    found = json.loads(cli("runs", "list", "--tag", "final", "--json").out)
    assert [each["run"] for each in found] == [run.id]


def test_a_tag_that_is_not_there_cannot_be_taken(cli: Cli, work: Work) -> None:
    """And a text of several lines is none."""
    run = make(work, tags=["final"])

    wrong = cli("runs", "tag", run.id, "finl", "--remove")

    assert (wrong.code, "did you mean 'final'?" in wrong.err) == (2, True)
    assert cli("runs", "tag", run.id, "a\nb").code == 2
    assert cli("runs", "tag", run.id, " ").code == 2
    assert tags(run) == ["final"]


def test_a_tag_given_to_a_run_that_goes_on_stays_when_it_ends(cli: Cli, work: Work) -> None:
    """The process that runs it knows nothing of it."""
    going = make(work, status="running")
    assert cli("runs", "tag", going.id, "watch").code == 0

    done = going.finish("finished", seconds=1)

    assert tags(going) == ["watch"]
    assert done.facts["tags"] == ["watch"]


def test_experiment_36_diff_shows_only_what_differs(cli: Cli, work: Work) -> None:
    """Under a title for each kind; what is the same, or not known, is a line beside."""
    a, b = make(work, lr=0.1), make(work, lr=0.2)

    done = cli("runs", "diff", a.id, b.id)
    facts = json.loads(cli("runs", "diff", a.id, b.id, "--json").out)

    assert done.code == 0
    assert done.out.splitlines() == [
        f"{a.id} → {b.id}", "recipe", "  train.lr 0.1 → 0.2", "metrics",
        "  valid/f1 0.1000 → 0.2000 (+0.1000)",
    ]  # fmt: skip
    assert facts["differences"]["recipe"] == [{"name": "train.lr", "a": 0.1, "b": 0.2}]
    assert facts["differences"]["code"] == []
    same = cli("runs", "diff", a.id, a.id)
    assert (same.code, same.out) == (0, f"{a.id} → {a.id}\n")
    assert "no difference: the recipe" in same.err
    assert cli("runs", "diff", a.id, "nothing").code == 2


def test_rm_takes_conditions(cli: Cli, work: Work) -> None:
    """Failed and crashed ones, of which something holds; those that go on stay."""
    kept, failed = make(work), make(work, status="failed", lr=0.5)
    crashed = make(work, status="running").update(pid=2**22 + 1)
    going = make(work, status="running")

    assert cli("runs", "rm").code == 2
    done = cli("runs", "rm", "--failed", "--where", "lr>0.2", "--yes")
    assert (done.code, failed.folder.exists(), crashed.folder.exists()) == (0, False, True)
    done = cli("runs", "rm", "--failed", "--yes")
    assert (done.code, crashed.folder.exists()) == (0, False)
    assert cli("runs", "rm", "--failed", "--yes").err == "no run to remove\n"
    assert cli("runs", "rm", "--where", "stage=train", "--yes").code == 0
    assert (kept.folder.exists(), going.folder.exists()) == (False, True)


def test_rm_of_many_says_how_many_and_how_much(
    cli: Cli, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line each and the sum, before it asks."""
    for _ in range(3):
        make(work, status="failed")
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))

    done = cli("runs", "rm", "--failed")

    assert done.code == 1
    assert done.out.splitlines()[-1].startswith("3 runs, 3")
    assert len(done.out.splitlines()) == 4
    assert "remove these 3 runs for good? [y/N]" in done.err


def test_experiment_39_prune_says_what_goes_and_asks(
    cli: Cli, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    """States of finished runs; checkpoints only when that is asked."""
    run = make(work)
    (run.folder / "resume").mkdir()
    (run.folder / "resume" / "state").write_bytes(b"s" * 3000)
    monkeypatch.setattr("sys.stdin", io.StringIO("n\n"))

    asked = cli("runs", "prune")
    assert (asked.code, (run.folder / "resume").exists()) == (1, True)
    assert asked.out.split() == [
        f"runs/{run.id}/resume", "3.0", "kB", "what", "--resume", "needed",
    ]  # fmt: skip
    done = cli("runs", "prune", "--yes")
    assert (done.code, (run.folder / "resume").exists()) == (0, False)
    assert (run.folder / "checkpoints" / "last").is_dir()
    facts = json.loads(
        cli("runs", "prune", "--keep-checkpoints", "best", "--yes", "--json").out
    )  # fmt: skip
    assert facts["frees"] == 5000
    assert [path.name for path in (run.folder / "checkpoints").iterdir()] == ["best"]
    assert cli("runs", "prune").err == "nothing to remove\n"


def test_prune_refuses_a_checkpoint_that_no_run_has(cli: Cli, work: Work) -> None:
    """Else all of them would go."""
    run = make(work)

    done = cli("runs", "prune", "--keep-checkpoints", "bset", "--yes")

    assert (done.code, "did you mean 'best'?" in done.err) == (2, True)
    assert (run.folder / "checkpoints" / "last").is_dir()


def test_du_shows_the_largest_first(cli: Cli, work: Work) -> None:
    """What of each run takes how much, and all together."""
    small, large = make(work), make(work)
    (large.folder / "predictions.arrow").write_bytes(b"x" * 2_000_000)

    lines = cli("runs", "du").out.splitlines()
    one = cli("runs", "du", "--limit", "1").out.splitlines()
    facts = json.loads(cli("runs", "du", "--json").out)

    assert [line.split()[0] for line in lines] == ["run", large.id, small.id, "all"]
    assert lines[1].split()[1:5] == ["2.0", "MB", "10", "kB"]
    assert one[2].split()[:3] == ["…", "1", "more"]
    assert facts["bytes"] == sum(run["bytes"] for run in facts["runs"])
    assert facts["runs"][0]["parts"]["checkpoints/"] == 10_000


def test_a_run_goes_to_another_project_and_is_shown_there(
    cli: Cli, work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exported with its test, imported, listed, shown and compared."""
    run = make(work, tags=["final"])
    test = make(work, stage="test", parent=run.id, checkpoint="best", rows=3)
    done = cli("runs", "export", run.id[-4:], "-o", "x.tar.gz")
    assert done.code == 0
    assert "next" in done.out
    other = tmp_path / "other"
    (other / ".mlrecipe").mkdir(parents=True)
    shutil.move(work.folder / "x.tar.gz", other)
    monkeypatch.chdir(other)

    facts = json.loads(cli("runs", "import", "x.tar.gz", "--json").out)

    assert sorted(facts["runs"]) == sorted([run.id, test.id])
    listed = json.loads(cli("runs", "list", "--tag", "final", "--json").out)
    assert [each["run"] for each in listed] == [run.id]
    assert "from x.tar.gz" in cli("runs", "show", run.id).out
    assert cli("runs", "diff", run.id, test.id).code == 0
    again = cli("runs", "import", "x.tar.gz")
    assert (again.code, "in this project already" in again.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "said"),
    [("x.zip", "is no .tar.gz"), ("no/x.tar.gz", "no such folder"), ("there.tar.gz", "is there already")],
)  # fmt: skip
def test_an_archive_overwrites_nothing(cli: Cli, work: Work, name: str, said: str) -> None:
    """A wrong name is said before anything is packed."""
    run = make(work)
    (work.folder / "there.tar.gz").write_text("mine")

    done = cli("runs", "export", run.id, "-o", name)

    assert (done.code, said in done.err) == (2, True)
    assert (work.folder / "there.tar.gz").read_text() == "mine"


def test_show_tells_what_belongs_to_a_run(cli: Cli, work: Work) -> None:
    """Its tests, tags, time and files; of one that was stopped how to go on."""
    run = make(work, tags=["final"])
    tests = [make(work, stage="test", parent=run.id, checkpoint="best", rows=3) for _ in range(2)]
    stopped = make(work, status="interrupted")

    lines = cli("runs", "show", run.id).out
    facts = json.loads(cli("runs", "show", run.id, "--json").out)

    for test in tests:
        assert test.id in lines
    assert "final" in lines
    assert "checkpoints/ 10 kB" in lines
    assert facts[0]["tests"] == [test.id for test in reversed(tests)]
    assert f"mlrecipe train small.toml --resume --run {stopped.id}" in (
        cli("runs", "show", stopped.id).out
    )


def test_as_json_it_is_listed_what_would_go(cli: Cli, work: Work) -> None:
    """Nobody is asked, and nothing goes without `--yes`."""
    run, other = make(work), make(work)
    (run.folder / "resume").mkdir()
    (run.folder / "resume" / "state").write_bytes(b"s" * 3000)

    pruned = json.loads(cli("runs", "prune", "--json").out)
    removed = json.loads(cli("runs", "rm", other.id, "--json").out)

    assert (pruned["frees"], pruned["removed"]) == (3000, [])
    assert [each["path"] for each in pruned["would_remove"]] == [f"runs/{run.id}/resume"]
    assert [each["run"] for each in removed["would_remove"]] == [other.id]
    assert ((run.folder / "resume").exists(), other.folder.exists()) == (True, True)
    done = json.loads(cli("runs", "rm", other.id, "--json", "--yes").out)
    assert ([each["run"] for each in done["removed"]], done["would_remove"]) == ([other.id], [])
    assert not other.folder.exists()


def test_tags_are_told_as_json(cli: Cli, work: Work) -> None:
    """The run, and all that it has now."""
    run = make(work, tags=["old"])

    assert json.loads(cli("runs", "tag", run.id, "new", "--json").out) == {
        "run": run.id, "tags": ["old", "new"],
    }  # fmt: skip


@pytest.mark.parametrize("name", ["x.zip", "x.tar", "x", "x.tar.xz"])
def test_another_name_for_an_archive_is_proposed(cli: Cli, work: Work, name: str) -> None:
    """With the end that it must have."""
    done = cli("runs", "export", make(work).id, "-o", name)

    assert (done.code, "name it 'x.tar.gz'" in done.err) == (2, True)


def test_rm_says_that_a_test_that_stays_cannot_be_repeated(cli: Cli, work: Work) -> None:
    """For its model is gone."""
    run = make(work)
    test = make(work, stage="test", parent=run.id)

    done = cli("runs", "rm", run.id, "--yes")

    assert f"{test.id} is a test of it, and stays; it can be repeated no more" in done.err


def test_diff_tells_a_node_that_only_one_has_in_one_line(cli: Cli, work: Work) -> None:
    """Not one for each of its parameters, which `--json` has."""
    a, b = make(work), make(work)
    path = b.folder / "recipe.resolved.toml"
    path.write_text(f"{path.read_text()}[nodes.clean]\nuse = 'clean'\nlower = true\n")

    done = cli("runs", "diff", a.id, b.id)
    facts = json.loads(cli("runs", "diff", a.id, b.id, "--json").out)

    assert done.out.splitlines()[1:] == ["recipe", f"  nodes.clean: only {b.id} has it"]
    assert facts["differences"]["recipe"][0]["b"] == {"use": "clean", "lower": True}


@pytest.mark.parametrize("name", ["", ".", "/"])
def test_an_empty_name_means_no_run(cli: Cli, work: Work, name: str) -> None:
    """Not the only one there is."""
    run = make(work)

    done = cli("runs", "rm", name, "--yes")

    assert (done.code, "no run ''" in done.err, run.folder.is_dir()) == (2, True, True)
