"""What can be said against a recipe's batches before any work; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import DataError, Problem
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.own import is_given, is_module
from mlrecipe.recipe.schema import TrainSpec
from mlrecipe.training.batching.arithmetic import arithmetic

_NEEDS = (
    ("tokens_per_batch", "batching", "tokens"),
    ("pad_to", "batching", "fixed"),
    ("sampling_weights", "sampling", "weighted"),
)
"""Key, and the other key with the one value under which it does something."""

_SIZES = ("batch_size", "device_batch_size")
_DEFAULTS = TrainSpec()


def problems(tree: Tree, catalog: Catalog) -> list[Problem]:
    """Keys of `[train]` that say nothing together, or that contradict each other."""
    if is_module(tree.values, catalog):
        return []  # said with all that does nothing there
    train = table_at(tree.values, ("train",))
    given = [key for key in _SIZES if train.get(key) is not None and is_given(tree, ("train", key))]
    return [tree.problem(("train", key), message) for key, message in _mistakes(train, given)]


def _mistakes(train: Mapping[str, Any], given: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each mistake's key and what is wrong; `given` are the sizes that the recipe itself says."""
    for key, other, value in _NEEDS:
        if train.get(key) is not None and _value(train, other) != value:
            yield key, f"does nothing unless `{other} = {value!r}`"
    if _value(train, "batching") == "tokens":
        if train.get("tokens_per_batch") is None:
            yield "batching", "needs `tokens_per_batch`, the most tokens that a batch may take"
        for key in given:
            yield key, "does nothing with `batching = 'tokens'`, where `tokens_per_batch` holds"
        if not given and train.get("strategy") is not None:
            size = train.get("batch_size")
            message = f"'tokens' does not go with `strategy = {train['strategy']!r}`"
            yield "batching", f"{message}, whose steps are of {size} rows each"
        if train.get("compile") is True:
            message = "batches by tokens have too many shapes to compile the network for each"
            yield "compile", f"{message}; use `batching = 'bucket'`"
    else:
        yield from _uneven(train)
    if _value(train, "sampling") == "weighted" and train.get("sampling_weights") is None:
        yield "sampling", "needs `sampling_weights`, the column that holds each row's weight"


def _uneven(train: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Whether examples of a step come apart evenly, as far as the recipe says on how many devices."""
    size, limit = _value(train, "batch_size"), train.get("device_batch_size")
    devices = _devices(table_at(train, ("trainer",)))
    if not _is_number(size) or size < 1 or devices is None:
        return
    if limit is not None and (not _is_number(limit) or limit < 1):
        return
    try:
        arithmetic(size, limit, devices)
    except DataError as error:
        key = (error.key or "").removeprefix("train.")
        yield key, f"{error.message}; {error.hint}"


def _devices(trainer: Mapping[str, Any]) -> int | None:
    """Devices on all nodes, where the recipe gives a number."""
    devices, nodes = trainer.get("devices", 1), trainer.get("num_nodes", 1)
    if isinstance(devices, str) and devices.isdigit():
        devices = int(devices)
    if isinstance(devices, list):
        devices = len(devices)
    if not _is_number(devices) or not _is_number(nodes) or devices < 1 or nodes < 1:
        return None
    return int(devices * nodes)


def _value(train: Mapping[str, Any], key: str) -> Any:
    return train.get(key, getattr(_DEFAULTS, key))


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
