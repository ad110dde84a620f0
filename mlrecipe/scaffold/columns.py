"""What one pass over a table finds out about each of its columns."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from mlrecipe import columns as usual
from mlrecipe.scaffold import names
from mlrecipe.scaffold.layout import Layout, Row

MOST_VALUES = 1000
"""Distinct values of a column that are counted; a column with more is no label."""

PROBED = 20_000
"""Cells of a column, from the top, whose look is tested."""

_WIDE = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")

_TESTS: dict[str, Callable[[str], bool]] = {
    "number": names.is_number,
    "whole": names.is_whole,
    "date": names.is_date,
    "address": names.is_address,
    "key": names.is_key,
}


class Column:
    """Counts over the cells of one column; memory is bounded whatever the table's size."""

    def __init__(self, name: str, *, is_named: bool = True, missing: int = 0) -> None:
        self.name = name
        self.is_named = is_named
        """Whether the file gives it its name; a name that was made up is no evidence."""
        self.missing = missing
        """Cells that are empty, null or absent."""
        self.filled = 0
        """Cells with something in them."""
        self.nested = 0
        """Cells of JSON that are lists or tables."""
        self.lists = 0
        """Cells of JSON that are lists of texts or numbers; among the `missing`, as all that are nested."""
        self.values: Counter[str] = Counter()
        """Distinct values and how often each occurs; empty once there are too many."""
        self.has_many = False
        """Whether there are more than `MOST_VALUES` distinct values."""
        self.words: Counter[int] = Counter()
        """Words of a cell → cells of that length."""
        self.types: set[type] = set()
        """Types of the cells; `str` alone but for JSON and parquet."""
        self._looks: Counter[str] = Counter()
        self._probed: set[str] = set()
        self._probes = 0

    def add(self, cell: Any) -> None:
        """Count one cell."""
        text = as_text(cell)
        if text is None or not text.strip():
            self.nested += isinstance(cell, list | dict)
            self.lists += isinstance(cell, list) and not any(
                isinstance(c, list | dict) for c in cell
            )
            self.missing += 1
            return
        self.filled += 1
        self.types.add(type(cell))
        self.words[length(text)] += 1
        self._count(text)
        if self._probes < PROBED:
            self._probe(text)

    def looks(self, what: str) -> bool:
        """Whether nearly all cells are of a sort: `number`, `whole`, `date`, `address` or `key`."""
        return self._probes > 0 and self._looks[what] >= 0.98 * self._probes

    @property
    def has_commas(self) -> bool:
        """Whether a cell among the first has a comma in it."""
        return any("," in text for text in self._probed)

    @property
    def distinct(self) -> int:
        """Distinct values; at least so many when `has_many`."""
        return max(len(self._probed), MOST_VALUES + 1) if self.has_many else len(self.values)

    @property
    def rank(self) -> int:
        """How strongly its name says that it is the label, 0 to 100."""
        return usual.label_rank(self.name) if self.is_named else 0

    @property
    def is_text_by_name(self) -> bool:
        """Whether its name says that it holds texts."""
        return self.is_named and usual.normalised(self.name) in usual.TEXT_NAMES

    @property
    def variety(self) -> float:
        """The share of distinct values among the first cells, 0 to 1."""
        return len(self._probed) / self._probes if self._probes else 0.0

    def words_below(self, share: float) -> int:
        """The length in words that this share of the cells does not exceed."""
        left = share * self.filled
        for words in sorted(self.words):
            left -= self.words[words]
            if left <= 0:
                return words
        return 0

    def _count(self, text: str) -> None:
        if self.has_many:
            return
        self.values[text] += 1
        if len(self.values) > MOST_VALUES:
            self.has_many = True
            self.values.clear()

    def _probe(self, text: str) -> None:
        self._probes += 1
        self._probed.add(text)
        for what, test in _TESTS.items():
            self._looks[what] += len(text) < 300 and test(text)


def as_text(cell: Any) -> str | None:
    """A cell as a label's name would be written; None for nothing and for lists and tables."""
    if cell is None or isinstance(cell, list | dict):
        return None
    return cell if isinstance(cell, str) else str(cell)


def length(text: str) -> int:
    """Words of a text; in scripts without spaces between words, its characters."""
    words = len(text.split())
    return words if text.isascii() else max(words, len(_WIDE.findall(text)))


def survey(table: Iterable[Row], layout: Layout) -> tuple[int, dict[str, Column]]:
    """The number of rows, and what is known of each column, in the order of first appearance."""
    columns = {name: Column(name, is_named=layout.header) for name in layout.columns}
    count = 0
    for row in table:
        for name in [name for name in row if name not in columns]:
            columns[name] = Column(name, missing=count)
        for name, column in columns.items():
            column.add(row.get(name))
        count += 1
    return count, columns
