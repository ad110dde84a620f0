"""Facts: what a table of rows says beside them, in its metadata: the split, and the head of predictions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from mlrecipe.errors import DataError
from mlrecipe.recorder.arrays import json_value

Facts = dict[bytes, bytes]
"""As Arrow has them."""

_PROBABILITIES = "probabilities"
"""The column that cannot be read without the head."""


def of(table: pa.Table | None, head: Mapping[str, Any] | None, split: str | None) -> Facts:
    """What the table says, unless the head or the split is given; an empty head takes away the table's."""
    found = dict(table.schema.metadata or {}) if table is not None else {}
    found.pop(b"pandas", None)
    if split is not None:
        found[b"split"] = split.encode()
    return found if head is None else _with_head(found, head)


def merged(one: pa.Table, other: pa.Table) -> Facts:
    """What two tables of the same rows say, put together; where heads differ, that of the probabilities.

    Raises:
        DataError: they are of different splits, or their probabilities of different labels.
    """
    ours, theirs = dict(one.schema.metadata or {}), dict(other.schema.metadata or {})
    splits = [found[b"split"].decode() for found in (ours, theirs) if found.get(b"split")]
    if len(set(splits)) > 1:
        raise DataError(
            f"the recorders are of different splits: {splits[0]!r} and {splits[1]!r}",
            hint="the same number means another row there",
        )
    scored = [_labels(t) for t in (one, other) if _PROBABILITIES in t.column_names]
    if len(scored) == 2 and all(scored) and scored[0] != scored[1]:
        raise DataError(
            f"both have {_PROBABILITIES!r}, of different labels",
            hint=f"drop the column {_PROBABILITIES!r} of one",
        )
    only_theirs = _PROBABILITIES in other.column_names and _PROBABILITIES not in one.column_names
    return {**ours, **theirs} if only_theirs else {**theirs, **ours}


def _labels(table: pa.Table) -> list[Any]:
    """What the probabilities are of; empty where that is not known."""
    head = json.loads((table.schema.metadata or {}).get(b"head", b"{}"))
    return [head.get(name) for name in ("problem_type", "labels", "outputs")] if head else []


def _with_head(found: Facts, head: Mapping[str, Any]) -> Facts:
    rest = {name: value for name, value in found.items() if name not in (b"head", b"labels")}
    if not head:
        return rest
    plain = json_value(head, "head")
    labels = json.dumps(list(plain.get("labels", ())))
    return {**rest, b"head": json.dumps(plain).encode(), b"labels": labels.encode()}
