"""Statistics of the data, as `prepare` reports them: a column per split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlrecipe.cli import render

_PERCENTILES = ("p5", "p50", "p95", "max")


def show_statistics(name: str, value: Any) -> None:
    """Print what a node of the op `statistics` found; any other value as JSON."""
    splits = value.get("splits") if isinstance(value, Mapping) else None
    if not isinstance(splits, Mapping):
        render.document({name: value})
        return
    rows = [(label, *cells) for label, cells in _rows(splits)]
    render.grid(("", *(split or "data" for split in splits)), rows)
    for warning in value.get("warnings", []):
        render.warn(warning)


def _rows(splits: Mapping[str, Any]) -> list[tuple[str, Sequence[str]]]:
    facts = list(splits.values())
    labels = list(dict.fromkeys(label for fact in facts for label in fact.get("labels", {})))
    texts = list(dict.fromkeys(column for fact in facts for column in fact.get("texts", {})))
    rows = [_row("rows", facts, "rows")]
    rows += [_row(f"label {label}", facts, "labels", label) for label in labels]
    rows.append(_row("without label", facts, "unlabelled"))
    for column in texts:
        rows.append(_row(f"{column} missing", facts, "texts", column, "missing"))
        rows.append(_row(f"{column} empty", facts, "texts", column, "empty"))
    rows.append(_row("repeated rows", facts, "duplicates"))
    rows.append(_row("rows also in train", facts, "overlap"))
    unit = next((f["length"]["unit"] for f in facts if f.get("length")), "words")
    rows += [_row(f"{unit} {name}", facts, "length", name) for name in _PERCENTILES]
    rows.append(("truncated", [_share(fact.get("truncation_rate")) for fact in facts]))
    return [row for row in rows if any(cell not in ("", "0") for cell in row[1])]


def _row(label: str, facts: Sequence[Mapping[str, Any]], *path: str) -> tuple[str, list[str]]:
    cells = []
    for fact in facts:
        found: Any = fact
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        cells.append("" if found is None else f"{found:,}")
    return label, cells


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
