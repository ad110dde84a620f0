"""Statistics of the data, as `prepare` and `inspect` report them: a column per split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlrecipe.cli import render

PERCENTILES = ("p5", "p50", "p95", "max")

_MOST_LABELS = 10
"""Labels of a column that `prepare` lists; `inspect` lists them all."""

_MOST_WARNINGS = 5
"""Lines of warnings that `prepare` prints of a node; `inspect` prints them all."""

Row = tuple[str, Sequence[str]]


def of_output(op: str, value: Any) -> Mapping[str, Any] | None:
    """The value, if it is what the op `statistics` gives; None for any other, or an older version's."""
    is_ours = op == "statistics" and isinstance(value, Mapping)
    return value if is_ours and isinstance(value.get("label"), list) else None


def show_statistics(name: str, value: Any, *, most_labels: int | None = _MOST_LABELS) -> None:
    """Print what a node of the op `statistics` found; any other value as JSON."""
    found = of_output("statistics", value)
    if found is None:
        render.document({name: value})
        return
    splits = found["splits"]
    rows = [(label, *cells) for label, cells in table(splits, most_labels=most_labels)]
    render.grid(("", *(split or "data" for split in splits)), rows)
    warn(name, found, most=None if most_labels is None else _MOST_WARNINGS)


def warn(name: str, found: Mapping[str, Any], *, most: int | None = _MOST_WARNINGS) -> None:
    """Print what a node found that deserves attention, in so many lines at most."""
    texts = found.get("warnings", [])
    shown = texts if most is None or len(texts) <= most else texts[: most - 1]
    for text in shown:
        render.warn(text)
    if left := len(texts) - len(shown):
        render.warn(f"and {left} more: mlrecipe inspect {name}")


def table(splits: Mapping[str, Any], *, most_labels: int | None = None) -> list[Row]:
    """What was found, a row for each fact and a cell for each split; rows without anything are left out."""
    facts = list(splits.values())
    rows = [_row("rows", facts, "rows")]
    for column in _keys(facts, "labels"):
        several = len(_keys(facts, "labels")) > 1
        rows += _of_labels(facts, column, f"{column} " if several else "", most_labels)
    for column in _keys(facts, "texts"):
        rows.append(_row(f"{column} missing", facts, "texts", column, "missing"))
        rows.append(_row(f"{column} empty", facts, "texts", column, "empty"))
    rows.append(_row("repeated rows", facts, "duplicates"))
    rows += [
        _row(f"rows also in {other}", facts, "overlap", other) for other in _keys(facts, "overlap")
    ]
    unit = next((f["length"]["unit"] for f in facts if f.get("length")), "words")
    rows += [_row(f"{unit} {name}", facts, "length", name) for name in PERCENTILES]
    rows.append(_row("different tokens", facts, "vocabulary"))
    rows.append(("truncated", [_share(fact.get("truncation_rate")) for fact in facts]))
    return [row for row in rows if any(cell not in ("", "0") for cell in row[1])]


def _of_labels(
    facts: Sequence[Mapping[str, Any]], column: str, of: str, most: int | None
) -> Iterator[Row]:
    """Rows of one column of labels."""
    own = [fact.get("labels", {}).get(column, {}) for fact in facts]
    labels = _keys(own, "rows")
    shown = labels if most is None or len(labels) <= most else labels[: most - 1]
    for label in shown:
        yield f"{of}label {label}", [_counted(each, label) for each in own]
    if left := labels[len(shown) :]:
        rest = [sum(each.get("rows", {}).get(label, 0) for label in left) for each in own]
        yield f"{of}{len(left)} more labels", [f"{rows:,}" for rows in rest]
    yield f"{of}commonest label", [_share(each.get("majority")) for each in own]
    for number in _keys(own, "per_row"):
        word = "label" if number == "1" else "labels"
        yield _row(f"{of}rows with {number} {word}", own, "per_row", number)
    yield _row(f"{of}different labels", own, "distinct")
    for name in ("min", "mean", "std", "max"):
        yield _row(f"{of}label {name}", own, "range", name)
    yield _row(f"{of}without label", own, "unlabelled")


def _counted(facts: Mapping[str, Any], label: str) -> str:
    """Rows and share of a label; nothing where no row has any."""
    counts = facts.get("rows", {})
    if label not in counts or not any(counts.values()):
        return ""
    return f"{counts[label]:,} ({_share(facts['shares'][label])})"


def _row(label: str, facts: Sequence[Mapping[str, Any]], *path: str) -> Row:
    cells = []
    for fact in facts:
        found: Any = fact
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        cells.append("" if found is None else _number(found))
    return label, cells


def _number(value: float) -> str:
    """With six digits where it may have a fraction, and then always a point: `2,708`, `0.0`, `2.70833`."""
    if isinstance(value, int):
        return f"{value:,}"
    text = f"{value:,.6g}"
    return text if not text.strip("-").replace(",", "").isdigit() else f"{text}.0"


def _keys(facts: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    return list(dict.fromkeys(key for fact in facts for key in fact.get(name) or {}))


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
