"""Evaluation nodes: the metrics of each and the first rows of its output."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from mlrecipe.errors import MlrecipeError
from mlrecipe.interfaces import Fingerprint
from mlrecipe.report.source import Source, numbers, read
from mlrecipe.reporting import texts
from mlrecipe.store.records import Record
from mlrecipe.store.store import Store

ROWS = 10
"""Rows of an output that are shown."""

COLUMNS = 16

_MOST_NODES = 60
_CELL = 300
_VALUE = 4000
_MOST_BYTES = 200_000_000
"""Outputs larger than this are not read for a few of their rows."""

_IMAGE_BYTES = 100_000
_ALL_IMAGES = 1_000_000
"""Bytes of images, of one and of all, that a report holds."""

IMAGE = "image/png;base64"
"""The key under which a cell holds an image."""

_TABLES = ("recorder", "dataframe", "arrow-table")
_VALUES = ("json", "mapping", "text")


def facts(told: Source, store: Store | None) -> list[dict[str, Any]]:
    """Each node that the test was evaluated by: `node`, `op`, `metrics`; `columns` and `rows`, or a `value`.

    `note` says why there are none of these.
    """
    room = _Room(_ALL_IMAGES)
    return [
        {"node": name, "op": one.get("op"), "metrics": numbers(one.get("metrics") or {}),
         **_output(one, store, room)}
        for name, one in list(read(told.main, "evaluation.json").items())[:_MOST_NODES]
        if isinstance(one, Mapping)
    ]  # fmt: skip


class _Room:
    """Bytes that are left for images."""

    def __init__(self, left: int) -> None:
        self._left = left

    def takes(self, count: int) -> bool:
        """Whether an image still fits; then it is counted."""
        if count > _IMAGE_BYTES or count > self._left:
            return False
        self._left -= count
        return True


def _output(one: Mapping[str, Any], store: Store | None, room: _Room) -> dict[str, Any]:
    missing = {"note": "its output is not in the store any more: mlrecipe evaluate makes it again"}
    if store is None or not one.get("fingerprint"):
        return missing
    try:
        record = store.remembered(Fingerprint(str(one["fingerprint"])))
        if record is None or store.damage(record):
            return missing
        return _shown(record, store, room)
    except MlrecipeError as error:
        return {"note": f"its output cannot be read: {error}"}


def _shown(record: Record, store: Store, room: _Room) -> dict[str, Any]:
    if record.bytes > _MOST_BYTES or record.format not in (*_TABLES, *_VALUES):
        sample = record.summary.get("sample") or {}
        rows = next((list(some) for some in sample.values() if some), [])
        found = list(dict.fromkeys(name for row in rows for name in row))
        return {"columns": found, "rows": [[row.get(name) for name in found] for row in rows]}
    value = store.load(record)
    if record.format in _VALUES:
        shown = (
            value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        )
        return {"value": shown[:_VALUE] + (" …" if len(shown) > _VALUE else "")}
    table = _table(value)
    names = table.column_names[:COLUMNS]
    first = table.select(names).slice(0, ROWS).to_pylist()
    return {
        "columns": names, "all_rows": table.num_rows, "left_out": table.column_names[COLUMNS:],
        "rows": [[_cell(row[name], room) for name in names] for row in first],
    }  # fmt: skip


def _table(value: Any) -> Any:
    """The rows of a recorder, a data frame or a table as an Arrow table."""
    if hasattr(value, "column_names") and hasattr(value, "to_pylist"):
        return value
    if hasattr(value, "statistics") and hasattr(value, "table"):
        return value.table
    import pyarrow as pa

    frame = value.to_frame() if hasattr(value, "to_frame") else value
    return pa.table({str(name): frame[name].map(str) for name in frame.columns})


def _cell(value: Any, room: _Room) -> Any:
    """A JSON value of few letters; an image as base64 where there is room for it."""
    if isinstance(value, Mapping) and set(value) == {"image"}:
        content = value["image"]
        if not isinstance(content, bytes):
            return None
        if room.takes(len(content)):
            return {IMAGE: base64.b64encode(content).decode()}
        return f"(an image of {len(content):,} bytes)"
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return texts.shortened("".join(_told(value)), _CELL)


def _told(value: Any) -> Iterator[str]:
    """A value in pieces of text, as far as a cell can show it."""
    if isinstance(value, list):
        for place, item in enumerate(value[:_CELL]):
            yield from (" " if place else "", *_told(item))
    elif isinstance(value, Mapping):
        for place, (name, item) in enumerate(value.items()):
            yield from (", " if place else "", f"{name}: ", *_told(item))
    elif isinstance(value, bytes):
        yield f"({len(value):,} bytes)"
    else:
        yield f"{value:.6g}" if isinstance(value, float) else str(value)[: 2 * _CELL]
