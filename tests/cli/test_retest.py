"""`mlrecipe test --resume` and validations that are evaluated, on the demo's own data and network."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from mlrecipe.cli import retesting
from mlrecipe.cli.app import run as command
from mlrecipe.cli.session import Session
from mlrecipe.errors import RequestError
from mlrecipe.runs import run as running
from mlrecipe.scaffold.project import create
from mlrecipe.training.progress import TestProgress

pytestmark = pytest.mark.heavy

QUICK = ["--set", "limit=160", "--set", "train.epochs=3", "--set", "test.batch_size=5"]
OWN = '''

@mlrecipe.op("calls")
def calls(predictions):
    """How often this was computed."""
    noted = Path(__file__).with_name("calls.txt")
    with noted.open("a") as file:
        file.write("x")
    return {"in-all": len(noted.read_text()), "rows": len(predictions)}
'''
EVALUATED = """
[evaluate.nodes.calls]
use = "calls"
inputs = ["predictions"]
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo project, trained and tested once by what its own op says of validations; not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    create(folder)
    ops = folder / "ops.py"
    ops.write_text(
        "from pathlib import Path\n\n" + ops.read_text().partition("annotations\n")[2] + OWN
    )
    recipe = folder / "demo.toml"
    text = recipe.read_text().replace('# plugins = ["ops.py"]', 'plugins = ["ops.py"]')
    recipe.write_text(text.replace("validation = []", 'validation = ["calls"]') + EVALUATED)
    watched = ["--set", "train.monitor=valid/calls/in-all", "--set", "train.mode=max"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert command(["run", "demo.toml", *QUICK, *watched]) == 0
    return folder


@pytest.fixture
def here(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that project, with its train run and its test; the current folder."""
    folder = tmp_path / "project"
    shutil.copytree(trained, folder)
    monkeypatch.chdir(folder)
    return folder


def run_of(folder: Path, stage: str) -> Path:
    """The newest run of a stage."""
    return next(r.folder for r in running.every(folder) if r.facts["stage"] == stage)


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def interrupt(monkeypatch: pytest.MonkeyPatch, *, after: int) -> None:
    """Have Ctrl-C come once so many rows are tested, and the last batch of them is not written."""
    told = TestProgress.on_test_batch_end

    def tell(self: TestProgress, *args: Any, **options: Any) -> None:
        told(self, *args, **options)
        if self.done >= after:
            monkeypatch.setattr(TestProgress, "on_test_batch_end", told)
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(TestProgress, "on_test_batch_end", tell)


def test_experiment_27_the_recipes_own_op_decides_the_best_checkpoint(trained: Path) -> None:
    """What it says of validations is among their metrics, and what it says of the test among the test's."""
    run = run_of(trained, "train")

    metrics, facts = read(run / "metrics.json"), read(run / "run.json")
    assert facts["best_step"] == facts["steps"] == 21
    assert metrics["valid/calls/in-all"] == 4  # before training, and after each epoch
    assert metrics["valid/calls/rows"] == 16
    assert [path.name for path in (run / "validations").iterdir()] == ["step-21"]
    assert read(run_of(trained, "test") / "metrics.json")["test/calls/rows"] == 32


def test_experiment_39_a_test_that_was_interrupted_goes_on(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C says how; the rows that are there stay; metrics, predictions and report are the whole test's."""
    whole = run_of(here, "test")
    interrupt(monkeypatch, after=15)

    assert command(["test", "demo.toml"]) == 130
    run = run_of(here, "test")
    assert f"mlrecipe test demo.toml --resume --run {run.name}" in capsys.readouterr().err
    assert read(run / "run.json")["status"] == "interrupted"
    assert {path.name for path in run.glob("predictions*")} == {
        "predictions.arrow.part", "predictions.arrow.state",
    }  # fmt: skip
    assert command(["test", "demo.toml", "--resume"]) == 0

    assert "10 rows of it are tested already" in capsys.readouterr().err
    for name in ("predictions.arrow", "report.json", "metrics.json"):
        assert (run / name).read_bytes() == (whole / name).read_bytes(), name
    assert {path.name for path in run.glob("predictions*")} == {"predictions.arrow"}
    facts = read(run / "run.json")
    assert (facts["status"], facts["resumed"][0]["step"]) == ("finished", 10)


def test_a_resumed_test_keeps_its_recipe(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Options that would change it are refused."""
    for options in (["--set", "test.batch_size=3"], ["--checkpoint", "last"]):
        assert command(["test", "demo.toml", "--resume", *options]) == 2
        assert f"{options[0]}: a resumed test goes on with" in capsys.readouterr().err


def test_rows_that_are_others_are_refused(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The test was begun on what the data were."""
    interrupt(monkeypatch, after=15)
    command(["test", "demo.toml"])
    reviews = here / "data" / "reviews.csv"
    first, second, *rest = reviews.read_text().splitlines(keepends=True)
    reviews.write_text("".join([first, second.replace("e", "ee"), *rest]))
    capsys.readouterr()

    assert command(["test", "demo.toml", "--resume"]) == 2
    assert "of node 'tokens' changed since it began" in capsys.readouterr().err


def test_what_cannot_go_on_is_said(here: Path) -> None:
    """A finished test, a train run, and that there is none that was stopped."""
    session = Session(here / "demo.toml", here=here)
    test, train = run_of(here, "test"), run_of(here, "train")

    with pytest.raises(RequestError, match=f"its newest, {test.name}, is finished"):
        retesting.choose(session, None)
    with pytest.raises(RequestError, match="is finished: there is nothing to resume"):
        retesting.choose(session, test.name)
    with pytest.raises(RequestError, match="is a train run, not a test run"):
        retesting.choose(session, train.name)
    shutil.rmtree(test)
    with pytest.raises(RequestError, match="has no test run to resume; test it first"):
        retesting.choose(session, None)
