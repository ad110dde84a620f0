"""`runs replay`, and what a run's directory says of how it came about, on the demo's data and network."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from mlrecipe.cli.app import run as command
from mlrecipe.runs.run import Run, every
from mlrecipe.scaffold.project import create

pytestmark = pytest.mark.heavy

OPS = '''\
import mlrecipe

from .words import LOUD


@mlrecipe.op("shout")
def shout(data):
    """The same rows."""
    return LOUD(data)
'''
WORDS = "def LOUD(data):\n    return data\n"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo project with an op of its own, after one `run`; not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    create(folder)
    (folder / "ops.py").write_text(OPS)
    (folder / "words.py").write_text(WORDS)
    recipe = folder / "demo.toml"
    text = recipe.read_text().replace('# plugins = ["ops.py"]', 'plugins = ["ops.py"]')
    text += '\n[nodes.loud]\nuse = "shout"\ninputs = ["table"]\n'
    recipe.write_text(text)
    before = Path.cwd()
    os.chdir(folder)
    sets = ["limit=120", "train.epochs=1", "nodes.split.inputs=['loud']"]
    code = command(["run", "demo.toml", *(part for text in sets for part in ("--set", text))])
    os.chdir(before)
    assert code == 0
    return folder


@pytest.fixture
def project(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it; the current folder is the project."""
    folder = tmp_path / "project"
    shutil.copytree(trained, folder)
    monkeypatch.chdir(folder)
    return folder


def the(project: Path, stage: str) -> Run:
    """The oldest run of a stage."""
    return [run for run in every(project) if run.facts["stage"] == stage][-1]


def read(run: Run, name: str) -> Any:
    """A JSON file of a run."""
    return json.loads((run.folder / name).read_text())


def test_experiment_36_a_run_says_what_it_was_made_with(trained: Path) -> None:
    """All packages, the libraries that count, every file that was read, the code as it was."""
    for stage in ("train", "test"):
        run = the(trained, stage)
        environment, components = read(run, "env.json"), read(run, "components.json")
        files = read(run, "inputs.json")["table"]["files"]["train"]

        assert environment["libraries"]["torch"]
        assert environment["libraries"]["mlrecipe"]
        assert len(environment["packages"]) > 30
        assert environment["packages"]["torch"] == environment["libraries"]["torch"]
        assert [name for name, digest in files if len(digest) == 64] == ["reviews.csv"]
        assert components["model"]["use"] == "transformer"
        assert {item[1] for item in components["model"]["files"]} >= {"config.json"}
        assert (run.folder / "code" / "ops.py").read_text() == OPS
        assert (run.folder / "code" / "words.py").read_text() == WORDS


