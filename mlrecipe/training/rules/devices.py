"""What can be said against a recipe's devices and precision before any work; imports nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlrecipe.code.catalog import Catalog
from mlrecipe.errors import Problem, suggest
from mlrecipe.recipe.keys import table_at
from mlrecipe.recipe.layers import Tree
from mlrecipe.recipe.trainer import TRAINER

AUTO = "auto"
"""The precision that is chosen by a short probe."""

SHORT = {"fp16": "16-mixed", "bf16": "bf16-mixed", "fp32": "32-true", "fp64": "64-true"}
"""Short names of precisions, and Lightning's."""

_LONG = (
    "16-true", "16-mixed", "bf16-true", "bf16-mixed", "32-true", "64-true", "64", "32", "16", "bf16",
    "transformer-engine", "transformer-engine-float16",
)  # fmt: skip
IN_PIECES = "a network in pieces cannot be saved and resumed yet"
"""What is wrong with strategies that give each device a part of the network."""

_COPIES = ("ddp_spawn", "ddp_fork", "ddp_notebook")
_IN_PIECES = ("fsdp", "deepspeed")


def problems(tree: Tree, catalog: Catalog) -> list[Problem]:
    """Devices, strategies and precisions that do not exist, or not together."""
    trainer = table_at(tree.values, TRAINER)
    return [tree.problem((*TRAINER, key), message) for key, message in _mistakes(trainer)]


def _mistakes(trainer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each mistake's key and what is wrong."""
    precision, strategy = trainer.get("precision"), trainer.get("strategy")
    is_cpu = trainer.get("accelerator") == "cpu"
    if isinstance(precision, str) and precision not in (AUTO, *SHORT, *_LONG):
        yield "precision", f"no precision {precision!r}; {_nearest(precision)}"
    if is_cpu and str(precision) in ("fp16", "16", "16-mixed"):
        message = "a CPU does not train in fp16"
        yield "precision", f'{message}; use "bf16", or "auto" to have it only where it is faster'
    if isinstance(strategy, str) and strategy.startswith(_COPIES):
        message = "processes that are copies of this one cannot write one run"
        yield "strategy", f'{message}; use `strategy = "ddp"`'
    if isinstance(strategy, str) and strategy.startswith(_IN_PIECES):
        yield "strategy", f'{strategy!r}: {IN_PIECES}; use `strategy = "ddp"`'
    yield from _counts(trainer)


def _nearest(precision: str) -> str:
    """The name that was meant, else all there are: the short ones first, each once."""
    names = dict.fromkeys((AUTO, *SHORT, *_LONG))
    near = suggest(precision, names)
    return f"did you mean {near!r}?" if near else f"known: {', '.join(names)}"


def _counts(trainer: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Numbers of devices and machines."""
    devices, nodes = trainer.get("devices"), trainer.get("num_nodes")
    if type(devices) is int and (devices == 0 or devices < -1):
        yield "devices", f"{devices} is no number of devices; -1 means all"
    if trainer.get("accelerator") == "cpu" and devices == -1:
        yield "devices", "a CPU has no number of devices; say how many processes are to share it"
    if type(nodes) is int and nodes < 1:
        yield "num_nodes", f"{nodes} is not at least 1"
