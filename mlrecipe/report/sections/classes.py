"""Labels one by one: rates of each, what it is taken for, and how far confidence can be believed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlrecipe.pages import charts, html
from mlrecipe.pages.amounts import number
from mlrecipe.pages.html import Markup
from mlrecipe.report import verdict

_RATES = ("precision", "recall", "f1")
_MEANS = ("macro", "weighted", "micro")
_UNITS = ("rows", "words", "spans")

_MOST_LABELS = 150
"""Labels that have a line."""

_MATRIX = 24
"""Labels up to which the matrix of what is taken for what is shown whole."""

_PAIRS = 30


def parts(account: Mapping[str, Any], *, title: str = "") -> Iterator[Markup]:
    """The tables of one label a row, of several, or of each output."""
    if "outputs" in account:
        if account.get("exact_match") is not None:
            yield html.paragraph(
                f"All outputs of a row are right in {account['exact_match']:.4f} of the rows."
            )
        for output, inner in account["outputs"].items():
            yield from parts(inner, title=output)
        return
    if title:
        yield html.heading(title, level=3)
    if "classes" not in account:
        yield from _predicted(account)
        return
    yield table(account["classes"], account)
    yield from _confusion(account)


def calibration(account: Mapping[str, Any], *, title: str = "") -> Iterator[Markup]:
    """Confidence against what is right, as a chart of each output that has any."""
    if "outputs" in account:
        for output, inner in account["outputs"].items():
            yield from calibration(inner, title=output)
        return
    known = account.get("calibration")
    if not known or not known.get("bins"):
        return
    yield html.paragraph(verdict.calibrated(account))
    rows = [
        (f"{each['from']:.2f} to {each['to']:.2f}", f"{each['rows']:,}",
         number(float(each["confidence"])), number(float(each["accuracy"])))
        for each in known["bins"]
    ]  # fmt: skip
    header = ("confidence from", "decisions", "confidence", "right")
    yield html.plots(
        [
            charts.calibration(title or "confidence and what is right", known["bins"]),
            html.table(header, rows, are_numbers=True),
        ]
    )


def table(found: Mapping[str, Mapping[str, Any]], means: Mapping[str, Any]) -> Markup:
    """A line for each label, of many for those of the lowest F1, then the means."""
    unit = next((u for u in _UNITS if any(u in one for one in found.values())), "rows")
    names = list(found)
    if len(names) > _MOST_LABELS:
        worst = sorted((n for n in names if found[n][unit]), key=lambda n: float(found[n]["f1"]))
        kept = set(worst[:_MOST_LABELS])
        names = [name for name in names if name in kept]
    rows = [
        (name, *(number(float(found[name][rate])) for rate in _RATES), number(found[name][unit]),
         number(found[name].get("predicted", "")))
        for name in names
    ]  # fmt: skip
    rows += [
        (Markup(f"<b>{html.text(name)}</b>"), *(number(float(means[name][r])) for r in _RATES), "", "")
        for name in _MEANS if name in means
    ]  # fmt: skip
    left = len(found) - len(names)
    said = f"The {len(names)} labels of the lowest F1; {left:,} more are left out." if left else ""
    header = ("label", *_RATES, unit, "predicted")
    return html.table(header, rows, are_numbers=True, caption=said)


def _predicted(account: Mapping[str, Any]) -> Iterator[Markup]:
    """Of rows without labels: how often each label was given."""
    given = account.get("predicted") or account.get("predicted_spans")
    if given:
        rows = sorted(given.items(), key=lambda pair: -pair[1])[:_MOST_LABELS]
        shown = [(label, f"{count:,}") for label, count in rows]
        yield html.table(("label", "predicted"), shown, are_numbers=True)
    else:
        yield html.paragraph("No row has a label.")


def _confusion(account: Mapping[str, Any]) -> Iterator[Markup]:
    found = account.get("confusion")
    if not found:
        return
    labels = list(account["classes"])
    unit = "words" if account.get("kind") == "token_classification" else "rows"
    yield html.heading(f"confusion matrix, in {unit}", level=3)
    if len(labels) <= _MATRIX:
        yield _matrix(found, labels)
        yield html.paragraph(
            "A line for each label, a column for each prediction; the darker, the larger its share of "
            "the line.",
            kind="faint",
        )
        return
    pairs = verdict.pairs_of(account)
    of = {label: sum(row.values()) for label, row in found.items()}
    rows = [
        (label, other, f"{count:,}", f"{count / of[label]:.1%}")
        for label, other, count in pairs[:_PAIRS]
    ]
    said = (
        f"The commonest {len(rows)} of {len(pairs):,} pairs; {len(labels):,} labels are too many."
    )
    header = ("label", "taken for", unit, "of the label")
    yield html.table(header, rows, numbers=(2, 3), caption=said)


def _matrix(found: Mapping[str, Mapping[str, int]], labels: Sequence[str]) -> Markup:
    head = "".join(
        f'<th scope="col" class="number">{html.text(_short(name))}</th>' for name in labels
    )
    lines = []
    for label in labels:
        row = found.get(label, {})
        total = sum(row.values()) or 1
        cells = "".join(
            _cell(row.get(other, 0), row.get(other, 0) / total, is_right=label == other)
            for other in labels
        )
        lines.append(f'<tr><th scope="row">{html.text(_short(label))}</th>{cells}</tr>')
    return Markup(
        '<div class="scroll"><table><thead><tr><th scope="col">label ↓ prediction →</th>'
        f"{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _cell(count: int, part: float, *, is_right: bool) -> str:
    looks = "heat right" if is_right else "heat"
    if part > 0.55:
        looks += " dark"
    style = f' style="background:rgb(var(--heat)/{part:.2f})"' if part >= 0.005 else ""
    return f'<td class="{looks}"{style} title="{part:.1%}">{count:,}</td>'


def _short(name: str, longest: int = 24) -> str:
    return name if len(name) <= longest else f"{name[: longest - 1]}…"
