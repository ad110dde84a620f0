"""`mlrecipe train --resume`, on the demo's own data and network."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mlrecipe.cli import resuming
from mlrecipe.cli.app import run as command
from mlrecipe.cli.resuming import warn_of_changes
from mlrecipe.cli.session import Session, Settings
from mlrecipe.errors import RequestError
from mlrecipe.pipeline.request import open_request
from mlrecipe.runs import run as running
from mlrecipe.runs.manifest import RECIPE
from mlrecipe.scaffold.project import create
from tests.projects import ROOT

pytestmark = pytest.mark.heavy

QUICK = ["--set", "limit=120", "--set", "train.epochs=3"]
OWN = """\
import os
import signal
from pathlib import Path

import mlrecipe
import pytorch_lightning as pl

HERE = Path(__file__).parent


@mlrecipe.callback("signals")
class Signals(pl.Callback):
    def on_train_batch_end(self, trainer, *args):
        order = HERE / "order"
        if order.exists():
            name, step = order.read_text().split()
            if trainer.global_step == int(step):
                order.unlink()
                os.kill(os.getpid(), getattr(signal, name))
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo project after a training that was not interrupted; not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    create(folder)
    (folder / "own.py").write_text(OWN)
    recipe = folder / "demo.toml"
    text = recipe.read_text().replace('# plugins = ["ops.py"]', 'plugins = ["own.py"]')
    recipe.write_text(text + '\n[train.callbacks.signals]\nuse = "signals"\n')
    assert command(["train", str(recipe), *QUICK]) == 0
    return folder


