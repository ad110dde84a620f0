"""Own modules: recipes whose task is a `LightningModule`, and what of a recipe does not apply to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mlrecipe.code.catalog import Catalog, Found
from mlrecipe.code.signatures import LIGHTNING, Parameter
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.positions import KeyPath

_ITSELF = "the module does it itself"
_LOADERS = "the loaders of the module or of [data] decide it"
_SPLITS = "the loaders of the module or of [data] choose the rows"

NOT_FOR_MODULES: Mapping[KeyPath, str] = {
    ("model",): "the module builds its own network",
    ("train", "optimizer"): "the module's `configure_optimizers` makes its optimizers",
    ("train", "scheduler"): "the module's `configure_optimizers` makes its schedules",
    ("train", "layer_decay"): "the module's `configure_optimizers` sets its rates",
    ("train", "lr_by_name"): "the module's `configure_optimizers` sets its rates",
    ("train", "strategy"): "it sets what the module sets itself",
    ("train", "compile"): "call `torch.compile` in the module",
    ("train", "cache_frozen"): _ITSELF,
    ("train", "folds"): _SPLITS,
    ("train", "fold"): _SPLITS,
    ("train", "train_split"): _SPLITS,
    ("train", "valid_split"): _SPLITS,
    **{("train", key): _LOADERS for key in (
        "batch_size", "device_batch_size", "parts", "eval_batch_size", "batching", "tokens_per_batch", "pad_to",
        "sampling", "sampling_weights",
    )},
    ("test", "data"): _SPLITS,
    ("test", "split"): _SPLITS,
    ("test", "batch_size"): _LOADERS,
    ("test", "keep"): "the test of a module keeps no predictions",
    ("evaluate", "nodes"): "the test of a module keeps no predictions",
}  # fmt: skip
"""Keys that say nothing where the task is a `LightningModule`, and why."""

_DEFAULTED: tuple[KeyPath, ...] = (("train", "optimizer"), ("train", "scheduler"))


def is_module(values: Mapping[str, Any], catalog: Catalog) -> bool:
    """Whether the task of a recipe of these values is a `LightningModule`."""
    found = task_of(values, catalog)
    return found is not None and bool(found.signature.options.get(LIGHTNING))


def task_of(values: Mapping[str, Any], catalog: Catalog) -> Found | None:
    """The recipe's task, where it is known."""
    use = table_at(values, ("task",)).get("use")
    return catalog.find("task", use) if isinstance(use, str) else None


def takes_splits(values: Mapping[str, Any], catalog: Catalog) -> bool:
    """Whether the module, or the data module beside it, wants what the recipe prepares."""
    use = table_at(values, ("data",)).get("use")
    data = catalog.find("datamodule", use) if isinstance(use, str) else None
    found = [data, task_of(values, catalog)]
    return any(each is not None and each.signature.options.get("splits") is True for each in found)


def applicable(
    path: KeyPath, params: Mapping[str, Parameter], values: Mapping[str, Any], catalog: Catalog
) -> dict[str, Parameter]:
    """Those of a table's keys that say something in a recipe of these values."""
    if not is_module(values, catalog):
        return dict(params)
    return {name: p for name, p in params.items() if (*path, name) not in NOT_FOR_MODULES}


def drop_defaults(tree: Tree, catalog: Catalog) -> None:
    """Take out of a module's recipe what holds by default for other tasks, and would be of no use."""
    train = tree.values.get("train")
    if not isinstance(train, dict) or not is_module(tree.values, catalog):
        return
    for path in _DEFAULTED:
        if not is_given(tree, path):
            train.pop(path[-1], None)
    trainer = train.get("trainer")
    if isinstance(trainer, dict):
        for key in [k for k in trainer if not is_given(tree, ("train", "trainer", k))]:
            del trainer[key]


def is_given(tree: Tree, path: KeyPath) -> bool:
    """Whether a file or the command line says something at `path` or below."""
    return any(
        known[: len(path)] == path and layer.name.partition(" ")[0] not in ("default", "strategy")
        for known, layer in tree.sources.items()
    )
