"""Statistics of the data, as `prepare` reports them and `inspect` shows them."""

from __future__ import annotations

from typing import Any

from mlrecipe.cli import render


def show_statistics(name: str, value: Any) -> None:
    """Print what a `statistics` node found."""
    render.document({name: value})
