"""Evaluation nodes: metrics of each, and the first rows of its output."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlrecipe.pages import html
from mlrecipe.pages.amounts import number
from mlrecipe.pages.html import Markup
from mlrecipe.report.nodes import IMAGE

_MOST_METRICS = 40


def parts(found: Sequence[Mapping[str, Any]]) -> Iterator[Markup]:
    """A part for each node; where there is none a sentence."""
    if not found:
        yield html.paragraph(
            "The run was not evaluated by nodes of its own: the recipe has no [evaluate.nodes], or "
            "`mlrecipe evaluate` was not run."
        )
    for one in found:
        yield html.heading(str(one["node"]), level=3)
        yield html.paragraph(f"op {one['op']}", kind="faint")
        yield from _metrics(one["metrics"])
        yield from _output(one)


def _metrics(metrics: Mapping[str, float]) -> Iterator[Markup]:
    if metrics:
        shown = list(metrics.items())[:_MOST_METRICS]
        left = len(metrics) - len(shown)
        rows = [(name or "(itself)", _measured(value)) for name, value in shown]
        said = f"{left:,} more metrics are in evaluation.json" if left else ""
        yield html.table(("metric", "value"), rows, are_numbers=True, caption=said)


def _measured(value: float) -> str:
    """A metric; whole numbers beyond 1 are counts."""
    return number(int(value) if abs(value) > 1 and value.is_integer() else value)


def _output(one: Mapping[str, Any]) -> Iterator[Markup]:
    if "note" in one:
        yield html.paragraph(f"{one['note']}.", kind="faint")
    if "value" in one:
        yield html.code(one["value"], longest=5000)
    if not one.get("rows"):
        return
    count, whole = len(one["rows"]), one.get("all_rows")
    said = f"the first {count} of {whole:,} rows" if whole and whole > count else ""
    if left := one.get("left_out"):
        said += f"; left out: {', '.join(left[:20])}"
    numbers = {
        place for place in range(len(one["columns"]))
        if all(isinstance(row[place], int | float) or row[place] is None for row in one["rows"])
    }  # fmt: skip
    rows = [[_cell(value) for value in row] for row in one["rows"]]
    yield html.table(one["columns"], rows, numbers=numbers, caption=said.removeprefix("; "))


def _cell(value: Any) -> object:
    if isinstance(value, Mapping) and IMAGE in value:
        return Markup(f'<img alt="" src="data:{IMAGE},{html.text(value[IMAGE], longest=10**7)}">')
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool | int | float):
        return "" if value is None else number(value)
    return json.dumps(value, ensure_ascii=False, default=str)
