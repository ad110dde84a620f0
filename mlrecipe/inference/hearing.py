"""Hearing: what a script is told while a model is loaded or predicts: warnings, and how far it is."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from mlrecipe import events

_PATIENCE = 2.0
"""Seconds before anything is said of how far it is."""

_PACE = 0.2
"""Seconds between two lines."""


@contextmanager
def heard(*, progress: bool | None = False) -> Iterator[None]:
    """Within the block mlrecipe's warnings are Python's, and a line tells how far it is, if anybody looks.

    Where somebody listens already nothing is done.

    Args:
        progress: whether there is such a line; None: on a terminal.
    """
    if events.are_heard():
        yield
        return
    ear = _Ear(sys.stderr.isatty() if progress is None else progress)
    try:
        with events.listening(ear):
            yield
    finally:
        ear.close()
    for text in ear.warnings:
        warnings.warn(text, stacklevel=4)


class _Ear:
    """Keeps warnings, and writes a line over and over."""

    def __init__(self, shows: bool) -> None:
        self.warnings: list[str] = []
        self._shows = shows
        self._began = time.monotonic()
        self._said = self._began + _PATIENCE - _PACE
        self._width = 0

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.Note) and event.level == "warning":
            self.warnings.append(event.text)
        elif isinstance(event, events.Progress) and self._shows:
            self._progress(event)

    def close(self) -> None:
        """Take the line away."""
        if self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()

    def _progress(self, event: events.Progress) -> None:
        now = time.monotonic()
        if event.total is None or now - self._said < _PACE:
            return
        self._said = now
        left = (now - self._began) * (event.total - event.done) / max(event.done, 1)
        line = f"predict: {event.done:,} of {event.total:,}, {left:,.0f} s left"
        sys.stderr.write("\r" + line.ljust(self._width))
        sys.stderr.flush()
        self._width = max(self._width, len(line))
