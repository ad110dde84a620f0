"""What trackers have on disk, read back by their own libraries."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning.loggers import Logger

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.recipe.deferred import Deferred
from mlrecipe.recipe.schema import Component
from mlrecipe.runs.run import Run
from mlrecipe.training.fit import FitReport, fit
from mlrecipe.training.tracking import adding
from mlrecipe.training.tracking.continuing import continued, ids_of
from mlrecipe.training.tracking.loggers import make_logger
from tests.training.tiny import components, make_spec, make_splits

RECIPE = """
name = "small"

[train]
epochs = 1
key = "${secret:TRACKER_KEY}"

[nodes.labels.mapping]
"very good!" = "positive"
"""

BOARD = {"board": Component(use="TensorBoardLogger")}
FLOW = {"flow": Component(use="MLFlowLogger")}
WANDB = {"wandb": Component(use="WandbLogger", params={"notes": Deferred("in ${run_dir}")})}


@pytest.fixture
def run(project: Path) -> Run:
    """A train run of a project that says who it is, as `mlrecipe train` makes it."""
    folder = project / "runs" / "20261122T101500Z-small-train-3f9c"
    folder.mkdir(parents=True)
    (folder / "recipe.resolved.toml").write_text(RECIPE)
    facts = {"id": folder.name, "name": "small", "stage": "train", "status": "finished",
             "tags": ["first"], "group": "g1"}  # fmt: skip
    made = Run(folder=folder, facts=facts)
    made.write("run.json", facts)
    return made


def train(tiny: Path, run: Run, loggers: dict[str, Component]) -> FitReport:
    """Train the tiny model on few rows."""
    return fit(
        task=TextClassification(), model=Transformer(config=str(tiny / "config.json")),
        spec=make_spec(loggers=loggers), seed=3, data=make_splits(train=16, valid=8),
        folder=run.folder, components=components(),
    )  # fmt: skip


def judged(run: Run, **metrics: float) -> Run:
    """A finished test of the run, with metrics such as test/accuracy."""
    folder = run.folder.with_name("20261122T101600Z-small-test-77aa")
    folder.mkdir()
    (folder / "metrics.json").write_text(json.dumps({f"test/{k}": v for k, v in metrics.items()}))
    return Run(folder=folder, facts={"status": "finished", "stage": "test", "parent": run.id})


def made(run: Run, loggers: dict[str, Component]) -> dict[str, Logger]:
    """The loggers alone, as a training makes them."""
    return {
        name: make_logger(name, component, components(), folder=run.folder)
        for name, component in loggers.items()
    }


def add(run: Run, loggers: dict[str, Component], **metrics: float) -> list[events.Event]:
    """What was said when the metrics of a test were added."""
    with events.listening((said := []).append):
        adding.add(judged(run, **metrics), loggers, parent=run)
    return said


def test_experiment_14_tensorboard_files_have_all_that_csv_has_and_more(
    tiny: Path, run: Run
) -> None:
    """Metrics of each step, the final ones, the test's, and the recipe as hyper-parameters."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    from tensorboard.plugins.hparams import metadata

    report = train(tiny, run, BOARD)
    assert add(run, BOARD, accuracy=0.75) == []

    board = accumulator.EventAccumulator(str(run.folder / "logs" / "tensorboard")).Reload()
    header = (run.folder / "logs" / "metrics.csv").read_text().splitlines()[0].split(",")
    scalars = set(board.Tags()["scalars"])
    assert scalars >= set(header) - {"step"}
    best = board.Scalars("best/valid/accuracy")[-1]
    assert best.value == pytest.approx(report.best_metrics["valid/accuracy"])
    assert (best.step, board.Scalars("test/accuracy")[-1].value) == (report.best_step, 0.75)
    content = board.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    values = metadata.parse_session_start_info_plugin_data(content).hparams
    assert values["train.epochs"].number_value == 1
    assert values["train.key"].string_value == "${secret:TRACKER_KEY}"
    assert "hp_metric" not in scalars
    end = board.SummaryMetadata(metadata.SESSION_END_INFO_TAG).plugin_data.content
    assert metadata.parse_session_end_info_plugin_data(end).status


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as the logger makes it for the first training of a project: that takes seconds."""
    pytest.importorskip("mlflow")
    folder = tmp_path_factory.mktemp("first") / "runs" / "first"
    (folder.parents[1] / ".mlrecipe").mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        logger = make_logger("flow", FLOW["flow"], components(), folder=folder)
        _ = logger.experiment
        logger.finalize("success")
    return folder.parents[1] / ".mlrecipe" / "mlflow.db"


@pytest.fixture
def client(
    run: Run, database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Any]:
    """MLflow's own client of the project's database, in an empty current folder."""
    mlflow = pytest.importorskip("mlflow")
    shutil.copy(database, run.folder.parents[1] / ".mlrecipe")
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    yield lambda: mlflow.MlflowClient(f"sqlite:///{run.folder.parents[1]}/.mlrecipe/mlflow.db")
    assert list(here.iterdir()) == []


def the_run(client: Any) -> Any:
    """The only run that MLflow has."""
    (experiment,) = [e for e in client.search_experiments() if e.name == "small"]
    (found,) = client.search_runs([experiment.experiment_id])
    return found


@pytest.mark.long
def test_mlflow_has_parameters_metrics_and_the_test_of_a_run(
    tiny: Path, run: Run, client: Any
) -> None:
    """In a database of the project, never in ./mlruns, under the run's own id."""
    report = train(tiny, run, FLOW)
    assert the_run(client()).info.status == "FINISHED"
    assert add(run, FLOW, accuracy=0.75) == []

    found = the_run(client())
    assert found.info.run_name == run.id
    assert found.info.status == "FINISHED"
    assert found.data.params["train.epochs"] == "1"
    assert found.data.params["train.key"] == "${secret:TRACKER_KEY}"
    assert found.data.params["nodes.labels.mapping.very good_"] == "positive"
    assert found.data.tags["mlrecipe.group"] == "g1"
    best = report.best_metrics["valid/accuracy"]
    assert found.data.metrics["best/valid/accuracy"] == pytest.approx(best)
    assert found.data.metrics["test/accuracy"] == 0.75
    steps = [m.step for m in client().get_metric_history(found.info.run_id, "train/loss")]
    assert steps == sorted(set(steps))
    assert steps


