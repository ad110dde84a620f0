"""A type and its format as a user would write them, and what a test publishes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlrecipe
from mlrecipe.interfaces import Fingerprint, Summary
from mlrecipe.store import Computation


@dataclass(frozen=True)
class Pages:
    """Text files by relative path."""

    texts: dict[str, str]


@mlrecipe.format("pages", types=("tests.store.pages.Pages",))
class PagesFormat:
    """A file per page."""

    def save(self, value: Pages, folder: Path) -> None:
        """Write each page, in whatever order they come."""
        for name, text in value.texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)

    def load(self, folder: Path) -> Pages:
        """Read every page."""
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return Pages({path.relative_to(folder).as_posix(): path.read_text() for path in paths})

    def describe(self, value: Pages) -> Summary:
        """The number of pages."""
        return Summary(kind="Pages", rows={"": len(value.texts)})


BOOK = Pages({"a.txt": "first", "part/b.txt": "second"})


def fingerprint(name: str) -> Fingerprint:
    """A fingerprint to test with."""
    return Fingerprint(hashlib.sha256(name.encode()).hexdigest())


def computation(name: str = "clean", **changes: Any) -> Computation:
    """A computation to test with; its fingerprint comes from `name`."""
    fields: dict[str, Any] = {
        "fingerprint": fingerprint(name),
        "own": fingerprint(f"own {name}"),
        "parts": {"op": "clean", "params": {"lower": True}},
        "recipe": "imdb.toml",
        "node": "clean",
        "op": "clean",
        "created": "2026-01-31T12:00:00+00:00",
        "seconds": 1.5,
        "cpu_seconds": 1.25,
    }
    return Computation(**(fields | changes))
