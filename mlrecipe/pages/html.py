"""HTML: one self-contained page from its parts; every text that comes from elsewhere is escaped here."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Container, Iterable, Sequence
from html import escape
from pathlib import Path

from mlrecipe.errors import MlrecipeError, RequestError
from mlrecipe.pages.style import SHEET
from mlrecipe.secrecy import redact


class Markup(str):
    """HTML that is safe as it stands."""

    __slots__ = ()


_LONGEST = 2000
"""Characters of one text; what a cell holds beyond is left out."""

_CONTROLS = {n: f"\\x{n:02x}" for n in (*range(32), *range(127, 160)) if chr(n) not in "\t\n"}
_DIRECTIONS = {n: f"\\u{n:04x}" for n in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
"""What turns the direction of all that follows: a text must not reorder the page around it."""


def text(value: object, *, longest: int = _LONGEST) -> Markup:
    """A text, escaped, without secrets, control characters written out; a very long one is cut."""
    plain = redact(str(value))
    plain = plain if len(plain) <= longest else plain[:longest] + " …"
    if not plain.isprintable():
        plain = plain.translate(_CONTROLS | _DIRECTIONS)
    return Markup(escape(plain))


def inline(value: object) -> Markup:
    """Markup as it stands, anything else as a text."""
    return value if isinstance(value, Markup) else text(value)


def heading(title: str, *, level: int = 2, anchor: str = "") -> Markup:
    """A heading; `anchor` is by what the index finds it."""
    place = f' id="{text(anchor)}"' if anchor else ""
    return Markup(f"<h{level}{place}>{text(title)}</h{level}>")


def warning(message: str) -> Markup:
    """A sentence that deserves attention."""
    return paragraph(message, kind="warning")


def paragraph(*parts: object, kind: str = "") -> Markup:
    """A paragraph of sentences; `kind` is `faint`, `verdict`, `warning`, `lead` or nothing."""
    looks = f' class="{kind}"' if kind else ""
    return Markup(f"<p{looks}>{' '.join(inline(part) for part in parts)}</p>")


def facts(pairs: Iterable[Sequence[object]]) -> Markup:
    """Names with their values, a row each."""
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th><td>{inline(value)}</td></tr>'
        for name, value in pairs
    )
    return Markup(f'<div class="scroll"><table class="facts">{rows}</table></div>')


def table(
    header: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    are_numbers: bool = False,
    numbers: Container[int] = (),
    texts: Container[int] = (),
    caption: str = "",
) -> Markup:
    """A table that scrolls where it is too wide.

    Args:
        header: names of the columns.
        rows: cells, texts or markup.
        are_numbers: all cells but the first of a row stand right.
        numbers: columns, from 0, that stand right.
        texts: columns, from 0, of long texts.
        caption: what the table is.
    """

    def kind(place: int) -> str:
        if place in numbers or (are_numbers and place):
            return ' class="number"'
        return ' class="text" dir="auto"' if place in texts else ""

    def line(cells: Sequence[object], tag: str) -> str:
        shown = (f"<{tag}{kind(i)}>{inline(cell)}</{tag}>" for i, cell in enumerate(cells))
        return f"<tr>{''.join(shown)}</tr>"

    said = f"<caption>{text(caption)}</caption>" if caption else ""
    body = "".join(line(row, "td") for row in rows)
    return Markup(
        f'<div class="scroll"><table>{said}<thead>{line(header, "th")}</thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def code(content: str, *, longest: int) -> Markup:
    """A text as it stands in a file; what is beyond `longest` characters is left out."""
    return Markup(f'<pre tabindex="0"><code>{text(content, longest=longest)}</code></pre>')


def folded(title: str, parts: Iterable[Markup]) -> Markup:
    """Parts that show when their title is pressed."""
    return Markup(f"<details><summary>{text(title)}</summary>{''.join(parts)}</details>")


def plots(drawings: Iterable[Markup]) -> Markup:
    """Drawings beside each other."""
    return Markup(f'<div class="plots">{"".join(drawings)}</div>')


def index(entries: Iterable[tuple[str, str]]) -> Markup:
    """Links to headings, anchor and title of each."""
    links = "".join(f'<a href="#{text(anchor)}">{text(title)}</a>' for anchor, title in entries)
    return Markup(f'<nav aria-label="contents">{links}</nav>')


def page(title: str, parts: Iterable[Markup]) -> str:
    """The whole file; it asks for nothing outside itself and runs nothing."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>\n{SHEET}\n</style>\n</head>\n<body>\n"
        f"<h1>{text(title)}</h1>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def write(path: Path, content: str, *, key: str = "--html") -> None:
    """Write a page whole, or leave what was there; `key` is what errors are told at.

    Raises:
        RequestError: it cannot be written there.
    """
    if path.is_dir():
        raise RequestError(f"{str(path)!r} is a folder", key=key, hint="name a file in it")
    if not path.parent.is_dir():
        raise RequestError(f"there is no folder {str(path.parent)!r}", key=key)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.write_bytes(content.encode("utf-8", "replace"))
        aside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise MlrecipeError(f"cannot write {str(path)!r}: {error.strerror}", key=key) from None
