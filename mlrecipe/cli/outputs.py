"""What is known of a node's output without loading it, as names with texts: for the terminal and for pages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mlrecipe.cli import render
from mlrecipe.cli.session import Session
from mlrecipe.pipeline.plan import Step
from mlrecipe.store import values
from mlrecipe.store.records import Record


def about(session: Session, step: Step, record: Record | None) -> list[tuple[str, str]]:
    """Where the node's output comes from and what it took."""
    parts = parts_of(step, record)
    place = step.node.found.plugin or "built in"
    inputs = ", ".join(i.node + (f".{i.entry}" if i.entry else "") for i in step.node.inputs)
    facts = [
        ("node", f"{step.node.name} of {session.shown}"),
        ("op", f"{step.node.spec.use} ({place})"),
        ("inputs", inputs or "none"),
        ("parameters", _pairs(parts["params"])),
        *[("files", f"{name}: {_named(pairs)}") for name, pairs in parts["files"].items()],
        ("libraries", " ".join(f"{k} {v}" for k, v in parts["libraries"].items()) or "none"),
        ("status", f"{step.status}: {'; '.join(step.reasons)}"),
    ]  # fmt: skip
    if record is not None:
        facts += [
            ("fingerprint", record.fingerprint[:16]),
            ("digest", record.digest[:16]),
            ("made", f"{record.created[:19].replace('T', ' ')} UTC in {render.duration(record.seconds)} "
                     f"({render.duration(record.cpu_seconds)} of CPU{_peak(record)})"),
            ("size", render.size(record.bytes)),
        ]  # fmt: skip
    return facts


def summary(record: Record) -> list[tuple[str, str]]:
    """Its kind, rows, columns and label counts."""
    found = record.summary
    rows = ", ".join(f"{k or 'rows'} {v:,}" for k, v in found.get("rows", {}).items())
    text = found.get("text", "") if record.value is None else ""
    facts = [("kind", f"{found.get('kind', '')} {text}".strip())]
    if rows:
        facts.append(("rows", rows))
    facts += [("column", f"{k}: {v}") for k, v in found.get("schema", {}).items()]
    for column, splits in found.get("labels", {}).items():
        for split, counts in splits.items():
            where = f"{column} in {split}" if split else column
            facts.append(
                ("labels", f"{where}: " + ", ".join(f"{k} {v:,}" for k, v in counts.items()))
            )
    facts += [("statistic", f"{k}: {text_of(v)}") for k, v in found.get("statistics", {}).items()]
    return facts


def value(record: Record, damage: str) -> list[tuple[str, str]]:
    """The output itself where it is a small plain value."""
    if record.value is None:
        return []
    if damage:
        return [("value", f"cannot be shown: {damage}")]
    found = values.decode(record.value)
    text = text_of(found)
    if len(text) > 100:
        text = text_of(found, indent=2)
    return [("value", text if len(text) < 4000 else text[:4000] + " …")]


def parts_of(step: Step, record: Record | None) -> Mapping[str, Any]:
    """What the output that is shown was made with; where there is none, what it would be made with."""
    return record.parts if record is not None else step.parts


def text_of(value: Any, *, indent: int | None = None) -> str:
    """A value as JSON, or as near as it comes."""
    plain = render.as_json(value, has_nan=True)
    return json.dumps(plain, ensure_ascii=False, indent=indent, default=str)


def _named(pairs: Sequence[Sequence[str]]) -> str:
    """The files or the hub's id behind a parameter."""
    if pairs and pairs[0][0] == "hub":
        return f"{pairs[0][1]} (hub)"
    more = f" and {len(pairs) - 3} more" if len(pairs) > 3 else ""
    return ", ".join(name for name, _ in pairs[:3]) + more


def _peak(record: Record) -> str:
    return "" if record.peak_bytes is None else f", {render.size(record.peak_bytes)} of memory"


def _pairs(params: Mapping[str, Any]) -> str:
    shown = [f"{k} = {text_of(v)}" for k, v in params.items() if v is not None]
    return ", ".join(shown) or "none"
