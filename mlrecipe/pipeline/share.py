"""Shares: how many cores there are, and how workers are told how many of them are theirs."""

from __future__ import annotations

import os

THREADS = (
    "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS", "RAYON_NUM_THREADS",
)  # fmt: skip
"""Variables by which libraries know how many threads to start; workers share the cores out."""


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def environment(threads: int) -> dict[str, str]:
    """The variables that have a worker's libraries start so many threads, but those that the user has set."""
    return {name: str(threads) for name in THREADS if name not in os.environ}
