"""HTML: one self-contained page from its parts; every text that comes from elsewhere is escaped here."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import NewType

from mlrecipe.cli.render import visible
from mlrecipe.errors import MlrecipeError, RequestError
from mlrecipe.secrecy import redact

Markup = NewType("Markup", str)
"""HTML that is safe as it stands."""

_LONGEST = 2000
"""Characters of one text; what a cell holds beyond is left out."""

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --faint: #6b7280; --line: #d9dce1; --page: #fff;
  --bar: #3b6ea8; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e8eb; --faint: #9aa1ab; --line: #3a3f47; --page: #17191c; --bar: #7aa7d9; }
}
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page); max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; } h3 { font-size: 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .25rem .9rem .25rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { font-weight: 600; white-space: nowrap; } td.number, th.number { text-align: right; white-space: nowrap; }
.warning { border-left: 3px solid #c2410c; padding-left: .7rem; margin: .3rem 0; }
.plots { display: flex; flex-wrap: wrap; gap: 1.5rem; } figure { margin: 0; }
figcaption, .faint { color: var(--faint); font-size: .87rem; }
svg { display: block; } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg .faint { fill: var(--faint); } svg rect { fill: var(--bar); } svg line { stroke: var(--line); }
""".strip()


def text(value: object) -> Markup:
    """A text, escaped, without control characters and secrets; a very long one is cut."""
    plain = redact(str(value))
    plain = plain if len(plain) <= _LONGEST else plain[:_LONGEST] + " …"
    return Markup(escape(visible(plain)))


def heading(title: str, *, level: int = 2) -> Markup:
    """A heading."""
    return Markup(f"<h{level}>{text(title)}</h{level}>")


def warning(message: str) -> Markup:
    """A sentence that deserves attention."""
    return Markup(f'<p class="warning">{text(message)}</p>')


def facts(pairs: Iterable[Sequence[str]]) -> Markup:
    """Names with their values, a row each."""
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th><td>{text(value)}</td></tr>' for name, value in pairs
    )
    return Markup(f'<div class="scroll"><table>{rows}</table></div>')


def table(
    header: Sequence[str], rows: Iterable[Sequence[object]], *, are_numbers: bool = False
) -> Markup:
    """A table; where its cells are numbers all but the first of a row stand right."""
    kind = ' class="number"' if are_numbers else ""

    def line(cells: Sequence[object], tag: str) -> str:
        first, *rest = (text(cell) for cell in cells)
        return f"<tr><{tag}>{first}</{tag}>" + "".join(
            f"<{tag}{kind}>{cell}</{tag}>" for cell in rest
        )

    body = "".join(line(row, "td") + "</tr>" for row in rows)
    head = line(header, "th") + "</tr>"
    return Markup(
        f'<div class="scroll"><table><thead>{head}</thead><tbody>{body}</tbody></table></div>'
    )


def plots(drawings: Iterable[Markup]) -> Markup:
    """Drawings beside each other."""
    return Markup(f'<div class="plots">{"".join(drawings)}</div>')


def page(title: str, parts: Iterable[Markup]) -> str:
    """The whole file; it asks for nothing outside itself and runs nothing."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>\n{_STYLE}\n</style>\n</head>\n<body>\n"
        f"<h1>{text(title)}</h1>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def write(path: Path, content: str) -> None:
    """Write a page whole, or leave what was there.

    Raises:
        RequestError: it cannot be written there.
    """
    if path.is_dir():
        raise RequestError(f"{str(path)!r} is a folder", key="--html", hint="name a file in it")
    if not path.parent.is_dir():
        raise RequestError(f"there is no folder {str(path.parent)!r}", key="--html")
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        aside.write_bytes(content.encode("utf-8", "replace"))
        aside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise MlrecipeError(f"cannot write {str(path)!r}: {error.strerror}", key="--html") from None
