"""Python's search for cycles: rare while a command finds out what to do, as usual once it does it."""

from __future__ import annotations

import gc

_USUAL = gc.get_threshold()


def search_rarely() -> None:
    """Imports and look-ups leave next to no cycles, and a tenth of their time goes into looking for them."""
    gc.set_threshold(100_000)


def search_as_usual() -> None:
    """From here on much may be allocated, for hours."""
    gc.set_threshold(*_USUAL)


def end() -> None:
    """The last searches, when Python exits, are as dear: a command that did no work goes without."""
    if gc.get_threshold() != _USUAL:
        gc.freeze()
