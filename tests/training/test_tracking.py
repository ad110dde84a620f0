"""Trackers: told of everything, never in the way, and finished whatever happens."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pytorch_lightning.loggers import Logger
from safetensors.torch import load_file

from mlrecipe import events
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.errors import DataError, TrainingError
from mlrecipe.recipe.schema import Component
from mlrecipe.training.fit import FitReport, fit
from mlrecipe.training.tracking.continuing import continued, ids_of
from mlrecipe.training.tracking.guarded import Guarded
from mlrecipe.training.tracking.loggers import make_logger
from mlrecipe.training.tracking.parameters import nested, parameters
from tests.projects import ROOT
from tests.training.tiny import components, make_spec, make_splits

RECIPE = """
name = "small"

[train]
epochs = 1
optimizer = { use = "AdamW", lr = 2e-3 }

[train.loggers.own]
use = "Told"
key = "${secret:TRACKER_KEY}"

[task]
labels = ["negative", "positive"]
"""


def train(tiny: Path, run: Path, *kinds: type[Logger], **changes: Any) -> FitReport:
    """Train the tiny model with loggers of these classes."""
    (run / "recipe.resolved.toml").write_text(RECIPE)
    return fit(
        task=TextClassification(), model=Transformer(config=str(tiny / "config.json")),
        spec=make_spec(
            loggers={kind.__name__.lower(): Component(use=kind.__name__) for kind in kinds},
            **changes,
        ),
        seed=3, data=make_splits(train=16, valid=8), folder=run,
        components=components({kind.__name__: kind for kind in kinds}),
    )  # fmt: skip


class Told(Logger):
    """Keeps what it is told."""

    def __init__(self, *, place: str = "") -> None:
        super().__init__()
        self.place = place
        self.metrics: dict[str, float] = {}
        self.params: dict[str, Any] = {}
        self.ends: list[str] = []
        told.append(self)

    name = property(lambda self: "told")
    version = property(lambda self: "7")

    @property
    def experiment(self) -> Any:
        """What it writes to."""
        return self

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Keep them."""
        self.metrics |= metrics

    def log_hyperparams(self, params: dict[str, Any]) -> None:
        """Keep them."""
        self.params |= params

    def finalize(self, status: str) -> None:
        """Keep how it ended."""
        self.ends.append(status)


class Broken(Told):
    """Fails at the first metrics."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Fail."""
        self.metrics |= metrics
        raise ConnectionError("the server is gone\nand more")


class Unreachable(Told):
    """Cannot begin; until then it draws random numbers."""

    @property
    def experiment(self) -> Any:
        """Fail."""
        random.random()
        np.random.rand()
        raise OSError("no route to host")


class Interrupted(Told):
    """The user presses Ctrl-C while it is at work."""

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Be interrupted."""
        raise KeyboardInterrupt


told: list[Told] = []


@pytest.fixture(autouse=True)
def forget() -> None:
    """No loggers but this test's."""
    told.clear()


def test_a_tracker_is_told_the_recipe_and_the_final_metrics(tiny: Path, run: Path) -> None:
    """Flat keys as `--set` has them, secrets as references, and what `metrics.json` will say."""
    report = train(tiny, run, Told)

    (tracker,) = told
    assert tracker.params["train.optimizer.lr"] == 2e-3
    assert tracker.params["train.loggers.own.key"] == "${secret:TRACKER_KEY}"
    assert tracker.params["task.labels"] == '["negative", "positive"]'
    best = {k: v for k, v in tracker.metrics.items() if k.startswith("best/")}
    assert best == {f"best/{k}": v for k, v in report.best_metrics.items() if "valid/" in k}
    assert "best/valid/accuracy" in best
    assert tracker.ends == ["success"]


