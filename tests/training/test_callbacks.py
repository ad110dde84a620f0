"""What passes from the recipe to Lightning: the Trainer's arguments, and those of any callback."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import tomli_w
import torch
from pytorch_lightning import callbacks, profilers

from mlrecipe.builtin.catalog import CALLBACKS
from mlrecipe.builtin.models.transformer import Transformer
from mlrecipe.builtin.tasks.text_classification import TextClassification
from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import RecipeError
from mlrecipe.events import Note
from mlrecipe.pipeline.request import open_request
from mlrecipe.recipe.schema import Component
from mlrecipe.recipe.trainer import OWN_TRAINER_KEYS
from mlrecipe.training.checks import problems
from mlrecipe.training.fit import FitReport, fit
from mlrecipe.training.trainer import make_trainer
from tests.training.tiny import components, make_spec, make_splits

TRAINER: dict[str, tuple[Any, Any]] = {
    "accelerator": ("cpu", lambda t, _: type(t.accelerator).__name__ == "CPUAccelerator"),
    "strategy": ("auto", lambda t, _: type(t.strategy).__name__ == "SingleDeviceStrategy"),
    "devices": (1, lambda t, v: t.num_devices == v),
    "num_nodes": (1, lambda t, v: t.num_nodes == v),
    "precision": ("bf16-mixed", lambda t, v: t.precision == v),
    "limit_train_batches": (3, lambda t, v: t.limit_train_batches == v),
    "limit_val_batches": (0.5, lambda t, v: t.limit_val_batches == v),
    "overfit_batches": (2, lambda t, v: t.overfit_batches == v),
    "log_every_n_steps": (7, lambda t, v: t.log_every_n_steps == v),
    "min_epochs": (2, lambda t, v: t.min_epochs == v),
    "min_steps": (5, lambda t, v: t.min_steps == v),
    "gradient_clip_val": (0.25, lambda t, v: t.gradient_clip_val == v),
    "gradient_clip_algorithm": ("value", lambda t, v: str(t.gradient_clip_algorithm.value) == v),
    "deterministic": ("warn", lambda t, _: torch.is_deterministic_algorithms_warn_only_enabled()),
    "benchmark": (True, lambda t, v: torch.backends.cudnn.benchmark == v),
    "profiler": ("simple", lambda t, _: isinstance(t.profiler, profilers.SimpleProfiler)),
    "detect_anomaly": (True, lambda t, v: t._detect_anomaly == v),
    "plugins": ([{"use": "LightningEnvironment"}], lambda t, _: True),
    "sync_batchnorm": (True, lambda t, _: t._accelerator_connector._layer_sync is not None),
    "reload_dataloaders_every_n_epochs": (2, lambda t, v: t.reload_dataloaders_every_n_epochs == v),
    "model_registry": ("mine/encoder", lambda t, v: t._model_registry == v),
}  # fmt: skip
"""Argument → a value that a recipe can write, and whether the Trainer has it."""

PLUGIN = '''
import mlrecipe
from pytorch_lightning.callbacks import TQDMProgressBar


@mlrecipe.callback("bar")
class Bar(TQDMProgressBar):
    """A bar."""


@mlrecipe.op("some-rows")
def some_rows():
    """Rows of which nothing is known before."""
'''
RECIPE = """
name = "small"
plugins = ["mine.py"]
[nodes.rows]
use = "some-rows"
[model]
use = "transformer"
config = "config.json"
[task]
use = "text-classification"
[train]
data = "rows"
"""


def train(
    tiny: Path, run: Path, *, extra: dict[str, Any] | None = None, **changes: Any
) -> FitReport:
    """Train the tiny model."""
    return fit(
        task=TextClassification(), model=Transformer(config=str(tiny / "config.json")),
        spec=make_spec(**changes), seed=3, data=make_splits(), folder=run,
        components=components(extra),
    )  # fmt: skip


@pytest.fixture
def project(project: Path) -> Path:
    """A project with a recipe that trains, though not on anything."""
    (project / "config.json").write_text("{}")
    (project / "mine.py").write_text(PLUGIN)
    (project / "recipe.toml").write_text(RECIPE)
    return project


@pytest.fixture
def not_deterministic() -> Any:
    """Takes back what `deterministic` sets for the whole process."""
    yield
    torch.use_deterministic_algorithms(False)
    torch.set_deterministic_debug_mode("default")
    torch.backends.cudnn.benchmark = False


def test_experiment_12_every_argument_of_the_trainer_is_ours_or_passes() -> None:
    """None that this version of Lightning has is left out of the next test."""
    known = set(inspect.signature(pl.Trainer.__init__).parameters) - {"self"}

    assert known == set(TRAINER) | set(OWN_TRAINER_KEYS)
    assert not set(TRAINER) & set(OWN_TRAINER_KEYS)


@pytest.mark.parametrize("name", TRAINER)
def test_experiment_12_an_argument_of_the_trainer_passes(
    project: Path, name: str, not_deterministic: None
) -> None:
    """`check` takes it from a recipe, and the Trainer has it."""
    value, has = TRAINER[name]
    text = tomli_w.dumps({"train": {"trainer": {name: value}}})
    (project / "more.toml").write_text(f'name = "more"\nextends = ["recipe.toml"]\n{text}')

    request = open_request(project / "more.toml", here=project)
    trainer = request.loaded.recipe.train.trainer

    found = [p for p in problems(request.tree, request.catalog) if "trainer" in p.key]
    assert found == []
    assert has(make_trainer(folder=project, callbacks=[], loggers=[], **trainer), value)


def test_experiment_12_what_is_ours_says_what_to_do(project: Path) -> None:
    """A refused argument names the key to use, or the reason."""
    for name, reason in OWN_TRAINER_KEYS.items():
        sets = [f"train.trainer.{name}=1"]
        request = open_request(project / "recipe.toml", sets, here=project)
        found = [p.message for p in problems(request.tree, request.catalog) if name in p.key]
        assert any(reason in message for message in found), name


@pytest.mark.parametrize(
    ("kind", "left_out"),
    [
        # Their messages: what a verbose one says goes through mlrecipe's own; a checkpoint is seen in its file.
        ("EarlyStopping", {"log_rank_zero_only"}),
        ("ModelCheckpoint", {"verbose"}),
    ],
)
def test_experiment_12_every_argument_for_stopping_and_keeping_can_be_set(
    kind: str, left_out: set[str]
) -> None:
    """What Lightning's own class takes, a recipe may say."""
    found = Catalog().find("callback", kind)
    theirs = set(inspect.signature(getattr(callbacks, kind).__init__).parameters) - {"self"}

    assert found is not None
    assert theirs - set(found.signature.params) == left_out


