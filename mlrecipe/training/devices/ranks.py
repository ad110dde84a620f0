"""Ranks: which process of a job this one is, by what its launcher says; imports nothing heavy."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

JOB = "MLRECIPE_JOB"
"""Variable with the address of the job's store, `host:port`, for processes that mlrecipe starts itself."""

ORDERS = "MLRECIPE_ORDERS"
"""Variable with the number of orders that were told before such a process was started."""

_INTERACTIVE = ("bash", "interactive")
"""Names of SLURM jobs in which Lightning, too, takes nothing as launched by SLURM."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """This process among those that something else than this process has started."""

    launcher: str
    """Who started it: `mlrecipe`, `torchrun`, `slurm` or `environment` (variables set by hand)."""

    name: str
    """The process's number in the whole job, as far as the launcher tells: for messages."""

    is_first: bool
    """Whether it leads: it prepares, creates runs and writes; the others do as it tells."""

    world_size: int | None
    """Processes of the whole job; None where only the recipe knows."""


def own(environ: Mapping[str, str] | None = None) -> Rank | None:
    """What the environment says of this process; None when it is alone, so far."""
    environ = os.environ if environ is None else environ
    if JOB in environ:
        number = _number(environ, "NODE_RANK"), _number(environ, "LOCAL_RANK")
        name = str(number[1]) if not number[0] else f"{number[1]} of node {number[0]}"
        return Rank(launcher="mlrecipe", name=name, is_first=False, world_size=None)
    if "TORCHELASTIC_RUN_ID" in environ:
        return _numbered("torchrun", environ, rank="RANK", world="WORLD_SIZE")
    if _number(environ, "SLURM_NTASKS", 1) > 1 and _is_task(environ):
        return _numbered("slurm", environ, rank="SLURM_PROCID", world="SLURM_NTASKS")
    return _by_hand(environ)


def is_follower(environ: Mapping[str, str] | None = None) -> bool:
    """Whether another process of the job leads."""
    rank = own(environ)
    return rank is not None and not rank.is_first


def _is_task(environ: Mapping[str, str]) -> bool:
    return "SLURM_PROCID" in environ and environ.get("SLURM_JOB_NAME") not in _INTERACTIVE


def _by_hand(environ: Mapping[str, str]) -> Rank | None:
    """Lightning's own variables: one process a device, or one a node that starts the node's others."""
    node = _number(environ, "NODE_RANK", _number(environ, "GROUP_RANK"))
    local = _number(environ, "LOCAL_RANK")
    world = _number(environ, "WORLD_SIZE", 1)
    if "MASTER_ADDR" not in environ or not (node or local or world > 1):
        return None
    name = str(local) if not node else f"{local} of node {node}"
    known = world if "LOCAL_RANK" in environ and world > 1 else None
    return Rank(launcher="environment", name=name, is_first=not node and not local,
                world_size=known)  # fmt: skip


def _numbered(launcher: str, environ: Mapping[str, str], *, rank: str, world: str) -> Rank | None:
    number, size = _number(environ, rank), _number(environ, world, 1)
    if size < 2:
        return None
    return Rank(launcher=launcher, name=str(number), is_first=number == 0, world_size=size)


def _number(environ: Mapping[str, str], name: str, default: int = 0) -> int:
    text = environ.get(name, "")
    return int(text) if text.isdigit() else default
