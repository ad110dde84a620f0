"""Loggers from the recipe: the CSV log that is always there, and others beside it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from pytorch_lightning import loggers
from pytorch_lightning.loggers import Logger

from mlrecipe.builtin.catalog import LOGGERS
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.recipe.schema import Component
from mlrecipe.training.fit import fit
from tests.training.tiny import components, make_spec, make_splits


def train(tiny: Path, run: Path, *, extra: dict[str, Any] | None = None, **changes: Any) -> None:
    """Train the tiny model."""
    fit(
        task=TextClassification(), model=Transformer(config=str(tiny / "config.json")),
        spec=make_spec(**changes), seed=3, data=make_splits(), folder=run,
        components=components(extra),
    )  # fmt: skip


class Memory(Logger):
    """Keeps what it is told."""

    def __init__(self, *, save_dir: str, project: str = "") -> None:
        super().__init__()
        self.place, self.project = save_dir, project
        self.metrics: list[dict[str, float]] = []
        made.append(self)

    @property
    def name(self) -> str:
        """Of the project."""
        return self.project

    @property
    def version(self) -> str:
        """Always the same."""
        return "0"

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Keep them."""
        self.metrics.append(metrics)

    def log_hyperparams(self, *args: Any, **kwargs: Any) -> None:
        """Nothing of ours."""


made: list[Memory] = []


def test_any_logger_class_gets_every_metric_and_the_runs_folder(tiny: Path, run: Path) -> None:
    """One of a plugin is told the same as the CSV log, and given the folder if it takes one."""
    made.clear()
    train(tiny, run, extra={"Memory": Memory},
          loggers={"mine": Component(use="Memory", params={"project": "p"})})  # fmt: skip

    (memory,) = made
    names = {name for metrics in memory.metrics for name in metrics}
    header = (run / "logs" / "metrics.csv").read_text().splitlines()[0].split(",")
    assert names >= {"train/loss", "valid/loss", "valid/accuracy"}
    assert names | {"step", "epoch"} >= set(header)
    assert (str(memory.place), memory.project) == (str(run), "p")


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="tensorboard is not installed")
def test_tensorboard_writes_into_the_run(tiny: Path, run: Path) -> None:
    """Its file is there beside the CSV log."""
    train(tiny, run, loggers={"board": Component(use="TensorBoardLogger")})

    assert list(run.glob("logs/tensorboard/events.out.tfevents.*"))
    assert (run / "logs" / "metrics.csv").is_file()


def test_every_logger_of_lightning_is_in_the_catalog() -> None:
    """New ones of another version are seen here."""
    assert {name for name in loggers.__all__ if name != "Logger"} == set(LOGGERS)
