"""The page of one node's output: what `inspect --html` writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlrecipe.cli import render, statistics
from mlrecipe.pages import html, svg
from mlrecipe.pages.html import Markup

_MOST_BARS = 40


def page(
    name: str,
    facts: Sequence[Sequence[str]],
    *,
    op: str,
    summary: Mapping[str, Any],
    sample: Mapping[str, Sequence[Mapping[str, Any]]],
    value: Any,
) -> str:
    """The whole page: statistics with plots where the output is that, else schema, labels and rows.

    Args:
        name: the node's.
        facts: where the output comes from, name and text.
        op: what made the output.
        summary: of the output, as its record has it.
        sample: rows of each split.
        value: the output, where it is a plain value.
    """
    found = statistics.of_output(op, value)
    parts = list(_data(summary, sample, value) if found is None else _statistics(found))
    about = [html.heading("where it comes from"), html.facts(facts)]
    return html.page(name, [*parts, *about])


def _statistics(value: Mapping[str, Any]) -> Iterator[Markup]:
    splits: Mapping[str, Mapping[str, Any]] = value["splits"]
    yield from (html.warning(warning) for warning in value.get("warnings", []))
    header = ("", *(split or "data" for split in splits))
    rows = [(label, *cells) for label, cells in statistics.table(splits)]
    yield html.table(header, rows, are_numbers=True)
    for column in value.get("label", []):
        yield html.heading(f"labels in {column}")
        found = [(name, f["labels"][column]) for name, f in splits.items() if column in f["labels"]]
        yield html.plots(drawing for name, facts in found for drawing in _labels(name, facts))
    lengths = {name: facts["length"] for name, facts in splits.items() if facts.get("length")}
    if lengths:
        unit = next(iter(lengths.values()))["unit"]
        yield html.heading(f"lengths in {unit}")
        yield html.plots(
            svg.histogram(_titled(name, facts), **facts["histogram"], is_open=True)
            for name, facts in lengths.items()
        )
    cut = {name or "data": f["truncated"] for name, f in splits.items() if "truncated" in f}
    if cut:
        rates = {name or "data": f.get("truncation_rate", 0.0) for name, f in splits.items()}
        yield html.heading("rows that lost tokens")
        yield html.plots([svg.bars("truncated rows of each split", cut, rates)])


def _labels(name: str, facts: Mapping[str, Any]) -> Iterator[Markup]:
    """The plots of one column of labels in one split."""
    if facts.get("rows"):
        rows = facts["rows"]
        most = dict(sorted(rows.items(), key=lambda pair: -pair[1])[:_MOST_BARS])
        shown = {label: count for label, count in rows.items() if label in most}
        more = f", the {len(shown)} commonest of {len(rows)}" if len(shown) < len(rows) else ""
        yield svg.bars(f"{name or 'data'}{more}", shown, facts["shares"])
    if facts.get("per_row"):
        yield svg.bars(f"{name or 'data'}: rows by their number of labels", facts["per_row"])
    if facts.get("histogram"):
        yield svg.histogram(name or "data", **facts["histogram"])


def _titled(name: str, length: Mapping[str, Any]) -> str:
    return (
        f"{name or 'data'}: mean {length['mean']:,}, median {length['p50']:,}, "
        f"95 of 100 up to {length['p95']:,}, longest {length['max']:,}"
    )


def _data(
    summary: Mapping[str, Any], sample: Mapping[str, Sequence[Mapping[str, Any]]], value: Any
) -> Iterator[Markup]:
    if rows := summary.get("rows"):
        yield html.heading("rows")
        yield html.table(
            ("split", "rows"), [(k or "data", f"{n:,}") for k, n in rows.items()], are_numbers=True
        )
    if schema := summary.get("schema"):
        yield html.heading("columns")
        yield html.table(("column", "type"), list(schema.items()))
    if found := summary.get("statistics"):
        yield html.heading("statistics")
        yield html.table(("statistic", "value"), [(name, _cell(x)) for name, x in found.items()])
    for column, splits in (summary.get("labels") or {}).items():
        yield html.heading(f"values in {column}")
        yield html.plots(svg.bars(split or "data", counts) for split, counts in splits.items())
    for split, some in sample.items():
        if some:
            yield html.heading(f"rows of {split or 'the data'}")
            names = list(dict.fromkeys(name for row in some for name in row))
            yield html.table(names, [[_cell(row.get(name)) for name in names] for row in some])
    if value is not None:
        yield html.heading("value")
        yield html.table(("",), [(_cell(value),)])


def _cell(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(render.as_json(value, has_nan=True), ensure_ascii=False, default=str)