def test_experiment_36_a_replay_gives_identical_metrics(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a CPU the training and its test come to the same, and so do the weights, byte for byte."""
    run, test = the(project, "train"), the(project, "test")

    assert command(["runs", "replay", run.id, "--json"]) == 0

    facts = json.loads(capsys.readouterr().out)
    again, tested = (
        next(r for r in every(project) if r.id == each["now"]) for each in facts["runs"]
    )
    assert [each["then"] for each in facts["runs"]] == [run.id, test.id]
    assert facts["identical"]
    assert facts["weights_identical"]
    assert again.id != run.id
    assert again.facts["replay_of"] == run.id
    assert read(again, "metrics.json") == read(run, "metrics.json")
    assert read(tested, "metrics.json") == read(test, "metrics.json")
    assert read(again, "command.json")["overrides"] == read(run, "command.json")["overrides"]
    assert tested.facts["parent"] == again.id


def test_a_test_is_replayed_on_the_same_checkpoint(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without training; the predictions are the same, too."""
    test = the(project, "test")

    assert command(["runs", "replay", test.id]) == 0

    newest = next(iter(every(project)))
    assert "identical: all" in capsys.readouterr().out
    assert newest.facts["parent"] == test.facts["parent"]
    predictions = [(run.folder / "predictions.arrow").read_bytes() for run in (test, newest)]
    assert predictions[0] == predictions[1]


def change_code(project: Path) -> None:
    """A helper of the run's op does something else."""
    (project / "words.py").write_text("def LOUD(data):\n    return dict(data)\n")


def change_data(project: Path) -> None:
    """A row of the data is gone."""
    path = project / "data" / "reviews.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def change_libraries(project: Path) -> None:
    """Another torch, as far as the run's files say."""
    path = the(project, "train").folder / "env.json"
    found = json.loads(path.read_text())
    found["libraries"]["torch"] = found["packages"]["torch"] = "1.0"
    path.write_text(json.dumps(found))


@pytest.mark.parametrize(
    ("change", "what", "said"),
    [
        (change_code, "code", "op 'shout': other code"),
        (change_data, "data", "nodes.table.train: reviews.csv: other content"),
        (change_libraries, "libraries", 'torch "1.0" →'),
    ],
)
def test_what_differs_is_said_and_nothing_is_done(
    project: Path, capsys: pytest.CaptureFixture[str], change: Any, what: str, said: str
) -> None:
    """Code, data, libraries: exactly what, and how to go on nonetheless."""
    change(project)
    run, count = the(project, "train"), len(list(every(project)))

    assert command(["runs", "replay", run.id]) == 2

    printed = capsys.readouterr()
    assert said in printed.out
    assert f"cannot be repeated as it was: {what} changed since" in printed.err
    assert "--anyway" in printed.err
    assert len(list(every(project))) == count


def test_anyway_repeats_with_what_is_there_and_says_what_came_of_it(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Metrics that are not the same end the command with 1."""
    change_data(project)
    run = the(project, "train")
    run.write("metrics.json", {**read(run, "metrics.json"), "valid/loss": 9.0})

    code = command(["runs", "replay", run.id, "--anyway", "--without-test"])

    printed = capsys.readouterr()
    assert code == 1
    assert "the result may be another" in printed.err
    assert "metrics are not the same" in printed.out


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"status": "interrupted"}, "is interrupted: there is no result to repeat"),
        ({"stage": "repeat"}, "is a repeat run; repeat one of its trainings"),
    ],
)
def test_what_has_no_result_is_not_repeated(
    project: Path, capsys: pytest.CaptureFixture[str], facts: dict[str, str], said: str
) -> None:
    """With what to do instead."""
    run = the(project, "train")
    run.update(**facts)

    assert command(["runs", "replay", run.id]) == 2
    assert said in capsys.readouterr().err


def test_an_imported_run_is_repeated_in_another_project(
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With its data from the archive and its code from its directory."""
    test = the(project, "test")
    assert command(["runs", "export", test.id, "-o", "x.tar.gz", "--with-data"]) == 0
    other = tmp_path / "other"
    (other / ".mlrecipe").mkdir(parents=True)
    with tarfile.open("x.tar.gz") as tar:
        assert "data/data/reviews.csv" in tar.getnames()
    monkeypatch.chdir(other)
    assert command(["runs", "import", str(project / "x.tar.gz")]) == 0

    refused = command(["runs", "replay", test.id])
    printed = capsys.readouterr()
    shutil.copytree(other / "runs" / test.id / "code", other, dirs_exist_ok=True)
    code = command(["runs", "replay", test.id])

    assert refused == 2
    assert f"runs/{test.id}/code" in printed.err
    assert code == 0
    assert "identical: all" in capsys.readouterr().out


def test_files_of_other_runs_are_no_data(
    project: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """They stay behind and are told, so that the archive can be taken in."""
    run = the(project, "train")
    recipe = run.folder / "recipe.resolved.toml"
    shutil.copy("data/reviews.csv", run.folder / "reviews.csv")
    text = recipe.read_text()
    assert "data/reviews.csv" in text
    recipe.write_text(text.replace("data/reviews.csv", f"runs/{run.id}/reviews.csv"))
    assert command(["runs", "export", run.id, "-o", "x.tar.gz", "--with-data"]) == 0
    assert "in its runs/" in capsys.readouterr().err
    other = tmp_path / "other"
    (other / ".mlrecipe").mkdir(parents=True)
    monkeypatch.chdir(other)

    assert command(["runs", "import", str(project / "x.tar.gz")]) == 0
