"""Alike: whether two tables of predictions are of the same rows, by the columns that were kept beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from mlrecipe.significance import tested
from mlrecipe.significance.pairing import shared


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlike:
    """A column that the rows of two tests do not have in common."""

    column: str
    rows: int
    """Rows in which it differs."""

    of: int
    """Rows that both have."""

    first: int
    """The number of the first that differs."""

    def __str__(self) -> str:
        """What is said of it."""
        return f"{self.column!r} differs in {self.rows:,} of {self.of:,} rows, first in row {self.first}"


def columns(a: pa.Table, b: pa.Table) -> list[str]:
    """The columns of tested rows that both have."""
    return [
        name for name in a.column_names if name not in tested.OWN and name in b.column_names
    ]  # fmt: skip


def unlike(a: pa.Table, b: pa.Table) -> list[Unlike]:
    """The columns by which rows that have the same number are not the same; labels are not looked at.

    Raises:
        DataError: a row is there twice.
    """
    rows, ours, theirs = shared(a, b)
    found = []
    for name in columns(a, b):
        one, other = a[name].take(pa.array(ours)), b[name].take(pa.array(theirs))
        if one.equals(other):
            continue
        places = list(_differing(one.to_pylist(), other.to_pylist()))
        if places:
            first = int(rows[places[0]])
            found.append(Unlike(column=name, rows=len(places), of=len(rows), first=first))
    return found


def _differing(ours: Sequence[Any], theirs: Sequence[Any]) -> Iterator[int]:
    """The places of what is not the same; two that are no number are."""
    for place, (one, other) in enumerate(zip(ours, theirs, strict=True)):
        if one != other and not (one != one and other != other):  # noqa: PLR0124  # NaN
            yield place
