"""The mistakes, with their texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlrecipe.pages import html
from mlrecipe.pages.amounts import counted, number, share
from mlrecipe.pages.html import Markup

_ABOUT = ("about", "expected", "given")
_NUMBERS = ("error", "wrong", "confidence", "loss")


def parts(found: Mapping[str, Any]) -> Iterator[Markup]:
    """The worst rows, and those that were surest and wrong."""
    if not found:
        yield html.paragraph("There are no rows to show.")
        return
    if said := _said(found["statistics"]):
        yield html.paragraph(said)
    if not found["worst"]:
        yield html.paragraph("No row is wrong.")
        return
    yield html.heading("of the greatest loss", level=3)
    yield _table(found["worst"])
    if found.get("confident"):
        yield html.heading("surest and wrong, of each pair some", level=3)
        yield _table(found["confident"])


def _said(known: Mapping[str, Any]) -> str:
    if "errors" in known:
        rate = share(known["rate"])
        return f"{number(known['errors'])} of {counted(known['rows'], 'labelled row')} are wrong, {rate}."
    if "mean-error" in known:
        return (
            f"The mean absolute error is {number(known['mean-error'])}, the largest "
            f"{number(known['largest-error'])}."
        )
    return ""


def _table(rows: Sequence[Mapping[str, Any]]) -> Markup:
    first = rows[0]
    is_pair = all(name in first for name in _ABOUT)
    sides = _ABOUT if is_pair else ("label", "prediction")
    measures = [name for name in _NUMBERS if name in first]
    others = list(dict.fromkeys(name for row in rows for name in row["columns"]))
    has_text = any("text" in row for row in rows)
    header = ["row", *sides, *measures, *(["text"] if has_text else []), *others]
    cells = [
        (
            number(row["row"]),
            *(_side(row.get(name)) for name in sides),
            *(number(row[name]) for name in measures),
            *([row.get("text", "")] if has_text else []),
            *(row["columns"].get(name, "") for name in others),
        )
        for row in rows
    ]
    start = 1 + len(sides)
    places = (0, *range(start, start + len(measures)))
    text = {start + len(measures)} if has_text else set[int]()
    return html.table(header, cells, numbers=places, texts=text)


def _side(value: Any) -> str:
    """A label, a number, several labels, or a label of each output."""
    if isinstance(value, Mapping):
        parts = [f"{name}: {_side(one)}" for name, one in value.items()]
        return ", ".join(parts)
    if isinstance(value, list):
        return ", ".join(map(str, value[:40])) or "(none)"
    return number(value)