def test_a_resumed_training_goes_on_in_the_same_run_of_mlflow(run: Run, client: Any) -> None:
    """It runs again, and parameters that are there are no error."""
    first = made(run, FLOW)
    _ = first["flow"].experiment
    first["flow"].log_hyperparams({"lr": 1, "epochs": 1})
    ids = ids_of(first)
    first["flow"].finalize("failed")
    assert the_run(client()).info.status == "FAILED"

    again = made(run, continued(FLOW, ids, step=2))
    _ = again["flow"].experiment
    assert the_run(client()).info.status == "RUNNING"
    again["flow"].log_hyperparams({"lr": 1, "epochs": 2, "more": 3})
    again["flow"].log_metrics({"loss": 0.5}, step=3)
    again["flow"].finalize("success")

    found = the_run(client())
    assert found.data.params == {"lr": "1", "epochs": "1", "more": "3"}
    assert (found.data.metrics, found.info.status) == ({"loss": 0.5}, "FINISHED")


def test_a_server_that_cannot_be_reached_stops_no_training(
    tiny: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One warning, and the training is done."""
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    away = {"flow": Component(use="MLFlowLogger", params={"tracking_uri": "http://127.0.0.1:9"})}

    with events.listening((said := []).append):
        report = train(tiny, run, away)

    warned = [e.text for e in said if isinstance(e, events.Note) and "loggers" in e.text]
    assert report.steps == 2
    assert len(warned) == 1
    assert "MLFlowLogger failed" in warned[0]
    assert not logging.getLogger("mlflow").isEnabledFor(logging.WARNING)


def test_a_resumed_training_keeps_what_a_further_csv_log_has(run: Run) -> None:
    """Lightning's empties a folder that it is given again."""
    wanted = {"more": Component(use="CSVLogger")}
    first = made(run, wanted)
    first["more"].log_metrics({"loss": 1.0}, step=1)
    ids = ids_of(first)
    first["more"].finalize("failed")

    again = made(run, continued(wanted, ids, step=1))
    again["more"].log_metrics({"loss": 0.5}, step=2)
    again["more"].finalize("success")

    files = sorted(run.folder.glob("csv/*/metrics.csv"))
    assert [path.read_text().splitlines()[1] for path in files] == ["1.0,1", "0.5,2"]
