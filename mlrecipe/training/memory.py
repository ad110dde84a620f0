"""Memory: what is in use, and what is left to be taken."""

from __future__ import annotations

import contextlib
import os
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

MARGIN = 0.15
"""Share of the memory that steps may not take: other things need some, too."""


def memory(device: torch.device) -> int:
    """Bytes in use: of a GPU's memory by torch, else of the machine's by this process."""
    if device.type == "cuda":
        return int(torch.cuda.memory_reserved(device))
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):  # not Linux: the most there was
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return pages * os.sysconf("SC_PAGE_SIZE")


class Room:
    """The memory that steps may take: a GPU's, or what the machine or the control group has left."""

    def __init__(
        self, before: int, budget: int, peak: Callable[[], int], reset: Callable[[], None]
    ) -> None:
        self.before = before
        self.budget = budget
        self._peak = peak
        self._reset = reset

    def has(self, wanted: int) -> bool:
        """Whether there are so many bytes."""
        return wanted <= self.budget

    def measure(self, work: Callable[[], Any]) -> int:
        """Bytes in use at the most while the work is done."""
        self._reset()
        work()
        return self._peak()


def room_on(device: torch.device) -> Room:
    """What steps may take on a device."""
    if device.type == "cuda":
        total = torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
        return Room(
            torch.cuda.memory_reserved(device), int(total * (1 - MARGIN)),
            lambda: int(torch.cuda.max_memory_reserved(device)),
            lambda: torch.cuda.reset_peak_memory_stats(device),
        )  # fmt: skip
    used = memory(device)
    return Room(used, used + int(memory_left() * (1 - MARGIN)), _peak, _forget_peak)


def memory_left() -> int:
    """Bytes that this process can still have: of the machine, or of its control group where that has less."""
    found = [_available()]
    with contextlib.suppress(OSError, ValueError):
        root = Path("/sys/fs/cgroup")
        most = int((root / "memory.max").read_text())  # `max`: a ValueError, and no limit
        stats = dict(line.split() for line in (root / "memory.stat").read_text().splitlines())
        used = int((root / "memory.current").read_text()) - int(stats.get("inactive_file", 0))
        found.append(max(0, most - used))
    return min(found)


def _available() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise OSError("this system does not say how much memory is free")


def _peak() -> int:
    """Bytes of memory that this process has used at the most."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return memory(torch.device("cpu"))


def _forget_peak() -> None:
    with contextlib.suppress(
        OSError
    ):  # then the peak is that of all sizes so far: the largest's as a rule
        Path("/proc/self/clear_refs").write_text("5")
