"""Cost: the time and the memory that a piece of work took in this process."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What some work cost; see the fields of the same names of `store.records.Computation`."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int | None


class Meter:
    """Measures from its making on; one at a time, for the peak of memory is the process's."""

    def __init__(self) -> None:
        # Without this, which Linux permits a process for itself, an earlier peak may hide a later one.
        with suppress(OSError):
            _CLEAR.write_text(_RESET_PEAK)
        self._memory = _memory()
        self._began, self._cpu = time.perf_counter(), _cpu()

    def read(self) -> Cost:
        """What has been used so far."""
        seconds, cpu = time.perf_counter() - self._began, _cpu() - self._cpu
        return Cost(seconds=seconds, cpu_seconds=cpu, peak_bytes=_growth(self._memory, _memory()))


def gone_by(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds that are in at least one of the spans, each from a beginning to an end."""
    total, until = 0.0, float("-inf")
    for begin, end in sorted(spans):
        total += max(0.0, end - max(begin, until))
        until = max(until, end)
    return total


def _cpu() -> float:
    """CPU seconds of all threads of this process, and of its children that have ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _memory() -> tuple[int, int] | None:
    """Resident memory of this process and the peak of it, in bytes; None where that is not told."""
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
        fields = dict(line.split(":", 1) for line in lines if line.startswith(("VmRSS", "VmHWM")))
        now, peak = (int(fields[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    except (OSError, KeyError, ValueError):
        return None
    return now, peak


def _growth(before: tuple[int, int] | None, after: tuple[int, int] | None) -> int | None:
    if before is None or after is None:
        return None
    (resident, old_peak), (_, peak) = before, after
    is_reset = old_peak - resident < 1 << 20  # the two are read a moment apart
    if peak <= old_peak and not is_reset:
        return None  # an earlier peak was higher: how high this one was is not known
    return max(0, peak - resident)
