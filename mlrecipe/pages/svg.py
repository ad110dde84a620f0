"""Drawings: bars and histograms as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlrecipe.pages.html import Markup, text

_WIDTH = 430
_LINE = 22
_NAMES = 130
_NUMBERS = 110
_HEIGHT = 150
_MOST_LETTERS = 18


def bars(title: str, rows: Mapping[str, int], shares: Mapping[str, float] | None = None) -> Markup:
    """A horizontal bar for each name, with its number and, where it has one, its share."""
    top = max(rows.values(), default=0) or 1
    room = _WIDTH - _NAMES - _NUMBERS
    shapes = []
    for number, (name, count) in enumerate(rows.items()):
        y = number * _LINE
        share = f" ({shares[name]:.1%})" if shares else ""
        length = room * count / top
        shapes.append(
            f'<text x="{_NAMES - 8}" y="{y + 15}" text-anchor="end">{_short(name)}</text>'
            f'<rect x="{_NAMES}" y="{y + 3}" width="{length:.1f}" height="{_LINE - 6}">'
            f"<title>{text(name)}: {count:,}{share}</title></rect>"
            f'<text class="faint" x="{_NAMES + length + 6:.1f}" y="{y + 15}">{count:,}{share}</text>'
        )
    return _figure(title, max(1, len(rows)) * _LINE + 4, shapes)


def histogram(
    title: str, edges: Sequence[float], rows: Sequence[int], *, is_open: bool = False
) -> Markup:
    """A column for each bin, from an edge to below the next.

    The last bin has everything beyond it too where `is_open`.
    """
    top = max(rows, default=0) or 1
    width = (_WIDTH - 40) / max(1, len(rows))
    shapes = []
    for number, count in enumerate(rows):
        height = _HEIGHT * count / top
        low, high = _number(edges[number]), _number(edges[number + 1])
        is_last = is_open and number == len(rows) - 1
        name = f"{low} and more" if is_last else f"{low} to below {high}"
        shapes.append(
            f'<rect x="{20 + number * width:.1f}" y="{20 + _HEIGHT - height:.1f}" '
            f'width="{max(1.0, width - 1):.1f}" height="{height:.1f}">'
            f"<title>{name}: {count:,}</title></rect>"
        )
    base = 20 + _HEIGHT
    shapes.append(f'<line x1="20" y1="{base}" x2="{_WIDTH - 20}" y2="{base}"/>')
    for number in _ticks(len(edges)):
        x = 20 + number * width
        mark = "+" if is_open and number == len(edges) - 1 else ""
        shapes.append(
            f'<text class="faint" x="{x:.1f}" y="{base + 16}" text-anchor="middle">'
            f"{_number(edges[number])}{mark}</text>"
        )
    shapes.append(f'<text class="faint" x="20" y="13">{top:,} rows at most</text>')
    return _figure(title, base + 24, shapes)


def _figure(title: str, height: int, shapes: Sequence[str]) -> Markup:
    return Markup(
        f'<figure><figcaption>{text(title)}</figcaption><svg role="img" aria-label="{text(title)}" '
        f'width="{_WIDTH}" height="{height}" viewBox="0 0 {_WIDTH} {height}">{"".join(shapes)}</svg></figure>'
    )


def _short(name: str) -> Markup:
    return text(name if len(name) <= _MOST_LETTERS else name[: _MOST_LETTERS - 1] + "…")


def _ticks(edges: int) -> list[int]:
    """Numbers of the edges that are labelled: the first, the last and some between."""
    step = max(1, (edges - 1) // 5)
    inner = [number for number in range(0, edges, step) if edges - 1 - number >= step]
    return [*inner, edges - 1]


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,g}"
