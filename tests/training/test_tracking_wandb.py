"""Weights & Biases without its server: what is kept in the run, and what can be sent of it."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytorch_lightning.loggers import Logger

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.cli import app
from mlrecipe.errors import DataError
from mlrecipe.recipe.deferred import Deferred
from mlrecipe.recipe.schema import Component
from mlrecipe.runs.run import Run
from mlrecipe.training.fit import FitReport, fit
from mlrecipe.training.tracking import adding, syncing
from mlrecipe.training.tracking.continuing import continued, ids_of
from mlrecipe.training.tracking.loggers import make_logger
from tests.projects import Done
from tests.training.tiny import components, make_spec, make_splits
from tests.training.wandb_files import read

wandb = pytest.importorskip("wandb")

ID = "20261122T101500Z-small-train-3f9c"
RECIPE = """
name = "small"

[train]
epochs = 1
key = "${secret:TRACKER_KEY}"
optimizer = { use = "AdamW", lr = 2e-3 }
"""
LOGGERS = {"wandb": Component(use="WandbLogger", params={"notes": "for a test"})}


@pytest.fixture
def run(project: Path) -> Run:
    """A train run of a project that says who it is, as `mlrecipe train` makes it."""
    folder = project / "runs" / ID
    folder.mkdir(parents=True)
    (folder / "recipe.resolved.toml").write_text(RECIPE)
    facts = {"id": ID, "name": "small", "stage": "train", "status": "finished",
             "recipe": "small.toml", "tags": ["first"], "group": "g1"}  # fmt: skip
    made = Run(folder=folder, facts=facts)
    made.write("run.json", facts)
    return made


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What any process, W&B's own too, asks of the network: all of it goes to a proxy that refuses."""
    found: list[str] = []
    server = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                found.append(connection.recv(200).partition(b"\r\n")[0].decode())

    threading.Thread(target=refuse, daemon=True).start()
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{server.getsockname()[1]}")
    yield found
    server.close()


def train(tiny: Path, run: Run) -> FitReport:
    """Train the tiny model on few rows."""
    return fit(
        task=TextClassification(), model=Transformer(config=str(tiny / "config.json")),
        spec=make_spec(loggers=LOGGERS), seed=3, data=make_splits(train=16, valid=8),
        folder=run.folder, components=components(),
    )  # fmt: skip


def made(run: Run, loggers: dict[str, Component]) -> Logger:
    """The logger alone, as a training makes and begins it."""
    found = make_logger("wandb", loggers["wandb"], components(), folder=run.folder)
    _ = found.experiment
    return found


def parts(run: Run) -> list[Path]:
    """What W&B has kept, oldest first."""
    return sorted((run.folder / "wandb").glob("offline-run-*/*.wandb"))


