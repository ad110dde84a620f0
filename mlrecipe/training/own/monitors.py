"""Monitors: whether a user's own module logs what is monitored, found out before its first step."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Collection, Iterable

import pytorch_lightning as pl

from mlrecipe.errors import DataError, did_you_mean, suggest
from mlrecipe.recipe.schema import TrainSpec

DEFAULT = TrainSpec().monitor

_VALIDATION = ("val", "valid", "validation", "dev", "eval")
"""First words of names that metrics of validation have."""

_LIBRARIES = ("pytorch_lightning", "lightning", "lightning_fabric", "torch", "builtins", "abc")
_ASKS = "sanity_checking"
"""A module that asks whether this is a trial may log less in it."""


def is_doubtful(module: pl.LightningModule, monitor: str) -> bool:
    """Whether a batch should be validated before the first step, to see what the module logs.

    Not where its code names the metric as it stands: most do, and then nothing has to be tried.
    """
    if monitor == DEFAULT:
        return False
    code = "\n".join(_sources(module))
    return bool(code) and monitor not in code and _ASKS not in code


def check(monitor: str, logged: Collection[str]) -> None:
    """Raise for a metric that validation should have logged, as its name says, and has not.

    Raises:
        DataError: it has not; the message says what it has logged.
    """
    first = _first(monitor)
    is_near = suggest(monitor, logged) is not None
    is_meant = first in _VALIDATION or first in map(_first, logged)
    if monitor in logged or not logged or first == "train" or not (is_near or is_meant):
        return  # what training logs is known after an epoch
    raise missing(monitor, logged, where="in validation it logs")


def missing(monitor: str, logged: Iterable[str], *, where: str = "it logs") -> DataError:
    """That the module does not log what is monitored, and what it logs."""
    names = sorted(logged)
    near = did_you_mean(monitor, names)
    return DataError(
        f"the module logs no metric {monitor!r}; {where} {', '.join(names) or 'nothing'}",
        key="train.monitor", hint=near if near.startswith("did") else None,
    )  # fmt: skip


def _first(name: str) -> str:
    return re.split(r"[/_.-]", name.lower(), maxsplit=1)[0]


def _sources(module: pl.LightningModule) -> Iterable[str]:
    """The files that the module's class and the classes under it are written in."""
    names = dict.fromkeys(kind.__module__ for kind in type(module).__mro__)
    for name in names:
        if name.partition(".")[0] in _LIBRARIES:
            continue
        try:
            yield inspect.getsource(sys.modules[name])
        except (KeyError, OSError, TypeError):
            continue
