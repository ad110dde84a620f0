"""Tables of a test's report: each class, and what it is taken for, in as few lines as there is room for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlrecipe.cli import render, tagged
from mlrecipe.cli.ranking import short, worst
from mlrecipe.runs.run import Run

FILE = "report.json"
"""Where a test run's report is."""

_RATES = ("precision", "recall", "f1")
_MEANS = ("macro", "weighted", "micro")
_LEAST = 4
"""Lines of the smallest table, with the empty one above it."""


def show(run: Run, *, lines: int) -> bool:
    """Print the tables of a run's report, where it has one, in so many lines at most.

    Returns:
        Whether every split and output with classes has its table.
    """
    path = run.folder / FILE
    if not path.is_file():
        return True
    is_all = True
    splits = json.loads(path.read_text(encoding="utf-8"))["splits"]
    parts = [part for part in _parts(splits) if part[1]["labelled"] or _is_tagged(part[1])]
    for number, (title, facts) in enumerate(parts):
        room = lines // (len(parts) - number)
        room = max(room, min(lines, _LEAST))
        used = (tagged.show if _is_tagged(facts) else _show)(title, facts, lines=room)
        is_all = is_all and bool(used or "classes" not in facts)
        lines -= used
    return is_all


def _is_tagged(facts: Mapping[str, Any]) -> bool:
    return bool(facts["kind"] == tagged.KIND)


def _show(title: str, facts: Mapping[str, Any], *, lines: int) -> int:
    """Print the table of one part, where there is room, with an empty line above; how many lines it took."""
    table = _table(title, facts, lines=lines - 1)
    if not table:
        return 0
    render.out()
    render.grid(table[0], table[1:])
    used = len(table) + 1
    if "calibration" in facts and used < lines:
        error = facts["calibration"]["error"]
        render.out(f"  calibration error {error:.4f}: confidence against accuracy in 15 bins")
        used += 1
    return used


def _parts(splits: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """What has a table of its own, with its title: each split, and each output of several."""
    for split, facts in splits.items():
        start = split if len(splits) > 1 else ""
        if "outputs" not in facts:
            yield start, facts
            continue
        whole, first = facts.get("exact_match"), next(iter(facts["outputs"]))
        for output, inner in facts["outputs"].items():
            is_frame = _is_tagged(inner) and whole is not None
            found = {**inner, "frames": (whole, short(first))} if is_frame else inner
            yield f"{start} {output}".strip(), found


def _table(title: str, facts: Mapping[str, Any], *, lines: int) -> list[list[str]]:
    """Of one split, or output: its header and rows, at most so many; nothing where that is too little."""
    if facts["kind"] == "regression":
        return _numbers(title, facts) if lines > 1 else []
    labels = list(facts["classes"])
    shown = labels if len(labels) < lines else worst(facts["classes"], max(lines - 2, 0))
    if not shown:
        return []
    header, rows = _classes(facts, shown)
    if len(shown) == len(labels):
        header, rows = _with_confusion(facts, header, rows)
    else:
        rows.append([f"… {len(labels) - len(shown):,} more of higher F1"])
    means = [
        [name, *(f"{facts[name][rate]:.4f}" for rate in _RATES)] for name in _MEANS if name in facts
    ]
    table = [[title or "label", *header[1:]], *rows, *means][:lines]
    return [[*row, *[""] * (len(header) - len(row))] for row in table]


def _numbers(title: str, facts: Mapping[str, Any]) -> list[list[str]]:
    names = ("pearson", "spearman", "mean_squared_error", "mean_absolute_error", "r2")
    values = [facts[name] for name in names]
    cells = ["none" if value is None else f"{value:.4f}" for value in values]
    header = [title, *(name.replace("_", " ") for name in names), "rows"]
    return [header, ["", *cells, f"{facts['labelled']:,}"]]


def _classes(facts: Mapping[str, Any], labels: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    rows = []
    for label in labels:
        one = facts["classes"][label]
        rates = [f"{one[rate]:.4f}" for rate in _RATES]
        rows.append([short(label), *rates, f"{one['rows']:,}"])
    return ["label", *_RATES, "rows"], rows


def _with_confusion(
    facts: Mapping[str, Any], header: list[str], rows: list[list[str]]
) -> tuple[list[str], list[list[str]]]:
    """The table with a column for each prediction, headed by its name, else by its number, where that fits."""
    if "confusion" not in facts:
        return header, rows
    labels = list(facts["classes"])
    cells = [
        [f"{facts['confusion'].get(label, {}).get(other, 0):,}" for other in labels]
        for label in labels
    ]
    named = [f"→ {short(label)}" for label in labels]
    wide = [[*row, *counts] for row, counts in zip(rows, cells, strict=True)]
    if _fits([[*header, *named], *wide]):
        return [*header, *named], wide
    numbers = [f"→ {number}" for number in range(1, len(labels) + 1)]
    numbered = [[f"{number} {row[0]}", *row[1:]] for number, row in enumerate(wide, start=1)]
    if _fits([[*header, *numbers], *numbered]):
        return [*header, *numbers], numbered
    return header, rows


def _fits(table: Sequence[Sequence[str]]) -> bool:
    widths = [max(map(len, column)) + 2 for column in zip(*table, strict=True)]
    return sum(widths) <= max(shutil.get_terminal_size((120, 24)).columns, 80)
