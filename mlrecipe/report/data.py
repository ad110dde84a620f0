"""The data of a run: rows, labels and lengths of each split, as the store's records have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlrecipe.errors import MlrecipeError
from mlrecipe.interfaces import Fingerprint
from mlrecipe.report.source import Source
from mlrecipe.runs.manifest import inputs_of
from mlrecipe.runs.results import recipe_of
from mlrecipe.runs.run import Run
from mlrecipe.store import values
from mlrecipe.store.records import Record
from mlrecipe.store.store import Store


def facts(told: Source, store: Store | None) -> dict[str, Any]:
    """Rows of each split, what the store knows of them, and what an op `statistics` found.

    `notes` say what is not known, and why.
    """
    found: dict[str, Any] = {"rows": _said(told), "sets": [], "statistics": {}, "notes": []}
    if store is None:
        found["notes"].append("the store cannot be read: only what the runs themselves say is here")
        return found
    inputs = {name: one for run in told.runs for name, one in inputs_of(run).items()}
    for node in dict.fromkeys(_nodes(told)):
        record = _record(store, inputs.get(node.partition(".")[0]))
        if record is None:
            found["notes"].append(
                f"the output of node {node!r} is not in the store any more: its columns and labels "
                "cannot be shown"
            )
        else:
            found["sets"].append({"node": node, "op": record.op, **_summary(record)})
    found["statistics"] = _statistics(told, store, inputs)
    if not found["statistics"]:
        found["notes"].append(
            "no node of the op 'statistics' looked at these data: lengths are not known"
        )
    return found


def _said(told: Source) -> dict[str, int]:
    """Rows of each split, as the runs themselves say."""
    rows: dict[str, int] = {}
    for run in told.runs:
        known = run.facts.get("splits")
        rows |= known if isinstance(known, Mapping) else {}
        if not known and run.facts.get("stage") == "test" and "rows" in run.facts:
            rows[str(run.facts.get("split", "test"))] = run.facts["rows"]
    return rows


def _nodes(told: Source) -> Iterator[str]:
    """The nodes with what was learnt from and with what was tested."""
    for run in told.runs:
        recipe = recipe_of(run)
        name = recipe.get("train", {}).get("data")
        if run.facts.get("stage") == "test":
            name = recipe.get("test", {}).get("data") or name
        if isinstance(name, str) and name:
            yield name


def _record(store: Store, known: Any) -> Record | None:
    """The record of what a run used, if it is there still."""
    fingerprint = known.get("fingerprint") if isinstance(known, Mapping) else None
    try:
        return store.remembered(Fingerprint(fingerprint)) if fingerprint else None
    except MlrecipeError:
        return None


def _summary(record: Record) -> dict[str, Any]:
    """Rows, columns and label counts of an output."""
    return {
        "bytes": record.bytes,
        **{name: record.summary.get(name) or {} for name in ("rows", "schema", "labels")},
    }


def _statistics(told: Source, store: Store, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """What nodes of the op `statistics` found of the very data that the run used, by node."""
    digests = {one.get("digest") for one in inputs.values() if isinstance(one, Mapping)}
    found = {}
    for name in _statistic_nodes(told.first):
        try:
            record = store.latest(str(told.first.facts.get("recipe", "")), name)
            if record is None or not _digests(record) <= digests or store.damage(record):
                continue
            value = store.load(record) if record.value is None else values.decode(record.value)
        except MlrecipeError:
            continue
        if isinstance(value, Mapping) and isinstance(value.get("label"), list):  # no older layout
            found[name] = dict(value)
    return found


def _statistic_nodes(run: Run) -> list[str]:
    nodes = recipe_of(run).get("nodes", {})
    return [name for name, node in nodes.items() if node.get("use") == "statistics"]


def _digests(record: Record) -> set[Any]:
    """Those of the inputs of what was computed."""
    return {digest for _, digest in record.parts.get("digests", [])}
