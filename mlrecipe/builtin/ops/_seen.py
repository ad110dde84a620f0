"""What was seen of a split, put together from its pieces, and told as plain numbers."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlrecipe.builtin.ops import _keys
from mlrecipe.builtin.ops._pieces import Labels, Piece

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PERCENTILES = (5, 25, 50, 75, 95, 99)

_MOST_LABELS = 1000
_BINS = 30


class Seen:
    """A split so far; takes its pieces in their order."""

    def __init__(self) -> None:
        self.rows = 0
        self.truncated = 0
        self.lengths: Counter[int] = Counter()
        self.tokens: set[int] = set()
        self.blank: dict[str, list[int]] = {}
        self.labels: dict[str, SeenLabels] = {}
        self._keys: list[NDArray[np.uint64]] = []

    def add(self, piece: Piece) -> None:
        """The next piece."""
        self.rows += piece.rows
        self.truncated += piece.truncated
        self.lengths.update(piece.lengths)
        self.tokens.update(piece.tokens.tolist())
        self._keys.append(piece.keys)
        for name, counts in piece.blank.items():
            before = self.blank.setdefault(name, [0, 0])
            self.blank[name] = [a + b for a, b in zip(before, counts, strict=True)]
        for name, labels in piece.labels.items():
            self.labels.setdefault(name, SeenLabels()).add(labels)

    @property
    def keys(self) -> NDArray[np.uint64]:
        """A number for each row, equal where its texts are, shape (rows,)."""
        import numpy as np

        return np.concatenate([np.empty(0, np.uint64), *self._keys])

    def length(self, unit: str, edges: Sequence[float]) -> dict[str, Any]:
        """Mean, percentiles, largest and histogram of the lengths."""
        import numpy as np

        values = np.array(sorted(self.lengths), dtype=np.int64)
        rows = np.array([self.lengths[int(value)] for value in values], dtype=np.int64)
        ends = np.cumsum(rows)
        at = [values[np.searchsorted(ends, math.ceil(p * ends[-1] / 100))] for p in PERCENTILES]
        return {
            "unit": unit,
            "mean": round(int((values * rows).sum()) / int(ends[-1]), 2),
            **{f"p{p}": int(value) for p, value in zip(PERCENTILES, at, strict=True)},
            "max": int(values[-1]),
            "histogram": histogram(values, edges, rows),
        }


class SeenLabels:
    """A column of labels so far."""

    def __init__(self) -> None:
        self.missing = 0
        self.per_row: Counter[int] = Counter()
        self._counts: Counter[Any] = Counter()
        self._many: list[NDArray[np.uint64]] = []
        """Digests of the labels, once they are too many to count."""
        self._numbers: list[NDArray[np.float64]] = []

    def add(self, labels: Labels) -> None:
        """Those of the next piece."""
        import numpy as np

        self.missing += labels.missing
        self.per_row.update(labels.per_row)
        self._numbers.append(labels.numbers)
        self._counts.update(labels.counts)
        if not self._many and len(self._counts) <= _MOST_LABELS:
            return
        self._many.append(_keys.of_texts(map(repr, self._counts)))
        self._counts.clear()
        if sum(map(len, self._many[1:])) > len(self._many[0]):
            self._many = [np.unique(np.concatenate(self._many))]

    @property
    def numbers(self) -> NDArray[np.float64]:
        """The numbers with fractions, shape (rows that have one,)."""
        import numpy as np

        return np.concatenate([np.empty(0, np.float64), *self._numbers])

    def facts(self, names: Sequence[str], edges: Sequence[float] | None) -> dict[str, Any]:
        """How the labels lie: rows of each, or a range where `edges` says that they are numbers.

        Args:
            names: the classes' names, where the column has their numbers.
            edges: those of the bins for numbers with fractions.
        """
        import numpy as np

        if edges is not None:
            return {**_range(self.numbers, edges), "unlabelled": self.missing}
        if self._many:
            distinct = len(np.unique(np.concatenate(self._many)))
            return {"distinct": distinct, "unlabelled": self.missing}
        counts = dict(self._counts)
        unlabelled = self.missing + (counts.pop(-1, 0) if names else 0)
        return {**self._balance(_named(counts, names)), "unlabelled": unlabelled}

    def _balance(self, counts: Mapping[str, int]) -> dict[str, Any]:
        labelled = sum(self.per_row.values()) or sum(counts.values())
        shares = {
            name: round(rows / labelled, 6) if labelled else 0.0 for name, rows in counts.items()
        }
        facts: dict[str, Any] = {"rows": dict(counts), "shares": shares}
        if not self.per_row:
            return facts | ({"majority": max(shares.values())} if labelled else {})
        return facts | {"per_row": {str(n): self.per_row[n] for n in sorted(self.per_row)}}


def edges_for(low: float, high: float, *, bins: int = _BINS) -> list[float]:
    """Edges of at most `bins` bins (and one more) of one round width, from `low` or below to above `high`."""
    # Not so narrow that the edges of large numbers could not be told apart.
    raw = max(high / bins - low / bins, max(abs(low), abs(high)) * 1e-10)
    power = 10.0 ** math.floor(math.log10(raw)) if raw > 0 else 1.0
    width = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= raw * (1 - 1e-9))
    first = math.floor(low / width)
    last = max(math.floor(high / width), first) + 1
    return [float(f"{number * width:.12g}") for number in range(first, last + 1)]


def length_edges(seen: Sequence[Seen]) -> list[float]:
    """Edges of bins for the lengths of all splits, so that they can be compared.

    They reach as far as 99 rows in 100 of each split; the last takes what is longer.
    """
    tops = [0]
    for split in seen:
        rows, left = sum(split.lengths.values()), 0
        for value in sorted(split.lengths):
            left += split.lengths[value]
            if left >= 0.99 * rows:
                tops.append(value)
                break
    width = max(1, math.ceil(edges_for(0, max(tops))[1]))
    return [float(n * width) for n in range(max(tops) // width + 2)]


def histogram(
    values: NDArray[Any], edges: Sequence[float], rows: NDArray[np.int64] | None = None
) -> dict[str, list[Any]]:
    """Rows in each bin, from an edge to just below the next; what is beyond the last edge is in the last bin.

    `rows` says how many rows have each value; by default one.
    """
    import numpy as np

    inside = np.clip(values, edges[0], edges[-1])
    found, _ = np.histogram(inside, bins=np.array(edges), weights=rows)
    whole = [int(edge) if float(edge).is_integer() else edge for edge in edges]
    return {"edges": whole, "rows": [int(count) for count in found]}


def _range(numbers: NDArray[np.float64], edges: Sequence[float]) -> dict[str, Any]:
    import numpy as np

    if not len(numbers):
        return {"range": {}}
    with np.errstate(over="ignore"):  # the deviation of the largest numbers there are is infinite
        mean, std = numbers.mean(), numbers.std(ddof=min(1, len(numbers) - 1))
    found = {
        "min": float(numbers.min()),
        "mean": float(f"{mean:.9g}"),
        "std": float(f"{std:.9g}"),
        "max": float(numbers.max()),
    }
    return {"range": found, "histogram": histogram(numbers, edges)}


def _named(counts: Mapping[Any, int], names: Sequence[str]) -> dict[str, int]:
    """Rows of each label by its name: in the order of the classes, else sorted."""
    if not names:
        return {_text(value): counts[value] for value in sorted(counts)}
    classes = {name: counts.get(position, 0) for position, name in enumerate(names)}
    others = {_text(v): rows for v, rows in counts.items() if v not in range(len(names))}
    return {**classes, **others}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