@pytest.fixture
def cli(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    """Runs a command in the project; the user is not logged in."""
    monkeypatch.chdir(run.folder.parents[1])
    monkeypatch.setenv("HOME", str(run.folder))
    monkeypatch.setenv("NETRC", str(run.folder / "netrc"))
    monkeypatch.delenv("WANDB_API_KEY", raising=False)

    def call(*arguments: str) -> Done:
        code = app.run(list(arguments))
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


def test_recipe_50_and_experiment_14_an_offline_run_of_wandb_is_whole_and_needs_no_network(
    tiny: Path, run: Run, calls: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Recipe, metrics, best and test metrics are in its files, in the run directory and nowhere else."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    before = dict(os.environ)

    report = train(tiny, run)
    test = Run(folder=run.folder.with_name("test"), facts={"status": "finished"})
    test.folder.mkdir()
    (test.folder / "metrics.json").write_text(json.dumps({"test/accuracy": 0.75}))
    with events.listening((said := []).append):
        adding.add(test, LOGGERS, parent=run)

    first, second = (read(part) for part in parts(run))
    assert (first.id, first.name, first.project, first.group) == (ID, ID, "project", "g1")
    assert first.tags == ["first"]
    assert first.config["train"]["optimizer"]["lr"] == 2e-3
    assert first.config["train"]["key"] == "${secret:TRACKER_KEY}"
    header = (run.folder / "logs" / "metrics.csv").read_text().splitlines()[0].split(",")
    logged = {name for row in first.history for name in row}
    assert logged >= set(header) - {"step"}
    steps = [row["_step"] for row in first.history]
    assert steps == sorted(set(steps))
    best = report.best_metrics["valid/accuracy"]
    assert first.summary["best/valid/accuracy"] == pytest.approx(best)
    assert (second.id, second.summary["test/accuracy"]) == (ID, 0.75)
    assert (first.exit_code, second.exit_code) == (0, 0)
    assert said == []
    assert calls == []
    assert not (tmp_path / "home").exists()
    changed = {name for name in os.environ if os.environ[name] != before.get(name)}
    ours = {name for name in changed if name.startswith("WANDB")}
    assert ours <= {"WANDB_SERVICE", "WANDB_ERROR_REPORTING"}  # W&B's own, for its next run


def test_a_resumed_training_goes_on_in_the_same_run_of_wandb(run: Run, calls: list[str]) -> None:
    """Its second part has the same id and later steps; the first says that it failed."""
    first = made(run, LOGGERS)
    first.log_metrics({"loss": 2.0}, step=1)
    ids = ids_of({"wandb": first})
    first.finalize("failed")

    again = made(run, continued(LOGGERS, ids, step=1))
    again.log_metrics({"loss": 1.0}, step=2)
    again.finalize("success")

    contents = [read(part) for part in parts(run)]
    assert [content.id for content in contents] == [ID, ID]
    assert [content.project for content in contents] == ["project", "project"]
    assert [[row["_step"] for row in content.history] for content in contents] == [[1], [2]]
    assert [content.exit_code for content in contents] == [1, 0]
    assert calls == []


def test_without_a_login_online_tracking_is_an_error_and_no_question(
    cli: Callable[..., Done], run: Run
) -> None:
    """The error says what to do, and where."""
    online = Component(use="WandbLogger", params={"offline": False})

    with pytest.raises(DataError, match="not logged in to W&B") as caught:
        make_logger("wandb", online, components(), folder=run.folder)

    assert caught.value.key == "train.loggers.wandb.offline"


def test_a_setting_that_wandb_does_not_have_is_an_error(run: Run) -> None:
    """With the nearest that it has; secrets may be among them."""
    wrong = {"wandb": Component(use="WandbLogger", params={"note": Deferred("x"), "job_typ": "a"})}

    with pytest.raises(DataError, match="did you mean"):
        made(run, wrong)


@pytest.fixture
def sent(run: Run) -> Path:
    """The file that W&B keeps of the run, as if a training had written it."""
    part = run.folder / "wandb" / f"offline-run-20261122_101500-{ID}" / f"run-{ID}.wandb"
    part.parent.mkdir(parents=True)
    part.write_bytes(b":W&B")
    run.write("trackers.json", {"wandb": {"use": "WandbLogger", "id": ID, "project": "project"}})
    return part


def test_sync_says_what_it_would_send_and_what_it_has_sent(
    cli: Callable[..., Done], sent: Path
) -> None:
    """`--dry-run` needs neither login nor network."""
    before = cli("runs", "sync", "3f9c", "--dry-run")
    (facts,) = json.loads(cli("runs", "sync", "3f9c", "--dry-run", "--json").out)
    sent.with_name(f"{sent.name}.synced").touch()
    after = cli("runs", "sync", "3f9c", "--dry-run")

    assert (before.code, after.code) == (0, 0)
    assert before.out.endswith(f"run-{ID}.wandb: would be sent\n")
    assert after.out.endswith(f"run-{ID}.wandb: was sent\n")
    assert (facts["sent"], facts["unsent"]) == ([], [f"{sent.parent.name}/{sent.name}"])


def test_sync_of_a_run_without_wandb_is_a_wrong_request(cli: Callable[..., Done]) -> None:
    """The error shows what the recipe lacks."""
    done = cli("runs", "sync", ID)

    assert done.code == 2
    assert 'use = "WandbLogger"' in done.err


def test_sync_without_a_login_or_without_a_network_is_a_clear_error(
    cli: Callable[..., Done], sent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, and nothing is lost."""
    login = cli("runs", "sync", ID)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    wandb.teardown()
    network = cli("runs", "sync", ID)

    assert (login.code, network.code) == (2, 1)
    assert "WANDB_API_KEY" in login.err
    assert "cannot be reached at http://127.0.0.1:9" in network.err
    assert "try again" in network.err
    assert sent.exists()


def test_what_a_run_was_made_from_and_what_it_made_are_artifacts_by_reference(
    run: Run, calls: list[str]
) -> None:
    """Digests name the data; files are named where they are, and none is copied."""
    best = run.folder / "checkpoints" / "best"
    best.mkdir(parents=True)
    (best / "model.safetensors").write_bytes(b"weights")
    run.write("inputs.json", {"tokens": {"op": "tokenize", "fingerprint": "f", "digest": "d1"}})
    files = {"path": "checkpoints/best", "sha256": {"model.safetensors": "s"}}
    run.write("outputs.json", {"best": files})

    (data,) = syncing.inputs(run)
    (model,) = syncing.outputs(run)

    assert (data.name, data.type, data.metadata["op"]) == ("tokens", "dataset", "tokenize")
    (entry,) = data.manifest.entries.values()
    assert entry.ref == "mlrecipe://store/d1"
    assert (model.name, model.type) == ("small-best", "model")
    entry = model.manifest.entries["model.safetensors"]
    assert entry.ref == (best / "model.safetensors").resolve().as_uri()
    assert calls == []
