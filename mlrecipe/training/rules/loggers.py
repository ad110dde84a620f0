"""What can be said against the loggers that a recipe wants, before any work; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import Problem
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.layers import UNRESOLVED, Tree

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "CometLogger": ("comet_ml",),
    "LitLogger": ("litlogger",),
    "MLFlowLogger": ("mlflow",),
    "TensorBoardLogger": ("tensorboard", "tensorboardX"),
    "WandbLogger": ("wandb",),
}
"""What the loggers import, any of which will do."""

_EXTRAS = ("tensorboard", "wandb", "mlflow")
_ELSEWHERE = {"comet_ml": "comet-ml"}
"""Packages whose name at the registry is another."""


def advice(use: str) -> str:
    """The command that installs what a logger needs; empty where it needs nothing."""
    if use not in PACKAGES:
        return ""
    first = PACKAGES[use][0]
    name = f"'mlrecipe[{first}]'" if first in _EXTRAS else _ELSEWHERE.get(first, first)
    return f"pip install {name}"


def problems(tree: Tree, catalog: Catalog) -> list[Problem]:
    """Loggers that contradict themselves, or would write over each other."""
    tables = {
        name: table
        for name, table in table_at(tree.values, ("train", "loggers")).items()
        if isinstance(table, Mapping)
    }
    found = [*_uploads(tables), *_doubles(tables)]
    return [tree.problem(("train", "loggers", *path), message) for path, message in found]


def _uploads(tables: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Checkpoints that are to be uploaded by what may not use the network."""
    for name, table in tables.items():
        wanted = table.get("log_model", False) not in (False, UNRESOLVED)
        if table.get("use") == "WandbLogger" and wanted and table.get("offline", True) is True:
            message = (
                "nothing is uploaded while the run is kept offline; set `offline = false`, or leave this out: "
                "`mlrecipe runs sync` tells W&B of the checkpoints too"
            )
            yield (name, "log_model"), message


def _doubles(tables: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Loggers of which there can be one, or one in each folder."""
    seen: dict[tuple[str, ...], str] = {}
    for name, table in tables.items():
        use = table.get("use")
        place: tuple[str, ...] = ("W&B",)
        if use == "WandbLogger":
            message = "a run has one run at W&B, and {!r} writes it already"
        elif use == "TensorBoardLogger":
            parts = ("save_dir", "name", "version", "sub_dir")
            place = ("TensorBoard", *(str(table.get(part, "")) for part in parts))
            message = "writes to the same files as {!r}; give one of them a `name`"
        else:
            continue
        if place in seen:
            yield (name,), message.format(seen[place])
        seen.setdefault(place, name)
