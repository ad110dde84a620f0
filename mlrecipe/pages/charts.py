"""Charts: curves, clouds of points, calibration and intervals as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlrecipe.pages.amounts import axis, share
from mlrecipe.pages.html import Markup, text

Point = tuple[float, float]

COLORS = 6
"""Kinds of colour there are; a seventh curve has the first again."""

_WIDTH, _HEIGHT = 430, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 12, 12, 34
_MOST_DOTS = 40
_MOST_POINTS = 300


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where numbers lie in a drawing."""

    low: Point
    high: Point
    width: int = _WIDTH
    height: int = _HEIGHT

    def x(self, value: float) -> float:
        """From the left, in pixels."""
        room = self.width - _LEFT - _RIGHT
        return _LEFT + room * _part(value, self.low[0], self.high[0])

    def y(self, value: float) -> float:
        """From the top, in pixels."""
        room = self.height - _TOP - _BOTTOM
        return _TOP + room * (1 - _part(value, self.low[1], self.high[1]))

    def axes(self, names: tuple[str, str]) -> list[str]:
        """Lines with numbers, and what the axes are."""
        right, base = self.width - _RIGHT, self.height - _BOTTOM
        shapes = []
        for value in ticks(self.low[1], self.high[1]):
            y = self.y(value)
            shapes.append(
                f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}"/><text class="faint" '
                f'x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{axis(value)}</text>'
            )
        shapes += [
            f'<text class="faint" x="{self.x(value):.1f}" y="{base + 15}" '
            f'text-anchor="middle">{axis(value)}</text>'
            for value in ticks(self.low[0], self.high[0])
        ]
        shapes.append(
            f'<text class="faint" x="{right}" y="{base + 29}" text-anchor="end">{text(names[0])}</text>'
        )
        return shapes


def ticks(low: float, high: float, *, most: int = 5) -> list[float]:
    """Round numbers from `low` to `high`, at most one more than `most`."""
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * part for part in (1, 2, 2.5, 5, 10) if power * part >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


def curves(
    title: str, series: Mapping[str, Sequence[Point]], *, across: str, marks: Sequence[float] = ()
) -> Markup:
    """Lines of numbers over others, which `across` names; `marks` are upright lines, such as the best step.

    Each series has its points from left to right; those that are no finite numbers are left out. Of long
    ones the least and the greatest of each piece are drawn.
    """
    shown = {name: thinned(_finite(points)) for name, points in series.items()}
    shown = {name: points for name, points in shown.items() if points}
    if not shown:
        return Markup("")
    frame = _frame([point for points in shown.values() for point in points])
    shapes = frame.axes((across, ""))
    for mark in marks:
        x = frame.x(mark)
        if _LEFT - 1 <= x <= _WIDTH - _RIGHT + 1:
            base = _HEIGHT - _BOTTOM
            shapes.append(
                f'<line class="guide" x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{base}"/>'
            )
    for number, (name, points) in enumerate(shown.items()):
        shapes.append(_line(frame, f"s{number % COLORS}", name, points))
    keys = "".join(
        f'<span class="key s{number % COLORS}"><b>{text(name)}</b></span>'
        for number, name in enumerate(shown)
    )
    legend = keys if len(shown) > 1 or list(shown) != [title] else ""
    return figure(title, shapes, legend=Markup(legend))


def thinned(points: Sequence[Point], *, most: int = _MOST_POINTS) -> list[Point]:
    """The points, or of many the ends and the least and the greatest of each piece, in their order."""
    if len(points) <= most:
        return list(points)
    pieces = most // 2 - 1
    kept = {points[0], points[-1]}
    for number in range(pieces):
        part = points[len(points) * number // pieces : len(points) * (number + 1) // pieces]
        kept |= {choose(part, key=lambda point: point[1]) for choose in (min, max)}
    return sorted(kept)


def scatter(
    title: str, points: Sequence[Point], *, across: str, up: str, has_diagonal: bool = True
) -> Markup:
    """A cloud of points; where both axes are the same number, with the line on which they are equal."""
    finite = _finite(points)
    if not finite:
        return Markup("")
    frame = _frame(finite)
    shapes = frame.axes((f"{across} →, {up} ↑", ""))
    low, high = (max(frame.low), min(frame.high))
    if has_diagonal and low < high:
        shapes.append(_guide(frame, (low, low), (high, high)))
    if not has_diagonal and frame.low[1] < 0 < frame.high[1]:
        shapes.append(_guide(frame, (frame.low[0], 0.0), (frame.high[0], 0.0)))
    shapes += [
        f'<circle class="cloud" cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="2.2"/>'
        for x, y in finite
    ]
    return figure(title, shapes)


def calibration(title: str, bins: Sequence[Mapping[str, float]]) -> Markup:
    """How often decisions are right against how sure they are, a point for each bin, as large as the bin."""
    frame = _Frame((0.0, 0.0), (1.0, 1.0), width=300, height=280)
    most = max((each["rows"] for each in bins), default=0) or 1
    shapes = frame.axes(("confidence →, share right ↑", ""))
    shapes.append(_guide(frame, (0.0, 0.0), (1.0, 1.0)))
    points = [(each["confidence"], each["accuracy"]) for each in bins]
    path = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in points)
    shapes.append(f'<polyline class="s0" points="{path}"/>')
    for each, (x, y) in zip(bins, points, strict=True):
        radius = 2 + 6 * math.sqrt(each["rows"] / most)
        shapes.append(
            f'<circle class="point" cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="{radius:.1f}"><title>'
            f"{each['rows']:,} decisions, {share(x)} sure on average, {share(y)} right</title></circle>"
        )
    return figure(title, shapes, width=300, height=280)


