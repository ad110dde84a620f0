"""Printing of ops in workers: whole lines, for the driver to show."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from typing import BinaryIO, cast

from mlrecipe.secrecy import redact


class Printing(io.BufferedIOBase):
    """A file that gives each line that is written to it to `say`, without secrets."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._pid = os.getpid()
        self._begun = b""
        self._lock = threading.RLock()
        self.stream = io.TextIOWrapper(
            cast("BinaryIO", self), encoding="utf-8", errors="backslashreplace", newline="\n",
            write_through=True,
        )  # fmt: skip
        """The same as a file of texts, in place of `sys.stdout`."""

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """Standard error, for programs that an op starts."""
        return 2

    def isatty(self) -> bool:
        """It is not."""
        return False

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Take bytes of UTF-8 text."""
        if os.getpid() != self._pid:  # a process that an op forked
            os.write(2, redact(bytes(data).decode("utf-8", "replace")).encode())
            return len(data)
        with self._lock:
            *lines, self._begun = (self._begun + bytes(data)).split(b"\n")
            for line in lines:
                self._tell(line)
        return len(data)

    def end(self) -> None:
        """Give a line that is not ended."""
        with self._lock:
            begun, self._begun = self._begun, b""
            if begun.strip():
                self._tell(begun)

    def _tell(self, line: bytes) -> None:
        # Bars are drawn over themselves: the last state is what there is to see.
        shown = line.rstrip(b"\r").rpartition(b"\r")[2]
        self._say(redact(shown.decode("utf-8", "replace")))
