"""Values: what marks a parameter, what a value looks like from outside, and how it becomes files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NewType, Protocol, TypeAlias, runtime_checkable

Fingerprint = NewType("Fingerprint", str)
"""Names a computation: SHA-256 in hex over the op, its code, parameters and inputs."""

Digest = NewType("Digest", str)
"""Names bytes: SHA-256 in hex over an object's files, or over one file."""

File = NewType("File", str)
"""A parameter of this type is a file, a folder or a glob; its content belongs to the fingerprint."""

DatasetSource = NewType("DatasetSource", str)
"""A data set: a folder (its content belongs to the fingerprint) or an id of the Hugging Face hub."""

TokenizerSource = NewType("TokenizerSource", str)
"""A tokenizer: a folder (only its tokenizer files count) or an id of the Hugging Face hub."""

ModelSource = NewType("ModelSource", str)
"""A checkpoint: a folder (its content belongs to the fingerprint) or an id of the Hugging Face hub."""

# Plain texts to a type checker, so that a name can be a default: `text: Column = "text"`.
Split: TypeAlias = str
"""A parameter of this type names a split of an input; `check` looks for it."""

Column: TypeAlias = str
"""A parameter of this type names a column of an input; `check` looks for it."""


class Memo(Protocol):
    """A small cache that may forget at any moment: text in, text out."""

    def get(self, key: str) -> str | None:
        """The text stored under `key`, or None."""

    def set(self, key: str, value: str) -> None:
        """Remember `value` under `key`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What `inspect` shows of a value without loading it. JSON values only."""

    kind: str
    """The value's type in words: `"DatasetDict"`, `"int"`."""

    rows: Mapping[str, int] = field(default_factory=dict)
    """Rows of each split; a value without splits has the one key `""`; empty when it has no rows."""

    schema: Mapping[str, str] = field(default_factory=dict)
    """Column name to type."""

    labels: Mapping[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)
    """Column → split → label → count, for columns with few distinct values."""

    statistics: Mapping[str, Any] = field(default_factory=dict)
    """What a recorder says of its rows, by name, long values shortened."""

    sample: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """The first rows of each split, long values shortened."""

    text: str = ""
    """One line about a value that has no rows: `"float32 (3, 4)"`."""


class Format(Protocol):
    """How one type of value becomes plain files and comes back equal, in value and in type."""

    def save(self, value: Any, folder: Path) -> None:
        """Write `value` into the empty `folder`; equal values give equal bytes."""

    def load(self, folder: Path) -> Any:
        """The value that was saved into `folder`; memory-mapped where the type allows."""

    def describe(self, value: Any) -> Summary:
        """What `inspect` shows of the value; reads at most a bounded number of rows' content."""


@runtime_checkable
class RowFormat(Format, Protocol):
    """A format of values that have rows, and so can be worked on in shards."""

    def part(self, value: Any, rows: Callable[[int], range]) -> Any:
        """The rows that `rows` picks of their number, of each split where there are splits.

        Raises:
            DataError: this value has no rows.
        """

    def join(self, parts: Sequence[Any]) -> Any:
        """The rows of all parts in order, not copied into memory where the type allows.

        Raises:
            DataError: the parts are not of one shape; the message says how they differ.
        """
