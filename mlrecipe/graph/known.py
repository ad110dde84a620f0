"""What is known of a node's output before it is there: its splits, and the columns they may have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mlrecipe.graph.headers import Columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a value. Its splits are exactly those named; of columns, it surely has no others."""

    tables: Mapping[str, Columns] | None = None
    """Split → the columns that it may have; a data set without splits is the one split `""`. None: which
    splits there are is not known."""

    columns: Columns = None
    """The columns that any split may have, where it is not known which splits there are."""

    entries: tuple[str, ...] | None = None
    """The entries of a table that is no data set; None: not known."""

    name: str = ""
    """What it is called in a message: `node 'reviews'`."""

    is_part: bool = False
    """Whether these are only some of the splits of what `name` says."""

    @property
    def is_plain(self) -> bool:
        """Whether it is one data set without splits."""
        return self.tables is not None and "" in self.tables

    @property
    def splits(self) -> tuple[str, ...] | None:
        """The names of its splits, none for a plain data set; None: not known."""
        return None if self.tables is None else tuple(name for name in self.tables if name)

    @property
    def place(self) -> str:
        """Where a name is looked for: `the output of node 'a'`, or the splits of it that count."""
        if not self.is_part or not self.splits:
            return f"the output of {self.name}"
        names = " and ".join(repr(name) for name in self.splits)
        return f"split{'s' * (len(self.splits) > 1)} {names} of {self.name}"

    @property
    def union(self) -> Columns:
        """The columns that are in any of the splits."""
        if self.tables is None:
            return self.columns
        return union(self.tables.values())

    def of(self, split: str) -> Columns:
        """The columns that the split may have."""
        return self.columns if self.tables is None else self.tables.get(split)

    def only(self, names: Sequence[str]) -> Known:
        """The named splits; nothing is known where one of them is not there."""
        if self.tables is None:
            return replace(self, tables=dict.fromkeys(names, self.columns), is_part=True)
        if any(name not in self.tables for name in names):
            return Known(name=self.name)
        return replace(self, tables={name: self.tables[name] for name in names}, is_part=True)

    def each(self, change: Callable[[Columns], Columns]) -> Known:
        """With other columns in each split."""
        tables = self.tables
        changed = None if tables is None else {name: change(own) for name, own in tables.items()}
        return replace(self, tables=changed, columns=change(self.columns))

    def entry(self, name: str) -> Known:
        """One of its splits as a data set of its own; of other entries nothing is known."""
        if self.tables is None or name not in self.tables:
            return Known()
        return Known(tables={"": self.tables[name]})


def union(found: Iterable[Columns]) -> Columns:
    """The columns that are in any of these, in the order in which they come up."""
    names: dict[str, None] = {}
    for columns in found:
        if columns is None:
            return None
        names |= dict.fromkeys(columns)
    return tuple(names)
