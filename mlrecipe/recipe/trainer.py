"""The table `[train.trainer]`: what of Lightning's Trainer a recipe sets, and what mlrecipe sets itself."""

from __future__ import annotations

from mlrecipe.code.catalog import Catalog
from mlrecipe.code.signatures import Parameter
from mlrecipe.recipe.positions import KeyPath

TRAINER: KeyPath = ("train", "trainer")
"""Where the table is."""

OWN_TRAINER_KEYS = {
    "max_epochs": "set `train.epochs`",
    "max_steps": "set `train.max_steps`",
    "accumulate_grad_batches": "set `train.batch_size` and `train.device_batch_size`",
    "max_time": "add a callback of class Timer",
    "val_check_interval": "set `train.validate_every`",
    "check_val_every_n_epoch": "set `train.validate_every`",
    "num_sanity_val_steps": "validation before the first step would count into the metrics",
    "logger": "use `train.loggers`",
    "callbacks": "use `train.callbacks`",
    "enable_checkpointing": "best and last checkpoint are always kept",
    "enable_progress_bar": "progress is drawn by mlrecipe; use --quiet to silence it",
    "enable_model_summary": "the model's size is said when training starts",
    "default_root_dir": "a run's files are always in its run directory",
    "use_distributed_sampler": "batches are shared among processes by mlrecipe itself",
    "inference_mode": "mlrecipe decides it for each stage",
    "fast_dev_run": "use --fast-dev-run",
    "enable_autolog_hparams": "the run directory holds the resolved recipe",
    "limit_test_batches": "a test counts every row; for a try set `limit`",
    "limit_predict_batches": "predicting takes every row; for a try set `limit`",
    "barebones": "a run always has its log and its checkpoints",
}
"""Arguments of Lightning's Trainer that mlrecipe sets itself, and what to do instead."""

FOR_MODULES = ("accumulate_grad_batches", "inference_mode")
"""Those of them that a recipe sets where the task is a `LightningModule`."""


def trainer_parameters(catalog: Catalog) -> dict[str, Parameter]:
    """The arguments of Lightning's Trainer that a recipe may set; none where Lightning is not installed."""
    found = catalog.trainer().params
    return {name: parameter for name, parameter in found.items() if name not in OWN_TRAINER_KEYS}
