"""The GLUE recipe: all nine tasks and the diagnostic set, offline, with a tiny network from nothing."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from mlrecipe import glue
from mlrecipe.cli.app import run as command
from tests import glue as small

pytestmark = [pytest.mark.heavy, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipes" / "glue.toml"
TINY = ROOT / "mlrecipe" / "data" / "tiny"
MEASURED = {
    "cola": {"valid/matthews-corrcoef"},
    "sst2": {"valid/accuracy"},
    "mrpc": {"valid/accuracy", "valid/f1"},
    "stsb": {"valid/pearson-corrcoef", "valid/spearman-corrcoef"},
    "qqp": {"valid/accuracy", "valid/f1"},
    "mnli": {"validation_matched/accuracy", "validation_mismatched/accuracy"},
    "qnli": {"valid/accuracy"},
    "rte": {"valid/accuracy"},
    "wnli": {"valid/accuracy"},
}
"""Task → the metrics that GLUE judges it by, under the name of each dev set."""


def asked(*arguments: str) -> Any:
    """What a command prints as JSON."""
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        assert command([*arguments, "--json"]) == 0
    return json.loads(printed.getvalue())


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with the recipe, GLUE in a few rows, and a checkpoint with random weights."""
    from transformers import AutoConfig, AutoModel

    folder = tmp_path_factory.mktemp("glue")
    (folder / ".mlrecipe").mkdir()
    shutil.copy(RECIPE, folder)
    shutil.copytree(TINY, folder / "tiny")
    AutoModel.from_config(AutoConfig.from_pretrained(TINY)).save_pretrained(folder / "tiny")
    small.write(folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLUE_DIR", "data")
        patch.setenv("CHECKPOINT", "tiny")
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def runs(project: Path) -> dict[str, list[dict[str, Any]]]:
    """Task → what `mlrecipe run` says of its training and its test."""
    found = {}
    for task in glue.TASKS:
        settings = ["--pick", f"task={task}", "--set", "train.epochs=1"]
        found[task] = asked("run", "glue.toml", *settings)
    return found


def predictions(project: Path, run: dict[str, Any]) -> dict[str, pa.Table]:
    """File → its rows."""
    files = sorted((project / "runs" / run["run"]).glob("predictions*.arrow"))
    return {path.name: pa.ipc.open_stream(path).read_all() for path in files}


@pytest.mark.long
@pytest.mark.parametrize("task", MEASURED)
def test_glue_40_each_task_is_learned_and_measured(
    runs: dict[str, list[dict[str, Any]]], task: str
) -> None:
    """By GLUE's own metrics of its dev sets, each under its own name."""
    metrics = runs[task][0]["metrics"]

    assert MEASURED[task] <= set(metrics)
    assert all(-1 <= metrics[name] <= 1 for name in MEASURED[task])


@pytest.mark.parametrize("task", glue.TASKS)
def test_glue_40_each_test_set_is_predicted(
    project: Path, runs: dict[str, list[dict[str, Any]]], task: str
) -> None:
    """Every row of each, with a label or a score, and no metric of labels that are not there."""
    tested = runs[task][1]
    files = predictions(project, tested)

    expected = {"predictions.arrow"}
    if task == "mnli":
        expected = {f"predictions-test_{name}.arrow" for name in ("matched", "mismatched")}
    assert set(files) == expected
    assert not tested["metrics"]
    rows = 12 if task == "ax" else 6
    for table in files.values():
        assert table["row"].to_pylist() == list(range(rows))
        assert table["label"].null_count == rows
        values = table["prediction"].to_pylist()
        if task == "stsb":
            assert all(isinstance(value, float) for value in values)
        else:
            assert set(values) <= set(glue.TASKS[task].labels)


def test_glue_40_the_diagnostic_set_is_predicted_by_the_model_of_mnli(
    runs: dict[str, list[dict[str, Any]]],
) -> None:
    """Nothing is trained for it."""
    assert runs["ax"][0]["run"] == runs["mnli"][0]["run"]


def test_glue_40_the_score_is_that_of_all_nine_tasks(
    runs: dict[str, list[dict[str, Any]]],
) -> None:
    """Told from the runs alone; the small sets are noticed."""
    score = asked("score", "glue")

    assert set(score["missing"]) == set()
    assert 0 <= score["score"] <= 100
    assert not any(task["is_whole"] for task in score["tasks"].values())


def test_glue_40_nothing_of_azure_is_imported(runs: dict[str, list[dict[str, Any]]]) -> None:
    """PyMarlin cannot be imported without it."""
    assert not [name for name in sys.modules if name.partition(".")[0] in ("azure", "azureml")]


@pytest.mark.parametrize("task", glue.TASKS)
def test_glue_11_a_limit_holds_for_every_split(
    project: Path, task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Mismatched and test included."""
    assert command(["prepare", "glue.toml", "--pick", f"task={task}", "--limit", "4"]) == 0
    capsys.readouterr()

    node = "ax_tokens" if task == "ax" else "tokens"
    pick = ["--pick", f"task={task}", "--set", "limit=4"]
    summary = asked("inspect", node, "glue.toml", *pick)["summary"]

    assert summary["rows"] == dict.fromkeys(glue.TASKS[task].splits, 4)