@pytest.fixture
def here(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that project without its run; the current folder."""
    folder = tmp_path / "project"
    shutil.copytree(trained, folder, ignore=lambda path, names: {"runs"} & set(names))
    monkeypatch.chdir(folder)
    return folder


def only_run(folder: Path) -> Path:
    (found,) = (folder / "runs").iterdir()
    return found


def facts_of(run: Path) -> dict[str, object]:
    facts: dict[str, object] = json.loads((run / "run.json").read_text())
    return facts


def learnt(run: Path) -> dict[str, bytes]:
    """What must be the same, however often a run was interrupted."""
    names = ["checkpoints/best/model.safetensors", "checkpoints/last/model.safetensors",
             "logs/metrics.csv", "metrics.json", "outputs.json"]  # fmt: skip
    return {name: (run / name).read_bytes() for name in names}


def interrupt(folder: Path, name: str = "SIGINT", step: int = 6) -> int:
    """Train until a signal comes; gives the exit code."""
    (folder / "order").write_text(f"{name} {step}")
    return command(["train", "demo.toml", *QUICK])


def advised(err: str) -> list[str]:
    """The arguments of the command that was printed."""
    (line,) = (line for line in err.splitlines() if line.startswith("to go on from"))
    return line.partition(": mlrecipe ")[2].split()


def test_experiment_35_an_interrupted_run_goes_on_in_its_own_folder(
    here: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C: exit 130 and the command that resumes; that ends as if nothing had been, in the same run."""
    assert interrupt(here, step=8) == 130
    arguments = advised(capsys.readouterr().err)
    run = only_run(here)
    assert facts_of(run)["status"] == "interrupted"
    assert arguments == ["train", "demo.toml", "--resume", "--run", run.name]

    assert command(arguments) == 0

    assert learnt(only_run(here)) == learnt(only_run(trained))
    facts = facts_of(run)
    assert facts["status"] == "finished"
    assert [item["step"] for item in facts["resumed"]] == [8]  # type: ignore[attr-defined]
    assert {p.name for p in run.iterdir()} == {p.name for p in only_run(trained).iterdir()}
    said = capsys.readouterr().err
    assert "has changed since that run" not in said  # what it was begun with is no change
    assert f"run {run.name} goes on from step 8, epoch 2" in said


def test_only_what_has_changed_in_the_file_is_told(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Not what the run's own command line set; where that fits no longer, the file is compared as it is."""
    session = Session.of(Path("demo.toml"))
    assert interrupt(here, step=1) == 130
    run = next(iter(running.every(here)))
    then = open_request(run.folder / RECIPE, here=here, name="demo.toml")
    recipe = here / "demo.toml"
    text = recipe.read_text()

    def told(written: str) -> str:
        recipe.write_text(written)
        capsys.readouterr()
        warn_of_changes(session, run, then, Settings(is_quiet=True))
        return " ".join(capsys.readouterr().err.split())

    assert told(text) == ""
    assert told(text.replace("epochs = 5", "epochs = 7")) == ""
    said = told(text.replace("batch_size = 16", "batch_size = 8"))
    assert said == "warning: demo.toml has changed since that run: train.batch_size 16 → 8"
    facts = json.loads((run.folder / "command.json").read_text())
    assert facts["overrides"] == ["--set limit=120", "--set train.epochs=3"]
    facts["overrides"].append("--set-file gone.toml")
    (run.folder / "command.json").write_text(json.dumps(facts))
    assert "train.epochs 3 → 5" in told(text)


def test_a_process_that_sigterm_ends_says_how_to_go_on(here: Path, trained: Path) -> None:
    """Exit 143, with the whole command line; with -9 there is nothing to say, and it goes on all the same."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with subprocess.Popen(
            [sys.executable, "-m", "mlrecipe", "train", "demo.toml",
             *(QUICK if number == signal.SIGTERM else ["--resume"])],
            env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            assert process.stderr is not None
            told = ""
            for line in process.stderr:
                told += line
                if line.startswith("epoch "):
                    process.send_signal(number)
        if number == signal.SIGTERM:
            assert process.returncode == 143
            assert advised(told)[:3] == ["train", "demo.toml", "--resume"]
        else:
            assert process.returncode == -signal.SIGKILL

    assert command(["train", "demo.toml", "--resume"]) == 0

    weights = "checkpoints/last/model.safetensors"
    assert learnt(only_run(here))[weights] == learnt(only_run(trained))[weights]


def test_a_run_that_had_kept_nothing_begins_anew_in_place(
    here: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was killed in its first epoch: it is still the run that goes on."""
    assert interrupt(here, step=2) == 130
    run = only_run(here)
    shutil.rmtree(run / "resume")
    _kill(run)

    assert command(["train", "demo.toml", "--resume"]) == 0

    assert f"run {run.name} had kept nothing yet; it begins anew" in capsys.readouterr().err
    assert learnt(only_run(here)) == learnt(only_run(trained))


def _kill(run: Path) -> None:
    """Make a run look as kill -9 leaves it: running, by a process that is gone."""
    facts = facts_of(run) | {"status": "running", "pid": 2**22 - 1, "born": "1"}
    facts.pop("ended", None)
    (run / "run.json").write_text(json.dumps(facts))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, "has no interrupted train run to resume; its newest, .*, is finished"),
        ({"status": "running"}, "is still running, as process"),
        ({"status": "running", "host": "elsewhere"}, "on elsewhere; if you know that it is not: "),
        ({"status": "failed"}, "has failed; once the cause is mended: --resume --run "),
        ({"stage": "test"}, "has no train run to resume; train it first: mlrecipe train demo.toml"),
        ({"recipe": "other.toml"}, "demo.toml has no train run to resume"),
    ],
    ids=["finished", "running", "elsewhere", "failed", "a test", "another recipe"],
)
def test_nothing_to_resume_is_an_error_that_says_why(
    trained: Path, here: Path, capsys: pytest.CaptureFixture[str], change: dict[str, str],
    message: str,
) -> None:  # fmt: skip
    """Exit 2, and no run is touched."""
    shutil.copytree(trained / "runs", here / "runs")
    run = only_run(here)
    (run / "run.json").write_text(json.dumps(facts_of(run) | change))
    before = (run / "run.json").read_bytes()

    assert command(["train", "demo.toml", "--resume"]) == 2

    assert re.search(message, " ".join(capsys.readouterr().err.split()))
    assert (run / "run.json").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume", "--force", "tokens"], "--force: a resumed run goes on with the data"),
        (["--run", "x"], "--run names the run to resume: it goes with --resume"),
        (["--resume", "--run", "x"], "no run 'x'"),
    ],
)
def test_what_does_not_go_with_resuming_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    """Exit 2."""
    assert command(["train", "demo.toml", *arguments]) == 2

    assert message in " ".join(capsys.readouterr().err.split())


