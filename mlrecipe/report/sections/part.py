"""Parts: a section of a page with its anchor and title."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlrecipe.pages import html
from mlrecipe.pages.html import Markup


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A part of the page that the index names."""

    anchor: str
    title: str
    parts: Sequence[Markup]

    def markup(self) -> Markup:
        """The heading and what is below it."""
        head = html.heading(self.title, anchor=self.anchor)
        return Markup(f"<section>{head}{''.join(self.parts)}</section>")


def anchor(*names: str) -> str:
    """What an address can name: letters, digits and dashes of all the names."""
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in "-".join(names))
    return plain.strip("-").lower() or "part"