def interval(value: float, low: float, high: float, *, span: Point, zero: bool = False) -> Markup:
    """A number with its interval as a small bar on the scale from `span[0]` to `span[1]`.

    `zero`: with a mark where nothing is.
    """
    width = 150
    at = [4 + (width - 8) * min(max(_part(n, *span), 0.0), 1.0) for n in (low, value, high)]
    mark = ""
    if zero:
        x = 4 + (width - 8) * min(max(_part(0.0, *span), 0.0), 1.0)
        mark = f'<line class="guide" x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="16"/>'
    label = f"{axis(round(low, 4))} to {axis(round(high, 4))}"
    return Markup(
        f'<svg role="img" aria-label="{label}" width="{width}" height="16" viewBox="0 0 {width} 16">'
        f'<line x1="4" y1="8" x2="{width - 4}" y2="8"/>{mark}'
        f'<line class="whisker" x1="{at[0]:.1f}" y1="8" x2="{at[2]:.1f}" y2="8"/>'
        f'<circle class="point" cx="{at[1]:.1f}" cy="8" r="3.4"/></svg>'
    )


def span_of(values: Sequence[float]) -> Point:
    """A scale for numbers: round, and from 0 to 1 where all lie between and take up much of that."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    if low >= 0 and high <= 1 and high - low > 0.5:
        return 0.0, 1.0
    room = (high - low) * 0.15 or abs(high) * 0.1 or 1.0
    return low - room, high + room


def figure(
    title: str, shapes: Sequence[str], *, width: int = _WIDTH, height: int = _HEIGHT,
    legend: Markup | None = None,
) -> Markup:  # fmt: skip
    """Shapes with what they show."""
    said = f"{text(title)} {legend}" if legend else text(title)
    return Markup(
        f'<figure><figcaption>{said}</figcaption><svg role="img" aria-label="{text(title)}" '
        f'width="{width}" height="{height}" viewBox="0 0 {width} {height}">{"".join(shapes)}</svg></figure>'
    )


def _line(frame: _Frame, color: str, name: str, points: Sequence[Point]) -> str:
    path = " ".join(f"{frame.x(x):.1f},{frame.y(y):.1f}" for x, y in points)
    shape = f'<polyline class="{color}" points="{path}"><title>{text(name)}</title></polyline>'
    if len(points) > _MOST_DOTS:
        return shape
    return shape + "".join(
        f'<circle class="{color}" cx="{frame.x(x):.1f}" cy="{frame.y(y):.1f}" r="2.6">'
        f"<title>{text(name)}: {axis(y)} at {axis(x)}</title></circle>"
        for x, y in points
    )


def _guide(frame: _Frame, start: Point, end: Point) -> str:
    (x1, y1), (x2, y2) = start, end
    return (
        f'<line class="guide" x1="{frame.x(x1):.1f}" y1="{frame.y(y1):.1f}" '
        f'x2="{frame.x(x2):.1f}" y2="{frame.y(y2):.1f}"/>'
    )


def _frame(points: Sequence[Point]) -> _Frame:
    """The frame of points, with a little room above and below."""
    across, up = [x for x, _ in points], [y for _, y in points]
    low, high = min(up), max(up)
    room = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    bottom = 0.0 if 0 <= low < 0.3 * high else low - room
    left, right = min(across), max(across)
    if left == right:
        left, right = left - 1, right + 1
    return _Frame((left, bottom), (right, high + room))


def _finite(points: Sequence[Point]) -> list[Point]:
    return [(x, y) for x, y in points if math.isfinite(x) and math.isfinite(y)]


def _part(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.5
