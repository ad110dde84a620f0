"""The observer of the processes that this one has started: whether they live, and their end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence

import torch.distributed as dist

_POLL = 0.5
"""Seconds between two looks."""

_STUCK = 20.0
"""Seconds after which a process that waits for a dead one is ended itself."""

_FAREWELL = 10.0
"""Seconds that the processes have to end by themselves once there is no more to do."""


class Observer(threading.Thread):
    """Watches processes; when one dies, this process must not wait for it for ever.

    Over gloo it sees the broken connection at once; NCCL is told to give up. What waits even then is ended.
    """

    def __init__(self, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        super().__init__(daemon=True, name="mlrecipe-observer")
        self._processes = list(processes)
        self._is_over = threading.Event()
        self.start()

    def run(self) -> None:
        """Look until one has failed or all is over."""
        while not self._is_over.wait(_POLL):
            if self.failure() is not None:
                break
        if self._is_over.is_set():
            return
        with contextlib.suppress(Exception):  # whatever state the group is in
            if dist.is_initialized() and dist.get_backend() == "nccl":
                dist.distributed_c10d._abort_process_group()
        if not self._is_over.wait(_STUCK):
            self.kill(signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)

    def failure(self) -> str | None:
        """Which process has ended with an error, and how."""
        for number, process in enumerate(self._processes, start=1):
            code = process.poll()
            if code:
                how = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
                return f"process {number} ended {how}"
        return None

    def kill(self, number: signal.Signals) -> None:
        """End the processes now."""
        self._is_over.set()
        for process in self._processes:
            if process.poll() is None:
                process.send_signal(number)
        for process in self._processes:
            process.wait()

    def wait(self) -> None:
        """Wait for the processes, which know that there is no more to do."""
        self._is_over.set()
        until = time.monotonic() + _FAREWELL
        for process in self._processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(0.0, until - time.monotonic()))
        self.kill(signal.SIGKILL)
