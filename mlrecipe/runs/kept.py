"""Kept: what a test has written of its rows before it ended, in frames that stand alone.

A frame is a line of JSON that says what follows and how many bytes of it, and then these bytes. Whatever ends
the process, all frames but the last are whole, and whether that one is can be told.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from mlrecipe.runs.run import Run

PART, STATE = ".part", ".state"
"""What follows a file's name while its rows are tested: the rows, and what their metrics are counted from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One batch of a test."""

    facts: Mapping[str, Any]
    """What its line says: `rows`, and what its bytes are."""

    start: int
    """Where its bytes begin in the file."""

    end: int
    """Where they end."""


def kept_rows(run: Run) -> int:
    """How many rows of a test run that did not end are predicted and kept: `test --resume` leaves them out."""
    return sum(
        sum(int(frame.facts.get("rows", 0)) for frame in frames(path)[1])
        for path in run.folder.glob(f"predictions*.arrow*{STATE}")
    )


def frames(path: Path) -> tuple[dict[str, Any], list[Frame]]:
    """What the first line of a file of frames says, and the frames behind it that are whole."""
    found: list[Frame] = []
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            while (frame := _next(file, size)) is not None:
                found.append(frame)
    except OSError:
        return {}, []
    return (dict(found[0].facts), found[1:]) if found else ({}, [])


def line(facts: Mapping[str, Any], *, bytes_: int = 0) -> bytes:
    """The line before so many bytes of a frame."""
    return json.dumps({**facts, "bytes": bytes_}).encode() + b"\n"


def _next(file: BinaryIO, size: int) -> Frame | None:
    text = file.readline()
    if not text.endswith(b"\n"):
        return None
    try:
        facts: dict[str, Any] = json.loads(text)
        start = file.tell()
        end = start + int(facts["bytes"])
    except (ValueError, KeyError, TypeError):
        return None
    if end > size:
        return None
    file.seek(end)
    return Frame(facts=facts, start=start, end=end)
