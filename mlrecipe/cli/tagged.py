"""What a test's report says of words with tags: types of spans or tags, errors, confusions, worst rows."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from typing import Any

from mlrecipe.cli import render
from mlrecipe.cli.ranking import short, worst

KIND = "token_classification"
"""The kind of the reports that are shown here."""

_RATES = ("precision", "recall", "f1")
_MEANS = ("micro", "macro")
_SUMMARY = 4
"""Lines below the table that are not given up for a longer one, with the empty one above it."""

_LEAST = 4
"""Lines of the smallest table, with the empty one above it."""

_WORST = 3
"""Rows that are shown, where lines are few."""

_FEW = 100
"""Fewer lines than this are few."""

_RUNS = 1.5
"""So many words a span, at least, make spans of plain tags worth a line."""

_MANY = 6
"""Confusions, or wrong words of a row, that are shown at most."""


def show(title: str, facts: Mapping[str, Any], *, lines: int) -> int:
    """Print what there is room for, in so many lines at most, an empty one above; how many they were."""
    if not facts["labelled"]:
        return _show_predicted(title, facts, lines)
    below = _below(facts, rows=_WORST if lines < _FEW else None)
    kept = min(len(below), _SUMMARY - 1) if lines >= _LEAST + _SUMMARY else 0
    table = _table(title, facts, lines=lines - 1 - kept)
    if not table:
        return 0
    render.out()
    render.grid(table[0], table[1:])
    left = lines - 1 - len(table)
    for line in render.columns(below[: max(left, 0)]):
        render.out(_cut(line))
    return 1 + len(table) + min(len(below), max(left, 0))


def _show_predicted(title: str, facts: Mapping[str, Any], lines: int) -> int:
    """How often each type was predicted: all that is known of rows without tags."""
    counts = facts["predicted" if _is_by_word(facts) else "predicted_spans"]
    ranked = sorted((n for n in counts if counts[n]), key=lambda name: -counts[name])
    if lines < _LEAST or not ranked:
        return 0
    unit = "words" if _is_by_word(facts) else "spans"
    listed = ", ".join(f"{short(name)} {counts[name]:,}" for name in ranked)
    text = f"{unit} in {facts['rows']:,} rows: {listed}"
    render.out()
    render.out(_cut(render.columns([(f"{title} predicted".strip(), text)])[0]))
    return 2


def _table(title: str, facts: Mapping[str, Any], *, lines: int) -> list[list[str]]:
    """A line for each type of span, or each plain tag: all of them, or those of the lowest F1."""
    is_by_word = _is_by_word(facts)
    unit, what = ("words", "tag") if is_by_word else ("spans", "type")
    whole = facts if is_by_word else facts["spans"]
    each = whole["classes" if is_by_word else "types"]
    header = [title or what, *_RATES, unit]
    means = [[name, *(f"{whole[name][rate]:.4f}" for rate in _RATES), ""] for name in _MEANS]
    room = lines - 1 - len(means)
    shown = list(each) if len(each) <= room else worst(each, room - 1, unit=unit)
    if lines < _LEAST - 1 or (each and not shown):
        return []
    rows = [
        [short(name), *(f"{each[name][rate]:.4f}" for rate in _RATES), f"{each[name][unit]:,}"]
        for name in shown
    ]
    if len(shown) < len(each):
        rows.append([f"… {len(each) - len(shown):,} more of higher F1", *[""] * (len(header) - 1)])
    return [header, *rows, *means]


def _below(facts: Mapping[str, Any], *, rows: int | None) -> list[tuple[str, str]]:
    """What stands below the table, the most telling first, and so many of the worst rows."""
    right = f"{facts['accuracy']:.2%} of words, {facts['exact_match']:.1%} of {facts['labelled']:,} rows"
    if "frames" in facts:
        right += ", {:.1%} with the {}".format(*facts["frames"])
    found = [("right", right)]
    spans = sum(one["spans"] for one in facts["spans"]["types"].values())
    if _is_by_word(facts) and facts["words"] < _RUNS * max(spans, 1):
        spans = 0
    elif _is_by_word(facts):
        means = (f"{name} F1 {facts['spans'][name]['f1']:.4f}" for name in _MEANS)
        found.append(("spans", f"runs of one tag, {spans:,}: {', '.join(means)}"))
    counts = {name: one["count"] for name, one in facts["errors"].items() if one["count"]}
    whole = counts.pop("right", 0)
    if spans and counts:
        listed = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        found.append(("errors", f"{listed}; {whole:,} right"))
    if confusions := _confusions(facts["confusion"]):
        found.append(("confusions", ", ".join(confusions)))
    texts = [_row(one) for one in facts["worst"][:rows]]
    return found + [("" if number else "worst rows", text) for number, text in enumerate(texts)]


def _confusions(table: Mapping[str, Mapping[str, int]]) -> list[str]:
    """The commonest pairs of a tag and another that was given."""
    found = [
        (count, tag, other)
        for tag, others in table.items()
        for other, count in others.items()
        if tag != other
    ]
    ranked = sorted(found, key=lambda each: -each[0])[:_MANY]
    return [f"{short(tag)} → {short(other)} {count:,}" for count, tag, other in ranked]


def _row(one: Mapping[str, Any]) -> str:
    """A row with its wrong words, where they are known, each with its tag and the one given."""
    pairs = list(zip(one["labels"], one["predictions"], strict=True))
    words: Sequence[str] = one.get("words", [""] * len(pairs))
    wrong = [
        f"{short(word)} {tag} → {given}".strip()
        for word, (tag, given) in zip(words, pairs, strict=True)
        if tag != given
    ]
    start = f"row {one['row']:,}, {one['wrong']:,} of {one['of_words']:,} words"
    return f"{start}: {', '.join(wrong[:_MANY])}"


def _is_by_word(facts: Mapping[str, Any]) -> bool:
    return bool(facts["scheme"] == "plain")


def _cut(line: str) -> str:
    """The line as far as it fits, a list up to its last whole item."""
    width = max(shutil.get_terminal_size((80, 24)).columns, 80)
    if len(line) <= width:
        return line
    whole, comma, _ = line[: width - 2].rpartition(", ")
    return f"{whole}, …" if comma else f"{line[: width - 1].rstrip()}…"
