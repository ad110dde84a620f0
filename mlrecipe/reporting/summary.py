"""Summaries of predictions as tables: rates of each class, the confusion matrix, errors of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa

from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head
from mlrecipe.reporting import tables
from mlrecipe.reporting.part import divide
from mlrecipe.reporting.report import facts

Summary: TypeAlias = tuple[pa.Table, dict[str, Any]]
"""Rows to look at, and statistics by name."""

Unit = Literal["spans", "words"]
"""What counts where words have tags."""

_RATES = ("precision", "recall", "f1")
_MEANS = ("micro", "macro", "weighted")


def classes(table: pa.Table, *, unit: Unit = "spans") -> Summary:
    """Each class with `precision`, `recall`, `f1`, how often it is there and `predicted`.

    How often it is there is `rows`; where words have tags `spans`, each class a type of these, or `words`, each
    class a tag. Of several outputs a column `output` comes first, and the count is `count`.

    The statistics are `rows`, `accuracy` or `exact-match` or both, and the means of the rates over the classes:
    `macro/f1`, `weighted/f1`, …, and `micro/f1` where it is not the accuracy; of several outputs under
    `<output>/`.

    Raises:
        DataError: predictions of numbers; no row has a label.
    """
    kinds = [kind for kind in tables.IN_WORDS if kind != tables.NUMBER]
    head = tables.require(table, kinds, "a report of classes")
    found = facts(table)
    said: dict[str, Any] = {"rows": found["labelled"]}
    if "exact_match" in found:
        said["exact-match"] = found["exact_match"]
    if not head.outputs:
        return _table_of_classes(_classes(found, unit)), said | _means(found, unit)
    rows = []
    for output, own in found["outputs"].items():
        rows += [{"output": output, **_counted(row)} for row in _classes(own, unit)]
        if own["labelled"]:
            said |= {f"{output}/{name}": value for name, value in _means(own, unit).items()}
    return pa.Table.from_pylist(rows), said


def confusion(
    table: pa.Table,
    *,
    share_of: Literal["label", "prediction", "all"] = "label",
    unit: Unit = "words",
) -> Summary:
    """What was predicted for what: `label`, `prediction`, `count` and `share`; only what there is.

    Where a row may have several labels each label has a table of two by two: `label`, whether it is `there`,
    whether it was `given`. Where words have tags and spans count: the `kind` of what became of a span, as
    `mlrecipe.tagging.errors` has it. Of several outputs a column `output` comes first.

    The statistics are `rows`, `errors` and `error-rate`, of all that was decided, and the commonest error,
    `most-confused`, with its count, `most-confused-count`; of several outputs under `<output>/`. Where spans
    count they are the counts of the kinds.

    Raises:
        DataError: predictions of numbers; no row has a label.
    """
    kinds = [kind for kind in tables.IN_WORDS if kind != tables.NUMBER]
    head = tables.require(table, kinds, "a confusion matrix")
    found = facts(table)
    if not head.outputs:
        rows, said = _confusion(found, head, share_of, unit)
        return pa.Table.from_pylist(rows), {"rows": found["labelled"], **said}
    all_rows: list[dict[str, Any]] = []
    all_said: dict[str, Any] = {"rows": found["labelled"]}
    for output, own in found["outputs"].items():
        rows, said = _confusion(own, head, share_of, "words")
        all_rows += [{"output": output, **row} for row in rows]
        all_said |= {f"{output}/{name}": value for name, value in said.items()}
    return pa.Table.from_pylist(all_rows), all_said


def numbers(table: pa.Table, *, bins: int = 10) -> Summary:
    """How predicted numbers differ from the labels, over ranges of the label of as many rows each.

    The columns: `low` and `high`, the label's least and greatest value in the range, `rows`, the means `label`
    and `prediction`, `bias`, the mean of prediction less label, and `absolute-error`, the mean of its amount.

    The statistics: `rows`, `pearson-corrcoef`, `spearman-corrcoef`, `mean-squared-error`,
    `root-mean-squared-error`, `mean-absolute-error`, `r2-score` and `bias`.

    Raises:
        DataError: predictions of labels or tags; no row has a label; fewer than one range.
    """
    tables.require(table, [tables.NUMBER], "a report of numbers")
    if bins < 1:
        raise DataError(f"{bins} ranges cannot be made", key="bins", hint="it is at least 1")
    found = facts(table)
    known = tables.labelled(table)
    label, given = (known.column(n).to_numpy().astype(np.float64) for n in ("label", "prediction"))
    squared = found["mean_squared_error"]
    said = {
        "rows": found["labelled"], "pearson-corrcoef": found["pearson"],
        "spearman-corrcoef": found["spearman"], "mean-squared-error": squared,
        "root-mean-squared-error": None if squared is None else squared**0.5,
        "mean-absolute-error": found["mean_absolute_error"], "r2-score": found["r2"],
        "bias": float((given - label).mean()),
    }  # fmt: skip
    edges = np.unique(np.quantile(label, np.linspace(0, 1, bins + 1)[1:-1], method="lower"))
    place = np.searchsorted(edges, label, side="left")
    rows = [_range(label[place == i], given[place == i]) for i in np.unique(place)]
    return pa.Table.from_pylist(rows), said


def _range(label: Any, given: Any) -> dict[str, Any]:
    gaps = given - label
    return {
        "low": float(label.min()), "high": float(label.max()), "rows": len(label),
        "label": float(label.mean()), "prediction": float(given.mean()),
        "bias": float(gaps.mean()), "absolute-error": float(np.abs(gaps).mean()),
    }  # fmt: skip


def _classes(found: Mapping[str, Any], unit: Unit) -> list[dict[str, Any]]:
    """A row for each class; types of spans where these count."""
    is_spans = unit == "spans" and "spans" in found
    each = found["spans"]["types"] if is_spans else found.get("classes", {})
    return [{"label": label, **rates} for label, rates in each.items()]


def _table_of_classes(rows: list[dict[str, Any]]) -> pa.Table:
    """With its columns even where there is no class, as no span may be there or predicted."""
    if rows:
        return pa.Table.from_pylist(rows)
    numbers_ = dict.fromkeys(_RATES, pa.float64()) | dict.fromkeys(
        ("spans", "predicted"), pa.int64()
    )
    return pa.schema({"label": pa.string(), **numbers_}).empty_table()


def _counted(row: Mapping[str, Any]) -> dict[str, Any]:
    """With one name for how often the class is there."""
    return {
        "count" if name in ("rows", "spans", "words") else name: value
        for name, value in row.items()
    }


def _means(found: Mapping[str, Any], unit: Unit) -> dict[str, float]:
    said = {"accuracy": found["accuracy"]} if "accuracy" in found else {}
    of = found["spans"] if unit == "spans" and "spans" in found else found
    # The micro means of one label a row, and of words, are the accuracy.
    means = [mean for mean in _MEANS if mean in of and not (mean == "micro" and "accuracy" in of)]
    return said | {f"{mean}/{rate}": of[mean][rate] for mean in means for rate in _RATES}


def _confusion(
    found: Mapping[str, Any], head: Head, share_of: str, unit: Unit
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    if head.problem_type == tables.SEVERAL:
        return _two_by_two(found, share_of)
    if head.problem_type == tables.TAGS and unit == "spans":
        return _of_spans(found)
    cells = [(label, prediction, count)
             for label, given in found.get("confusion", {}).items()
             for prediction, count in given.items()]  # fmt: skip
    rows = [
        {"label": label, "prediction": prediction, "count": count}
        for label, prediction, count in cells
    ]
    wrong = [
        (f"{label} as {prediction}", n) for label, prediction, n in cells if label != prediction
    ]
    return _shares(rows, share_of), _errors(wrong, sum(count for _, _, count in cells))


def _two_by_two(
    found: Mapping[str, Any], share_of: str
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for label, of in found["classes"].items():
        both = round(of["recall"] * of["rows"])
        missed, extra = of["rows"] - both, of["predicted"] - both
        none = found["labelled"] - both - missed - extra
        own = [
            ("yes", "yes", both),
            ("yes", "no", missed),
            ("no", "yes", extra),
            ("no", "no", none),
        ]
        table = [{"label": there, "prediction": given, "count": n} for there, given, n in own if n]
        rows += [
            {"label": label, "there": row.pop("label"), "given": row.pop("prediction"), **row}
            for row in _shares(table, share_of)
        ]
    wrong = [
        (f"{row['label']} {'missed' if row['there'] == 'yes' else 'given'}", row["count"])
        for row in rows if row["there"] != row["given"]
    ]  # fmt: skip
    return rows, _errors(wrong, sum(row["count"] for row in rows))


def _of_spans(found: Mapping[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    counts = {kind: of["count"] for kind, of in found["errors"].items()}
    total = max(sum(counts.values()), 1)
    rows = [{"kind": kind, "count": n, "share": n / total} for kind, n in counts.items()]
    return rows, counts


def _shares(rows: list[dict[str, Any]], share_of: str) -> list[dict[str, Any]]:
    """With the share of each count among those of its label, its prediction, or all."""
    keys = [row.get(share_of, "") if share_of != "all" else "" for row in rows]
    totals: dict[str, int] = {}
    for key, row in zip(keys, rows, strict=True):
        totals[key] = totals.get(key, 0) + row["count"]
    return [
        {**row, "share": float(divide(row["count"], totals[key]))}
        for key, row in zip(keys, rows, strict=True)
    ]


def _errors(wrong: list[tuple[str, int]], total: int) -> dict[str, Any]:
    errors = sum(count for _, count in wrong)
    said: dict[str, Any] = {"errors": errors, "error-rate": errors / max(total, 1)}
    name, count = max(wrong, key=lambda each: each[1], default=("", 0))
    return said | {"most-confused": name, "most-confused-count": count}
