"""Sources: where the values of a recipe come from: places in files, variants, the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where one leaf of a recipe was written."""

    file: str
    """The recipe's path as the user knows it, `--set #2`, or `default`."""

    line: int = 0
    """From 1; 0 when the place has no lines."""

    column: int = 0
    """From 1; 0 when unknown."""

    note: str = ""
    """What else there is to say of it: `variant model=tiny`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Variants of which at most one holds."""

    name: str

    options: Mapping[str, Origin] = field(default_factory=dict)
    """Option → where it is declared."""

    picked: str | None = None
    """The option that holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What a command line changes in a recipe, each as typed."""

    picks: tuple[str, ...] = ()
    """`--pick`: `group=option`."""

    files: tuple[str, ...] = ()
    """`--set-file`: paths of TOML or JSON files."""

    unsets: tuple[str, ...] = ()
    """`--unset`: keys."""

    sets: tuple[str, ...] = ()
    """`--set`: `key=value`, `key+=value`, `key-=value`."""

    @property
    def typed(self) -> tuple[str, ...]:
        """All of them in the order in which they are applied: `--pick model=tiny`, `--set train.epochs=1`."""
        return (
            *(f"--pick {text}" for text in self.picks),
            *(f"--set-file {text}" for text in self.files),
            *(f"--unset {text}" for text in self.unsets),
            *(f"--set {text}" for text in self.sets),
        )

    def __bool__(self) -> bool:
        return bool(self.typed)
