"""Leases: locks for file systems on which the kernel's do not work or do not reach other hosts.

A lease is a file that only one process can create. A thread of its holder writes an ever higher
number into it. Whoever waits breaks a lease when its holder is a dead process of this host, or when
the number has stood still for long by the waiter's own clock; times of different hosts are never
compared. A lease that was broken wrongly costs work that is done twice: publishing stays safe.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mlrecipe.store import handles


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often and how long; in seconds."""

    beat: float = 5.0
    """Between two writes of a holder."""

    patience: float = 30.0
    """How long a holder may be silent before a waiter takes its lease."""

    poll: float = 0.25
    """Between two looks of a waiter."""

    abandoned: float = 86_400.0
    """How long a holder on another host may be silent before its files are tidied away."""


PACE = Pace()

THREAD = "mlrecipe-lease"
"""Name of the threads that write."""

# The lock files seen by `take`: what was in them, and since when by the clock of this boot.
_sightings: dict[str, tuple[str, float]] = {}


class Watch:
    """How long one lease has been silent, by the clock of who watches it: seconds since anything."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._text = ""
        self._silent = 0.0
        self._looked = 0.0

    def is_silent(self, text: str) -> bool:
        """Whether what the file says has stood still for too long; to be asked on every look."""
        now = self._clock()
        if text != self._text:
            self._text, self._silent = text, 0.0
        else:  # a watcher that was paused itself has not watched meanwhile
            self._silent += min(now - self._looked, PACE.beat)
        self._looked = now
        return self._silent >= PACE.patience


def take(path: Path) -> int | None:
    """A handle on the lease, or None when another may have it."""
    handle = _create(path)
    if handle is not None:
        return handle
    text = handles.read(path)
    if text and is_over(path, text) and break_(path, text):
        return _create(path)
    return None


def is_lease(text: str) -> bool:
    """Whether that is what a lease says, rather than a lock of the kernel."""
    return " beat=" in text


def is_over(path: Path, text: str) -> bool:
    """Whether nobody has the lease any more: its holder is dead, or was not seen for a day."""
    told = dict(word.partition("=")[::2] for word in text.split())
    is_here = all(told.get(name) == value and value for name, value in _here().items())
    if is_here and not _is_running(told.get("pid", ""), told.get("started", "")):
        return True
    earlier, since = _sightings.get(str(path), ("", 0.0))
    if earlier != text:
        _sightings[str(path)] = (text, time.monotonic())
        return False
    return time.monotonic() - since >= PACE.abandoned


def break_(path: Path, text: str) -> bool:
    """Remove a lease, if the file still says just that."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return False
    is_same = handles.read(aside) == text
    if not is_same:  # it came back to life, or is another's by now
        with contextlib.suppress(OSError):
            os.link(aside, path)
    os.unlink(aside)
    return is_same


def sightings() -> str:
    """What this process has seen of leases, for `recall` of a later process of this boot."""
    seen = {path: seen for path, seen in _sightings.items() if os.path.exists(path)}
    return json.dumps([_here()["boot"], seen])


def recall(text: str) -> None:
    """Go on from what an earlier process saw."""
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        boot, seen = json.loads(text)
        if boot and boot == _here()["boot"]:
            for path, (said, since) in seen.items():
                _sightings.setdefault(str(path), (str(said), float(since)))


def _create(path: Path) -> int | None:
    try:
        handle = handles.open_file(path, os.O_EXCL)
    except FileExistsError:
        return None
    stop = threading.Event()
    text = _text()
    try:
        _write(handle, text, 1)
    except OSError:  # a full disk
        os.unlink(path)
        handles.close(handle)
        raise
    heart = threading.Thread(
        target=_beat, args=(handle, path, text, stop), name=THREAD, daemon=True
    )
    heart.start()

    def end() -> None:
        stop.set()
        heart.join()

    handles.before_close(handle, end)
    return handle


def _text() -> str:
    told = {"pid": str(os.getpid()), **_here(), "started": _stat("self")[1]}
    words = [f"{name}={value}" for name, value in told.items()]
    return f"{handles.signature()}{' '.join(words)} nonce={secrets.token_hex(8)} beat="


def _beat(handle: int, path: Path, text: str, stop: threading.Event) -> None:
    """Count on until the lease is released, or was broken by another."""
    count = 1
    while not stop.wait(PACE.beat):
        with contextlib.suppress(OSError):
            if not handles.is_at(handle, path):
                return
            count += 1
            _write(handle, text, count)


def _write(handle: int, text: str, count: int) -> None:
    os.pwrite(handle, f"{text}{count:012}\n".encode(), 0)
    os.fsync(handle)  # else other hosts see it late


@cache
def _here() -> dict[str, str]:
    """What tells whether a process number means the same as here; empty values where unknown."""
    boot = space = ""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        space = os.readlink("/proc/self/ns/pid")
    return {"host": os.uname().nodename, "boot": boot, "space": space}


def _is_running(pid: str, started: str) -> bool:
    """Whether the process is there and is no later one of the same number."""
    try:
        os.kill(int(pid), 0)
        state, begun = _stat(pid)
    except ProcessLookupError:
        return False
    except (OSError, ValueError):  # it is another user's, or the lease says nonsense
        return True
    return state != "Z" and begun == started


def _stat(pid: str) -> tuple[str, str]:
    """A process's state, and when it began in ticks since the boot."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:  # gone, or a system without /proc
        return "", ""
    return words[0], words[19]
