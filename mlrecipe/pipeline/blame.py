"""Blame: where an error of other people's code came from, in words."""

from __future__ import annotations

import traceback
from pathlib import Path

HINT = "--traceback shows all of it"
"""What to say beside `cause_of`."""


def cause_of(error: BaseException, project: Path) -> str:
    """`ops.py:12: ValueError: it broke`, with the last line of the project that led there.

    Where no line of the project did, it is the line that raised.
    """
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        f
        for f in frames
        if Path(f.filename).is_relative_to(project) and "site-packages" not in f.filename
    ]
    frame = own[-1] if own else frames[-1]
    return f"{Path(frame.filename).name}:{frame.lineno}: {type(error).__name__}: {error}"
