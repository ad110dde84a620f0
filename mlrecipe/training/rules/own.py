"""What can be said against a recipe with a user's own module before any work; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import Problem
from mlrecipe.recipe import own
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.positions import KeyPath

_ONE_DEVICE: Mapping[str, tuple[Any, ...]] = {
    "devices": (1, "1"), "num_nodes": (1,), "strategy": ("auto",),
}  # fmt: skip
_NEED_MODEL = ("gradual-unfreezing",)
"""Callbacks that know the layers of the models of [model]."""

Found = Iterator[tuple[KeyPath, str]]


def problems(tree: Tree, catalog: Catalog) -> list[Problem]:
    """Keys that do nothing with a task that is a `LightningModule`, or without one."""
    if own.task_of(tree.values, catalog) is None:
        return []  # said elsewhere
    is_module = own.is_module(tree.values, catalog)
    found = [*_useless(tree, catalog), *_impossible(tree)] if is_module else [*_alone(tree)]
    return [tree.problem(path, message) for path, message in found]


def _useless(tree: Tree, catalog: Catalog) -> Found:
    use = table_at(tree.values, ("task",)).get("use")
    for path, why in own.NOT_FOR_MODULES.items():
        if own.is_given(tree, path):
            yield path, f"does nothing with task {use!r}, a LightningModule: {why}"
    if tree.values.get("limit") is not None and not tree.values.get("nodes"):
        why = "it is for rows that nodes read; for a try set `train.trainer.limit_train_batches`"
        yield ("limit",), f"does nothing with task {use!r}, a LightningModule: {why}"
    train = table_at(tree.values, ("train",))
    if train.get("data") and not own.takes_splits(tree.values, catalog):
        message = (
            f"task {use!r} would never see it: neither the module nor [data] asks for splits; "
            'take `[data] use = "rows"`, or register one of them with `splits=True`'
        )
        yield ("train", "data"), message


def _impossible(tree: Tree) -> Found:
    trainer = table_at(tree.values, ("train", "trainer"))
    for key, fine in _ONE_DEVICE.items():
        if key in trainer and trainer[key] not in fine:
            message = "a task that is a LightningModule is trained on one device"
            yield ("train", "trainer", key), message
    if trainer.get("precision") == "auto":
        message = "only the built-in way of training can try precisions; name one"
        yield ("train", "trainer", "precision"), message
    for name, table in table_at(tree.values, ("train", "callbacks")).items():
        if isinstance(table, Mapping) and table.get("use") in _NEED_MODEL:
            message = f"{table['use']} needs a [model] that knows its layers"
            yield ("train", "callbacks", name, "use"), message


def _alone(tree: Tree) -> Found:
    if "data" in tree.values:
        use = table_at(tree.values, ("task",)).get("use")
        message = (
            f"[data] goes with a task that is a LightningModule; task {use!r} takes its rows from the "
            "node that `train.data` names"
        )
        yield ("data",), message
