"""Blame: where an error of other people's code came from, or of what it was given, in words."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from pathlib import Path

from mlrecipe.graph.graph import Node
from mlrecipe.store import outputs
from mlrecipe.store.records import Record
from mlrecipe.store.store import Store

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
    what = f": {error}" if str(error) else ""
    return f"{Path(frame.filename).name}:{frame.lineno}: {type(error).__name__}{what}"


def damaged(node: Node, records: Mapping[str, Record], store: Store) -> str:
    """Which input of a node has other bytes than were stored, and why that is so; empty when none has.

    Every byte is read: ask it of a node that has failed.
    """
    for name in dict.fromkeys(i.node for i in node.inputs):
        if problem := outputs.corruption(records[name], store.paths):
            return f"its input {name!r} is damaged in the store: {problem}"
    return ""
