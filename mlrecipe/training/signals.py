"""Ctrl-C and SIGTERM while training: the first asks it to stop, the second stops it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

from mlrecipe.errors import Terminated

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Whether training was asked to stop, and by which signal."""

    def __init__(self) -> None:
        self.asked: int | None = None
        """The signal that asked; None: nobody did."""

        self.is_impatient = False
        """Whether it was asked twice: then nothing more is written."""

    @contextmanager
    def guarding(self) -> Iterator[None]:
        """Give the signals back at the end of the block, whoever took them."""
        if not _can_listen():
            yield
            return
        before = [signal.getsignal(number) for number in _SIGNALS]
        try:
            yield
        finally:
            for number, handler in zip(_SIGNALS, before, strict=True):
                signal.signal(number, signal.SIG_DFL if handler is None else handler)

    def listen(self) -> None:
        """Take the signals over, from Lightning, too; to be called within `guarding`."""
        if _can_listen():
            for number in _SIGNALS:
                signal.signal(number, self._hear)

    def obey(self) -> NoReturn:
        """Stop as the signal wants it.

        Raises:
            KeyboardInterrupt: Ctrl-C.
            Terminated: SIGTERM.
        """
        if self.asked == signal.SIGTERM:
            raise Terminated(signal.SIGTERM)
        raise KeyboardInterrupt

    def _hear(self, number: int, frame: FrameType | None) -> None:
        # Nothing is said here: the signal may have come while somebody was printing.
        self.is_impatient = self.asked is not None
        self.asked = number
        if self.is_impatient:
            self.obey()


def _can_listen() -> bool:
    """Only a process's main thread hears signals."""
    return threading.current_thread() is threading.main_thread()
