"""Mistakes: the rows of predictions that went worst, and those that were surest and wrong."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa

from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head
from mlrecipe.reporting import tables
from mlrecipe.reporting.decisions import Judged, judge
from mlrecipe.reporting.part import Ids, Numbers
from mlrecipe.reporting.texts import words_of

_SIDES = ("label", "prediction")


def worst(table: pa.Table, n: int = 50) -> pa.Table:
    """The `n` wrong rows of the greatest loss, the worst first; among equals in their order.

    The loss of a row is -log of the probability of its label; of several labels or outputs, or of tags, the
    sum over them. Predicted numbers are ordered by the absolute error, and any error counts.

    The columns: `row`, `label`, `prediction`; `confidence` and `loss`, and `wrong`, where more than one thing
    of a row may be wrong, how many are; of numbers `error`, prediction less label. Then those of the tested
    rows. The result has no metadata: it is no file of predictions.

    Raises:
        DataError: no row has a label, or these are no predictions.
    """
    head = tables.require(table, tables.IN_WORDS, "a list of mistakes")
    if head.problem_type == tables.NUMBER:
        return _worst_numbers(table, n)
    judged = judge(table)
    chosen = _first(np.flatnonzero(judged.wrong), judged.loss, n)
    facts: dict[str, Any] = {"confidence": judged.confidence[chosen], "loss": judged.loss[chosen]}
    if head.problem_type != tables.ONE:
        facts = {"wrong": judged.wrong[chosen], **facts}
    return _shown(table, judged.rows[chosen], facts)


def confident(table: pa.Table, n: int = 50, *, per_pair: int | None = None) -> pa.Table:
    """The `n` wrong rows with the greatest confidence in what is wrong of them, the surest first.

    The columns: `row`, `label`, `prediction`, `confidence`; where more than one thing of a row may be wrong
    `about`, the label, the output or the word that is surest and wrong, and `expected` and `given`. Then those
    of the tested rows.

    Args:
        table: predictions.
        n: rows at most.
        per_pair: rows at most of each pair of what is expected and what was given.

    Raises:
        DataError: predicted numbers, which have no confidence; no row has a label; no predictions; fewer rows
            than one are asked for.
    """
    kinds = [kind for kind in tables.IN_WORDS if kind != tables.NUMBER]
    head = tables.require(table, kinds, "a list of confident errors")
    for key, most in (("top", n), ("per_pair", per_pair)):
        if most is not None and most < 1:
            raise DataError(f"{most} rows cannot be shown", key=key, hint="it is at least 1")
    judged = judge(table)
    order = _first(np.flatnonzero(judged.wrong), judged.surest, len(table))
    if per_pair is None:
        order = order[:n]
    pairs = pairs_of(table, head, judged, order)
    kept = _per_pair(pairs, per_pair)[:n]
    chosen, pairs = order[kept], [pairs[place] for place in kept]
    facts: dict[str, Any] = {"confidence": judged.surest[chosen]}
    if head.problem_type != tables.ONE:
        about, expected, given = ([pair[i] for pair in pairs] for i in range(3))
        facts |= {"about": about, "expected": expected, "given": given}
    return _shown(table, judged.rows[chosen], facts)


def statistics(table: pa.Table) -> dict[str, float | int]:
    """How many labelled rows there are, and how many and what share of them are wrong.

    Where more than one thing of a row may be wrong, `decisions` counts these and `wrong-share` is the share
    of them; of numbers `mean-error`, the mean of the absolute errors, and `largest-error`.
    """
    head = tables.head_of(table.schema)
    if head.problem_type == tables.NUMBER:
        amounts = np.abs(errors_of(tables.labelled(table)))
        found = (
            {"mean-error": amounts.mean(), "largest-error": amounts.max()} if len(amounts) else {}
        )
        return {"rows": len(amounts), **{name: float(value) for name, value in found.items()}}
    judged = judge(table)
    rows, errors = len(judged.rows), int((judged.wrong > 0).sum())
    said: dict[str, float | int] = {"rows": rows, "errors": errors, "rate": errors / max(rows, 1)}
    if head.problem_type != tables.ONE:
        decisions = int(judged.decisions.sum())
        share = float(judged.wrong.sum() / max(decisions, 1))
        said |= {"decisions": decisions, "wrong-share": share}
    return said


def sureness(table: pa.Table) -> dict[str, float]:
    """How sure wrong rows were of what is wrong, of labels or tags: the mean, and the most; 0 where none is."""
    surest = (judged := judge(table)).surest[judged.wrong > 0]
    return {
        "mean-confidence": float(surest.sum() / max(len(surest), 1)),
        "highest-confidence": float(surest.max(initial=0)),
    }


def errors_of(table: pa.Table) -> Numbers:
    """Prediction less label of rows with numbers, in float64."""
    values = [_numbers(table.column(name)) for name in ("prediction", "label")]
    return values[0] - values[1]


def pairs_of(table: pa.Table, head: Head, judged: Judged, which: Ids) -> list[tuple[str, str, str]]:
    """Of wrong rows their surest wrong decision: what it is about, what is expected, what was given.

    `about` is empty where a row has one label. Where a row may have several, what is expected and given is
    `yes` or `no`; where words have tags it is about a word, from 0, with its text where that is known.
    """
    places = judged.rows[which]
    label, prediction = (table.column(name).take(places).to_pylist() for name in _SIDES)
    if head.problem_type == tables.ONE:
        return [("", one, other) for one, other in zip(label, prediction, strict=True)]
    about = judged.about[which].tolist()
    if head.problem_type == tables.SEVERAL:
        names = [head.labels[place] for place in about]
        marks = [[_yes(n in row) for n, row in zip(names, side, strict=True)]
                 for side in (label, prediction)]  # fmt: skip
        return list(zip(names, *marks, strict=True))
    if head.problem_type == tables.OUTPUTS:
        names = [list(head.outputs)[place] for place in about]
        sides = [[row[n] for n, row in zip(names, side, strict=True)]
                 for side in (label, prediction)]  # fmt: skip
        return list(zip(names, *sides, strict=True))
    return _tagged(table.take(places), head, about, label, prediction)


def _tagged(
    rows: pa.Table, head: Head, about: list[int], label: list[Any], prediction: list[Any]
) -> list[tuple[str, str, str]]:
    intent, slots = head.outputs or ("", "")
    words = words_of(rows)
    found = []
    for row, place in enumerate(about):
        one, other = label[row], prediction[row]
        if place < 0:
            found.append((intent, one[intent], other[intent]))
            continue
        if slots:
            one, other = one[slots], other[slots]
        text = words(row) if words else None
        word = f"{place}: {text[place]}" if text and len(text) > place else f"{place}"
        found.append((f"word {word}", one[place], other[place]))
    return found


def _worst_numbers(table: pa.Table, n: int) -> pa.Table:
    places = np.flatnonzero(np.asarray(table.column("label").is_valid()))
    errors = errors_of(tables.labelled(table))
    chosen = _first(np.flatnonzero(errors), np.abs(errors), n)
    return _shown(table, places[chosen], {"error": errors[chosen]})


def _first(which: Ids, values: Numbers, n: int) -> Ids:
    """Those of `which` that have the greatest values, among equals in their order."""
    if n < 1:
        raise DataError(f"{n} rows cannot be shown", key="top", hint="it is at least 1")
    return which[np.argsort(-values[which], kind="stable")[:n]]


def _per_pair(pairs: list[tuple[str, str, str]], most: int | None) -> list[int]:
    """The places of the first of each pair; a word is not told from another."""
    seen: Counter[tuple[str, str, str]] = Counter()
    found = []
    for place, (about, expected, given) in enumerate(pairs):
        pair = ("" if about.startswith("word ") else about, expected, given)
        seen[pair] += 1
        if most is None or seen[pair] <= most:
            found.append(place)
    return found


def _shown(table: pa.Table, places: Ids, facts: dict[str, Any]) -> pa.Table:
    """Rows with their label and prediction, the facts, and the columns of the tested rows."""
    rows = table.replace_schema_metadata(None).take(pa.array(places))
    own = {name: rows.column(name) for name in tables.OWN if name != "probabilities"}
    # A column of the tested rows that is called as a fact is keeps its place, under another name.
    rest = {f"input_{n}" if n in facts else n: rows.column(n) for n in tables.kept(table)}
    return pa.table(own | facts | rest)


def _numbers(column: pa.ChunkedArray) -> Numbers:
    values: Numbers = column.to_numpy().astype(np.float64)
    return values


def _yes(value: bool) -> str:
    return "yes" if value else "no"
