"""How a run ends when code that is not mlrecipe's fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mlrecipe.cli.app import run as command
from mlrecipe.scaffold.project import create

pytestmark = pytest.mark.heavy

QUICK = ["--set", "limit=60", "--set", "train.epochs=2"]
OWN = """\
import sys
from pathlib import Path

import mlrecipe
import pytorch_lightning as pl
import torchmetrics

HERE = Path(__file__).parent


@mlrecipe.metric("broken")
def broken(head):
    raise KeyError("no such label")  # line 13


@mlrecipe.metric("fragile")
def fragile(head):
    if (HERE / "break").exists():
        raise OSError("it broke")  # line 19
    return torchmetrics.classification.MulticlassAccuracy(len(head.labels))


@mlrecipe.task("broken-task")
class Task:
    def __init__(self, *, metrics: list[str] = []):
        raise ZeroDivisionError("nothing")  # line 26


@mlrecipe.callback("late")
class Late(pl.Callback):
    def __init__(self, *, how: str = "error"):
        self.how = how

    def on_train_epoch_end(self, trainer, pl_module):
        if trainer.current_epoch == 1 and self.how == "exit":
            sys.exit(0)  # line 36
        if trainer.current_epoch == 1 and self.how == "data":
            raise mlrecipe.DataError("a row is odd", key="label")
        if trainer.current_epoch == 1:
            (HERE / "missing").read_text()  # line 40: raises inside of pathlib
"""


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo project with `own.py`, its data prepared; not to be changed."""
    folder = tmp_path_factory.mktemp("prepared")
    create(folder)
    (folder / "own.py").write_text(OWN)
    recipe = folder / "demo.toml"
    recipe.write_text(recipe.read_text().replace('# plugins = ["ops.py"]', 'plugins = ["own.py"]'))
    assert command(["prepare", str(recipe), *QUICK]) == 0
    return folder


@pytest.fixture
def here(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that project; the current folder."""
    folder = tmp_path / "project"
    shutil.copytree(prepared, folder)
    monkeypatch.chdir(folder)
    return folder


def run_of(folder: Path, stage: str) -> Path:
    """The only run directory of a stage."""
    (found,) = folder.glob(f"runs/*-{stage}-*")
    return found


def facts_of(run: Path) -> dict[str, str]:
    facts: dict[str, str] = json.loads((run / "run.json").read_text())
    return facts


@pytest.mark.parametrize(
    ("setting", "cause"),
    [
        ("model.config_overrides.hidden_size=31", ": ValueError: The hidden size"),
        ('task.metrics=["accuracy","broken"]', "own.py:13: KeyError: 'no such label'"),
        ('train.callbacks.x={use="late"}', "own.py:40: FileNotFoundError: "),
        ('train.callbacks.x={use="late",how="exit"}', "own.py:36: SystemExit: 0"),
    ],
    ids=["library", "metric", "callback", "exit"],
)
def test_an_error_of_other_code_fails_the_run_with_its_line(
    here: Path, capsys: pytest.CaptureFixture[str], setting: str, cause: str
) -> None:
    """Exit 1, no traceback, the project's own line where there is one; the run has the cause."""
    assert command(["train", "demo.toml", *QUICK, "--set", setting]) == 1

    error = " ".join(capsys.readouterr().err.split())
    assert "error: training failed at " in error
    assert cause in error
    assert "--traceback shows all of it" in error
    facts = facts_of(run_of(here, "train"))
    assert facts["status"] == "failed"
    assert "training failed at " in facts["cause"]
    assert cause in facts["cause"]


def test_an_error_before_the_run_leaves_none(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A component that cannot be made is told of in the same way."""
    settings = ["--set", 'task={use="broken-task"}', "--set", "train.monitor=train/loss"]
    assert command(["train", "demo.toml", *QUICK, *settings]) == 1

    error = " ".join(capsys.readouterr().err.split())
    assert "training failed at own.py:26: ZeroDivisionError: nothing" in error
    assert not (here / "runs").exists()


def test_an_error_while_testing_names_the_test(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The train run stays finished, the test run is a failed one."""
    settings = ["--set", 'task.metrics=["fragile"]', "--set", "train.monitor=valid/loss"]
    assert command(["train", "demo.toml", *QUICK, *settings]) == 0
    (here / "break").touch()

    assert command(["test", "demo.toml"]) == 1

    error = " ".join(capsys.readouterr().err.split())
    assert "testing failed at own.py:19: OSError: it broke" in error
    assert facts_of(run_of(here, "train"))["status"] == "finished"
    assert facts_of(run_of(here, "test"))["status"] == "failed"


def test_what_was_learnt_before_the_data_were_refused_is_kept(here: Path) -> None:
    """A refusal leaves no run, but not once there is a checkpoint."""
    settings = ["--set", 'train.callbacks.x={use="late",how="data"}']
    assert command(["train", "demo.toml", *QUICK, *settings]) == 2

    run = run_of(here, "train")
    assert facts_of(run)["status"] == "failed"
    assert (run / "checkpoints" / "last" / "model.safetensors").is_file()