def test_experiment_12_arguments_for_stopping_and_keeping_arrive(tiny: Path, run: Path) -> None:
    """All of them are there in the callbacks that training has."""
    stop = {"monitor": "valid/accuracy", "mode": "max", "patience": 9, "min_delta": 0.5, "strict": False,
            "check_finite": False, "stopping_threshold": 2.0, "divergence_threshold": -1.0,
            "check_on_train_epoch_end": True, "verbose": True}  # fmt: skip
    keep = {"filename": "{epoch}-{step}", "monitor": "valid/accuracy", "save_last": True, "save_top_k": -1,
            "save_weights_only": True, "save_on_exception": True, "every_n_epochs": 1,
            "save_on_train_epoch_end": True, "auto_insert_metric_name": False,
            "enable_version_counter": False}  # fmt: skip
    seen: list[pl.Callback] = []

    class Look(pl.Callback):
        def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            seen.extend(trainer.callbacks)

    train(tiny, run, extra={"Look": Look}, callbacks={
        "stop": Component(use="EarlyStopping", params=stop),
        "keep": Component(use="ModelCheckpoint", params=keep),
        "look": Component(use="Look"),
    })  # fmt: skip

    (stopping,) = [c for c in seen if isinstance(c, callbacks.EarlyStopping)]
    (keeping,) = [c for c in seen if isinstance(c, callbacks.ModelCheckpoint)]
    for name, value in stop.items():
        found = {
            "min_delta": "min_delta",
            "check_on_train_epoch_end": "_check_on_train_epoch_end",
        }.get(name, name)
        assert getattr(stopping, found) == value, name
    others = {"every_n_epochs": "_every_n_epochs", "save_on_train_epoch_end": "_save_on_train_epoch_end",
              "enable_version_counter": "_enable_version_counter"}  # fmt: skip
    for name, value in keep.items():
        assert getattr(keeping, others.get(name, name)) == value, name
    assert keeping.mode == "max"  # by the metric's name
    names = sorted(path.name for path in (run / "checkpoints" / "lightning").iterdir())
    assert names == ["0-8.ckpt", "last.ckpt"]


