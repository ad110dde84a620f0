"""Metrics of a split with their intervals, and its slices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mlrecipe.pages import charts, html
from mlrecipe.pages.amounts import number, share
from mlrecipe.pages.html import Markup
from mlrecipe.report import verdict
from mlrecipe.significance import is_error, is_known


def parts(split: Mapping[str, Any]) -> Iterator[Markup]:
    """The table of metrics, and what else the run measured."""
    yield from (html.warning(note) for note in split["notes"])
    found = split["metrics"]
    if found:
        yield _table(found)
        yield html.paragraph(_how(found), kind="faint")
    elif split["labelled"]:
        yield html.paragraph("No metric can be computed of these predictions.")
    if split["others"]:
        yield html.table(
            ("measured by the run itself", "value"),
            [(name, number(value)) for name, value in split["others"].items()],
            are_numbers=True,
        )


def slices(split: Mapping[str, Any]) -> Iterator[Markup]:
    """A table of each way to cut the rows."""
    if not split["slices"]:
        yield html.paragraph(
            "The rows cannot be cut into slices: no column with texts, or with few values, is kept "
            "with the predictions (`test.keep` says which are)."
        )
    for cut in split["slices"]:
        values = [
            n for s in cut["slices"] for n in (s["value"], s["low"], s["high"]) if n is not None
        ]
        span = charts.span_of(values)
        rows = [_slice(one, span, is_worst=one["name"] == cut["worst"]) for one in cut["slices"]]
        yield html.heading(f"by {cut['by']}", level=3)
        header = (cut["by"], "rows", cut["metric"], "95 % interval", "", "all other rows")
        yield html.table(header, rows, numbers=(1, 2, 3, 5))
    if split["slices"]:
        yield html.paragraph(
            "The worst slice of each table, among those of 30 rows or more, is marked. Of many slices "
            "some differ by chance alone: look for those whose interval leaves out the number of all "
            "other rows.",
            kind="faint",
        )


def _table(found: Mapping[str, Any]) -> Markup:
    shares = {n for n, one in found.items() if 0 <= one["value"] <= 1 and not is_error(n)}
    span = charts.span_of([b for n in shares for b in (found[n]["low"], found[n]["high"])])
    rows = []
    for name, one in found.items():
        drawn = (
            charts.interval(one["value"], one["low"], one["high"], span=span)
            if name in shares and is_known(one["method"])
            else ""
        )
        method = one["method"].partition(":")[0]
        rows.append((name, number(float(one["value"])), verdict.bounds(one), drawn, method))
    return html.table(("metric", "value", "95 % interval", "", "method"), rows, numbers=(1, 2))


def _how(found: Mapping[str, Any]) -> str:
    draws = max(one["resamples"] for one in found.values())
    drawn = f" Bootstrap: {draws:,} draws of the tested rows, with a fixed seed." if draws else ""
    return (
        "An interval says how far a metric would move if other rows of the same kind had been tested "
        f"with the same model. It says nothing of other trainings: train with several seeds for that.{drawn}"
    )


def _slice(one: Mapping[str, Any], span: charts.Point, *, is_worst: bool) -> tuple[object, ...]:
    name = Markup(f"<b>{html.text(one['name'])}</b> ▾") if is_worst else html.text(one["name"])
    rows = f"{one['rows']:,} ({share(one['share'])})"
    if one["value"] is None or one["low"] is None or one["high"] is None:
        return name, rows, number(one["value"]), "", "", number(one["rest"])
    bounds = f"{number(one['low'])} to {number(one['high'])}"
    drawn = charts.interval(one["value"], one["low"], one["high"], span=span)
    return name, rows, number(one["value"]), bounds, drawn, number(one["rest"])