@pytest.mark.parametrize("kind", [Broken, Unreachable])
def test_a_failing_tracker_stops_nothing_and_changes_nothing(
    tiny: Path, tmp_path: Path, kind: type[Told]
) -> None:
    """One warning names it; weights and the other logger's metrics are as without it."""
    with_it, without = tmp_path / "with", tmp_path / "without"
    with_it.mkdir()
    without.mkdir()
    with events.listening((said := []).append):
        train(tiny, with_it, kind, Told)
    train(tiny, without)

    warned = [e.text for e in said if isinstance(e, events.Note) and "loggers" in e.text]
    assert len(warned) == 1
    assert f"train.loggers.{kind.__name__.lower()}: {kind.__name__} failed" in warned[0]
    assert ("the server is gone)" in warned[0]) != ("no route to host)" in warned[0])
    assert "best/valid/loss" in told[1].metrics
    assert told[0].ends == []
    weights = [
        load_file(run / "checkpoints" / "last" / "model.safetensors") for run in (with_it, without)
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[1])


def test_trackers_are_finished_when_training_is_interrupted(tiny: Path, run: Path) -> None:
    """Ctrl-C is no failure of a tracker: it goes through, and each is told that the run has ended."""
    with pytest.raises(KeyboardInterrupt):
        train(tiny, run, Told, Interrupted)

    assert [tracker.ends for tracker in told] == [["failed"], ["failed"]]


def test_a_tracker_passes_for_its_own_class_and_guards_its_own_methods() -> None:
    """Callbacks that look for a kind of logger find it, and what they call cannot stop them."""
    with events.listening((said := []).append):
        tracker = Guarded(Broken(), name="own")
        tracker.place = "here"

        assert isinstance(tracker, Broken)
        assert isinstance(tracker, Guarded)
        assert tracker.experiment.place == ""
        tracker.log_metrics({"a": 1.0})
        assert tracker.version is None
        tracker.log_metrics({"b": 1.0})

    assert told[0].metrics == {"a": 1.0}
    assert len(said) == 1


class Particular(Told):
    """Finds out late that its parameters are wrong."""

    @property
    def experiment(self) -> Any:
        """Fail."""
        raise TypeError("no parameter 'colour'")


def begin(component: Component, kind: type[Logger], run: Path) -> object:
    """What a logger of this class writes to."""
    return make_logger("own", component, lambda *_: kind, folder=run).experiment


def test_wrong_parameters_are_an_error_before_training(tiny: Path, run: Path) -> None:
    """Whether the logger tells when it is made or when it begins; the key is the recipe's."""
    for kind, params in ((Told, {"colour": 1}), (Particular, {})):
        component = Component(use="x", params=params)
        with pytest.raises(DataError) as caught:
            begin(component, kind, run)
        assert caught.value.key == "train.loggers.own"
        assert "refuses its parameters" in str(caught.value)
    with pytest.raises(DataError):
        train(tiny, run, Particular)


def test_experiment_14_trackers_are_imported_only_when_a_recipe_asks_for_them() -> None:
    """Training, and the loggers' own modules, are imported without any tracker's package."""
    names = (
        "fit",
        *(f"tracking.{n}" for n in ("adding", "mlflow_logger", "syncing", "wandb_logger")),
    )
    code = (
        f"import sys, {', '.join(f'mlrecipe.training.{name}' for name in names)}\n"
        "print(sorted({'comet_ml', 'mlflow', 'tensorboard', 'wandb'} & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_missing_package_is_an_error_that_names_the_extra(run: Path) -> None:
    """The one of the package that the logger needs."""

    def absent(**params: Any) -> Logger:
        raise ModuleNotFoundError("No module named 'wandb'")

    with pytest.raises(TrainingError, match=r"pip install 'mlrecipe\[wandb\]'"):
        make_logger("own", Component(use="WandbLogger"), lambda *_: absent, folder=run)


def test_parameters_in_tables_again(run: Path) -> None:
    """Flat and nested say the same; a run without a recipe has none."""
    assert parameters(run) == {}
    (run / "recipe.resolved.toml").write_text(RECIPE)

    flat = parameters(run)

    assert nested(flat)["train"]["optimizer"] == {"use": "AdamW", "lr": 2e-3}
    assert nested({"a": 1, "a.b": 2}) == {"a": 1, "a.b": 2}


def test_a_logger_that_takes_no_version_is_made_again_as_it_was() -> None:
    """Every logger has a version, but only some can be made with one."""
    wanted = {"mine": Component(use="Told")}

    ids = ids_of({"mine": Guarded(Told(place="a"), name="mine")})

    assert continued(wanted, ids, step=3) == wanted
