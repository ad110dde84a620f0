"""A runway data pipeline while it is carried over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlrecipe.migration.draft import Draft
from mlrecipe.migration.ledger import Ledger, Path
from mlrecipe.migration.old_ops import Transform
from mlrecipe.migration.wrappers import Arity, Wrapper

TRANSFORMS: Path = ("data_pipeline", "transforms")

_VALID = ("valid", "validation", "val", "dev")


@dataclass(slots=True)
class Pipeline:
    """The nodes as they are carried, and the ops that they need."""

    ledger: Ledger
    draft: Draft
    transforms: Mapping[str, Transform]
    """Of the old project, by class."""

    names: dict[str, str] = field(default_factory=dict)
    """Node in runway → node in the recipe, or what stands for it."""

    wrappers: dict[tuple[str, Arity], Wrapper] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """Transform that was not found → the op that the recipe names for it."""

    tokenizer: str = ""
    """The one that a `tokenize` node names, if one does."""

    valid_splits: set[str] = field(default_factory=set)
    """Names that splits to validate on seem to have."""

    def note_splits(self, value: Any) -> None:
        """Note names of splits to validate on that are somewhere in a value."""
        if isinstance(value, str) and value in _VALID:
            self.valid_splits.add(value)
        elif isinstance(value, (list, Mapping)):
            for item in value.values() if isinstance(value, Mapping) else value:
                self.note_splits(item)
