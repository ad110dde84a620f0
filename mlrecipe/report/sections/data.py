"""The data: rows, labels and lengths of each split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlrecipe.pages import html, svg
from mlrecipe.pages.amounts import number, share, size
from mlrecipe.pages.html import Markup

_MOST_BARS = 25
_MOST_PLOTS = 12
_PERCENTILES = ("p5", "p50", "p95", "max")


def parts(found: Mapping[str, Any]) -> Iterator[Markup]:
    """What is known of the data, and what is not."""
    if found["rows"]:
        yield html.table(
            ("split", "rows"), [(k, number(n)) for k, n in found["rows"].items()], are_numbers=True
        )
    for node, value in found["statistics"].items():
        yield from _statistics(node, value)
    for each in found["sets"]:
        yield from _set(each, has_labels=not found["statistics"])
    if not (found["rows"] or found["sets"] or found["statistics"]):
        yield html.paragraph("Nothing is known of the data.")
    yield from (html.paragraph(f"{note}.", kind="faint") for note in found["notes"])


def _statistics(node: str, value: Mapping[str, Any]) -> Iterator[Markup]:
    """What the op `statistics` found."""
    splits: Mapping[str, Mapping[str, Any]] = value["splits"]
    yield html.heading(f"found by node {node}", level=3)
    yield from (html.warning(str(text)) for text in list(value.get("warnings", []))[:10])
    yield _lengths(splits)
    drawn = []
    for name, facts in splits.items():
        for column, labels in (facts.get("labels") or {}).items():
            if labels.get("rows"):
                drawn.append(_bars(f"{column} in {name or 'the data'}", labels["rows"]))
    for name, facts in splits.items():
        length = facts.get("length")
        if length and length.get("histogram"):
            title = f"{length['unit']} a row in {name or 'the data'}"
            drawn.append(svg.histogram(title, **length["histogram"], is_open=True))
    yield html.plots(drawn[:_MOST_PLOTS])


def _lengths(splits: Mapping[str, Mapping[str, Any]]) -> Markup:
    unit = next((f["length"]["unit"] for f in splits.values() if f.get("length")), "words")
    names = {
        "rows": ("rows",), "repeated rows": ("duplicates",), "different tokens": ("vocabulary",),
        **{f"{unit} {name}": ("length", name) for name in _PERCENTILES},
    }  # fmt: skip
    rows = []
    for title, path in names.items():
        cells = [_at(facts, *path) for facts in splits.values()]
        if any(cell not in (None, 0) for cell in cells):
            rows.append((title, *("" if cell is None else number(cell) for cell in cells)))
    cut = [facts.get("truncation_rate") for facts in splits.values()]
    if any(cut):
        rows.append(("truncated", *(share(rate) for rate in cut)))
    return html.table(("", *(name or "data" for name in splits)), rows, are_numbers=True)


def _set(found: Mapping[str, Any], *, has_labels: bool) -> Iterator[Markup]:
    """A node's output."""
    rows = ", ".join(f"{name or 'data'} {count:,}" for name, count in found["rows"].items())
    said = f"Node {found['node']} (op {found['op']}): {rows}; {size(found['bytes'])} in the store."
    yield html.paragraph(said)
    if has_labels:
        yield html.plots(
            _bars(f"{column} in {name or 'the data'}", counts)
            for column, splits in list(found["labels"].items())[:3]
            for name, counts in splits.items()
        )
    if found["schema"]:
        columns = html.table(("column", "type"), list(found["schema"].items()))
        yield html.folded(f"columns of {found['node']}", [columns])


def _bars(title: str, counts: Mapping[str, int]) -> Markup:
    """Bars of labels, of many those of the commonest; shares are of all."""
    total = sum(counts.values()) or 1
    most = dict(sorted(counts.items(), key=lambda pair: -pair[1])[:_MOST_BARS])
    shown = {label: count for label, count in counts.items() if label in most}
    more = f", the {len(shown)} commonest of {len(counts):,}" if len(shown) < len(counts) else ""
    return svg.bars(title + more, shown, {label: count / total for label, count in shown.items()})


def _at(facts: Mapping[str, Any], *path: str) -> Any:
    found: Any = facts
    for key in path:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found