def test_what_the_run_has_already_may_be_said_again(
    here: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it was typed, or otherwise; what differs is refused, with the difference and the run untouched."""
    assert interrupt(here) == 130
    run = only_run(here)
    facts = facts_of(run)
    line = ["train", "demo.toml", "--resume"]
    refused = {
        "--set train.epochs=9 --limit 90": "limit 120 → 90; train.epochs 3 → 9: a resumed run",
        "--unset train.monitor": "train.monitor 'valid/accuracy' → 'valid/loss': a resumed run",
        "--pick model=tiny": "--pick model=tiny: a resumed run keeps the recipe",
    }
    for more, message in refused.items():
        capsys.readouterr()
        assert command([*line, *more.split()]) == 2
        assert message in " ".join(capsys.readouterr().err.split())
    assert facts_of(run) == facts

    assert command([*line, "--limit", "120", "--set", "train.epochs=0x3"]) == 0

    assert learnt(run) == learnt(only_run(trained))


def test_two_processes_do_not_resume_the_same_run(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The second says who has it; when the first is done nothing of its hold is left."""
    assert interrupt(here, step=1) == 130
    run = next(iter(running.every(here)))
    capsys.readouterr()

    with resuming.held(run):
        assert command(["train", "demo.toml", "--resume"]) == 2
        said = " ".join(capsys.readouterr().err.split())

    assert f"run {run.id} is being resumed: pid {os.getpid()} on " in said
    assert not (run.folder / resuming.LOCK).exists()
    run.update(status="finished")
    with pytest.raises(RequestError, match="is finished"), resuming.held(run):
        pass


def test_a_run_whose_data_or_code_changed_is_refused(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names what changed; once that is undone the run goes on, with what does no harm changed."""
    assert interrupt(here) == 130
    run = only_run(here)
    table = here / "data" / "reviews.csv"
    text = table.read_text()
    table.write_text(text.replace(" the ", " this "))
    capsys.readouterr()

    assert command(["train", "demo.toml", "--resume"]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert f"run {run.name} cannot go on: " in error
    assert "the output of node 'tokens' changed since it began" in error
    assert facts_of(run)["status"] == "interrupted"

    table.write_text(text)
    harmless = ["--set", "train.resume_every=2", "--set", "train.save_every=4"]
    assert command(["train", "demo.toml", "--resume", *harmless]) == 0
    assert (run / "checkpoints" / "step-8").is_dir()


@pytest.mark.real
@pytest.mark.timeout(300)
def test_two_processes_go_on_together(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with its own random numbers and its own place: the weights are those of two undisturbed ones."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    two = ["--set", 'train.trainer={accelerator="cpu",devices=2,strategy="ddp"}']
    start = [sys.executable, "-m", "mlrecipe", "train", "demo.toml"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    subprocess.run([*start, *QUICK, *two], env=environment, check=True, capture_output=True)
    whole = only_run(here).rename(here / "whole")

    with subprocess.Popen(
        [*start, *QUICK, *two], env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("epoch 1/"):
                process.send_signal(signal.SIGINT)
    assert process.returncode == 130
    subprocess.run([*start, "--resume"], env=environment, check=True, capture_output=True)

    assert learnt(only_run(here)) == learnt(whole)
