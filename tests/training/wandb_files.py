"""Reads the file in which W&B keeps a run: a log of records as LevelDB writes it.

Format: https://github.com/google/leveldb/blob/main/doc/log_format.md, after seven bytes of W&B's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_BLOCK = 32 * 1024
_HEADER = 7
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


@dataclass
class Content:
    """What the records of one file come to."""

    id: str = ""
    project: str = ""
    name: str = ""
    group: str = ""
    tags: list[str] = field(default_factory=list)
    config: dict[str, Any] = field(default_factory=dict)
    summary: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    exit_code: int | None = None


def read(path: Path) -> Content:
    """The content of a `.wandb` file."""
    from wandb.proto import wandb_internal_pb2

    content = Content()
    for data in _records(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        kind = record.WhichOneof("record_type")
        if kind == "run":
            run = record.run
            content.id, content.project, content.name = run.run_id, run.project, run.display_name
            content.group, content.tags = run.run_group, list(run.tags)
            content.config |= _items(run.config.update)
        elif kind == "config":
            content.config |= _items(record.config.update)
        elif kind == "summary":
            content.summary |= _items(record.summary.update)
        elif kind == "history":
            content.history.append(_items(record.history.item))
        elif kind == "exit":
            content.exit_code = record.exit.exit_code
    return content


def _items(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


def _records(data: bytes) -> Iterator[bytes]:
    assert data[:4] == b":W&B"
    position, parts = _HEADER, []
    while position + _HEADER <= len(data):
        left = _BLOCK - position % _BLOCK
        if left < _HEADER:
            position += left
            continue
        length, kind = (
            int.from_bytes(data[position + 4 : position + 6], "little"),
            data[position + 6],
        )
        if kind not in (_FULL, _FIRST, _MIDDLE, _LAST):
            return
        parts.append(data[position + _HEADER : position + _HEADER + length])
        position += _HEADER + length
        if kind in (_FULL, _LAST):
            yield b"".join(parts)
            parts = []
