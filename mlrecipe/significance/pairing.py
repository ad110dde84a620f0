"""Pairing: the rows that two tables of predictions have in common, in one order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from mlrecipe.errors import DataError
from mlrecipe.reporting.part import Ids


def paired(a: pa.Table, b: pa.Table, *, is_common: bool = False) -> tuple[pa.Table, pa.Table]:
    """Both tables with the same rows in the same order, by the column `row`.

    Args:
        a: predictions of one model.
        b: predictions of another one.
        is_common: whether rows that only one of the two has are left out.

    Raises:
        DataError: the rows are not the same, by number or by label.
    """
    rows, places, others = shared(a, b)
    if not len(rows):
        raise DataError(
            "the two have no row in common", hint="compare runs that were tested on the same split"
        )
    if len(rows) < max(len(a), len(b)) and not is_common:
        raise DataError(
            f"not the same rows were tested: {len(a):,} in the first, {len(b):,} in the second, "
            f"{len(rows):,} in both",
            hint="--common compares those that are in both",
        )
    a, b = a.take(pa.array(places)), b.take(pa.array(others))
    _check_labels(a, b, rows)
    return a, b


def shared(a: pa.Table, b: pa.Table) -> tuple[Ids, Ids, Ids]:
    """The numbers of the rows that both have, and their places in each.

    Raises:
        DataError: a row is there twice.
    """
    ours, theirs = _numbers(a, "the first"), _numbers(b, "the second")
    rows, places, others = np.intersect1d(ours, theirs, return_indices=True)
    return rows, places, others


def _numbers(table: pa.Table, which: str) -> Ids:
    """The number of each row; without numbers the rows are counted."""
    if "row" not in table.column_names:
        return np.arange(len(table))
    found = np.asarray(table["row"].to_numpy(), np.int64)
    if len(np.unique(found)) < len(found):
        raise DataError(f"a row is there twice in {which}: rows cannot be paired by number")
    return found


def _check_labels(a: pa.Table, b: pa.Table, rows: Ids) -> None:
    """Raise where a row has another label in each: then it is another row."""
    ours, theirs = a["label"], b["label"]
    if ours.equals(theirs):
        return
    for row, one, other in zip(rows.tolist(), ours.to_pylist(), theirs.to_pylist(), strict=True):
        if one != other:
            raise DataError(
                f"row {row} has the label {_short(one)} in the first and {_short(other)} in the second",
                hint="compare runs that were tested on the same data",
            )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"