def test_a_verbose_early_stopping_says_what_it_saw(tiny: Path, run: Path, heard: list[Any]) -> None:
    """Through mlrecipe's events, not as a line of its own."""
    params = {"verbose": True}

    train(tiny, run, callbacks={"stop": Component(use="EarlyStopping", params=params)})

    assert any("Metric valid/loss improved" in e.text for e in heard if isinstance(e, Note))


def test_a_profile_lies_in_the_run(tiny: Path, run: Path) -> None:
    """A profiler that is given by its name writes a file, for by itself it would print."""
    train(tiny, run, trainer={"accelerator": "cpu", "profiler": "simple"})

    (path,) = (run / "logs").glob("*profile*")
    assert "run_training_batch" in path.read_text()


def test_a_callback_of_lightning_that_the_catalog_lacks_has_a_reason() -> None:
    """New ones of another version are seen here."""
    theirs = {
        name for name, kind in vars(callbacks).items()
        if isinstance(kind, type) and issubclass(kind, callbacks.Callback)
    }  # fmt: skip
    reasons = {
        "Callback": "a base", "Checkpoint": "a base", "BaseFinetuning": "a base", "ProgressBar": "a base",
        "BasePredictionWriter": "a base", "LambdaCallback": "needs functions",
        "ThroughputMonitor": "needs a function", "ModelSummary": "prints", "RichModelSummary": "prints",
        "RichProgressBar": "prints", "TQDMProgressBar": "prints", "LearningRateFinder": "mlrecipe find lr",
        "BatchSizeFinder": "mlrecipe find batch-size",
        "GradientAccumulationScheduler": "steps of changing size have no schedule: Lightning cannot count them",
    }  # fmt: skip

    assert theirs - set(CALLBACKS) == set(reasons)


def test_a_callback_of_a_package_is_used_through_a_plugin(project: Path) -> None:
    """Two lines of a plugin declare a class of any package; a name alone is refused, whatever it is."""

    def uses(name: str) -> list[str]:
        sets = [f'train.callbacks.x={{ use = "{name}", refresh_rate = 5 }}']
        try:
            open_request(project / "recipe.toml", sets, here=project)
        except RecipeError as error:
            return str(error).splitlines()
        return []

    assert uses("bar") == []
    assert "unknown callback" in uses("pytorch_lightning.callbacks:TQDMProgressBar")[0]


def test_glue_29_a_schedule_and_an_optimizer_of_a_plugin_with_hooks_of_every_stage(
    tiny: Path, run: Path
) -> None:
    """The schedule is told the real number of steps; the callback hears of train, epoch and validation."""
    told: list[int] = []
    hooks: list[str] = []

    class Plain(torch.optim.SGD):
        """An optimizer of one's own."""

    def drop(optimizer: torch.optim.Optimizer, steps: int, *, factor: float) -> Any:
        told.append(steps)
        half = lambda step: 1.0 if step < steps // 2 else factor  # noqa: E731
        return torch.optim.lr_scheduler.LambdaLR(optimizer, half)

    class Hear(pl.Callback):
        def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            hooks.append("train")

        def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            hooks.append("epoch")

        def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            hooks.append("valid")

        def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
            rates.append(trainer.optimizers[0].param_groups[0]["lr"])

    rates: list[float] = []
    train(
        tiny, run, epochs=2, extra={"Plain": Plain, "drop": drop, "Hear": Hear},
        optimizer=Component(use="Plain", params={"lr": 0.5}),
        scheduler=Component(use="drop", params={"factor": 0.1}),
        callbacks={"hear": Component(use="Hear")},
    )  # fmt: skip

    assert told[-1] == 16
    assert hooks == ["train", "valid", "epoch", "valid", "epoch"]
    assert rates[6] == 0.5
    assert rates[-1] == pytest.approx(0.05)
