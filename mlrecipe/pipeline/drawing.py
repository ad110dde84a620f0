"""Drawing: a recipe's graph with the state of each node, for a terminal, as Mermaid and as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from mlrecipe.pipeline.plan import Plan

COLORS = {"hit": "#d7f0d7", "run": "#fde8c4", "maybe": "#d5e8f7"}
"""Fill of a node by its status."""

_BOX = (150, 44)
_GAP = (36, 34)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a drawing for a terminal."""

    lanes: str
    """Edges and the node's dot."""

    node: str = ""
    """Empty where edges only meet or part."""


def edges(plan: Plan) -> list[tuple[str, str]]:
    """From and to of every edge, once each."""
    found = [(i.node, step.node.name) for step in plan.steps for i in step.node.inputs]
    return list(dict.fromkeys(found))


def rows(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> list[Row]:
    """The graph as lanes of edges from top to bottom; `names` have inputs first."""
    following: dict[str, list[str]] = {name: [] for name in names}
    for source, target in edges:
        following[source].append(target)
    lanes: list[str | None] = []
    drawn: list[Row] = []
    for name in names:
        mine = [i for i, target in enumerate(lanes) if target == name]
        if not mine:
            lanes.append(None)
            mine = [lanes.index(None)]
        if len(mine) > 1:
            drawn.append(Row(lanes=_joint(lanes, mine, "├┴╯")))
        for i in mine:
            lanes[i] = None
        first = mine[0]
        dots = ["●" if i == first else "│" if lane else " " for i, lane in enumerate(lanes)]
        drawn.append(Row(lanes=" ".join(dots).rstrip(), node=name))
        drawn += _fork(lanes, first, following[name])
        while lanes and lanes[-1] is None:
            lanes.pop()
    return drawn


def mermaid(plan: Plan) -> str:
    """The graph as a Mermaid flow chart, which GitHub and many editors draw."""
    ids = {step.node.name: f"n{number}" for number, step in enumerate(plan.steps)}
    lines = ["flowchart TD"]
    for step in plan.steps:
        name, use = _quoted(step.node.name), _quoted(step.node.spec.use)
        label = f"{name}<br/><small>{use}, {step.status}</small>"
        lines.append(f'  {ids[step.node.name]}["{label}"]:::{step.status}')
    lines += [f"  {ids[source]} --> {ids[target]}" for source, target in edges(plan)]
    lines += [f"  classDef {status} fill:{fill}" for status, fill in COLORS.items()]
    return "\n".join(lines)


def svg(plan: Plan) -> str:
    """The graph as an SVG picture of its own: no script, no font, nothing from elsewhere."""
    links = edges(plan)
    layers = _layers([step.node.name for step in plan.steps], links)
    places = _places(layers)
    width = max((x for x, _ in places.values()), default=0) + _BOX[0] + _GAP[0]
    height = max((y for _, y in places.values()), default=0) + _BOX[1] + _GAP[1]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="13">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>',
    ]
    parts += [_arrow(places[source], places[target]) for source, target in links]
    for step in plan.steps:
        x, y = places[step.node.name]
        reason = escape("; ".join(step.reasons))
        parts.append(
            f"<g><title>{escape(step.node.name)}: {step.status} ({reason})</title>"
            f'<rect x="{x}" y="{y}" width="{_BOX[0]}" height="{_BOX[1]}" rx="6" '
            f'fill="{COLORS[step.status]}" stroke="#555"/>'
            f"{_text(step.node.name, x, y + 18, bold=True)}"
            f"{_text(f'{step.node.spec.use}, {step.status}', x, y + 35)}</g>"
        )
    return "\n".join([*parts, "</svg>"])


def _joint(lanes: Sequence[str | None], mine: Sequence[int], signs: str) -> str:
    """A row in which the lanes of `mine` meet in the first of them, or part from it."""
    text = ""
    for i, lane in enumerate(lanes):
        inside = mine[0] <= i < mine[-1]
        if i == mine[0]:
            sign = signs[0]
        elif i == mine[-1]:
            sign = signs[2]
        elif i in mine:
            sign = signs[1]
        elif mine[0] < i < mine[-1]:
            sign = "┼" if lane else "─"
        else:
            sign = "│" if lane else " "
        text += sign + ("─" if inside else " ")
    return text.rstrip()


def _fork(lanes: list[str | None], first: int, targets: Sequence[str]) -> list[Row]:
    """Give each target a lane, the first of them the node's own; the row that shows it, if one is needed."""
    if not targets:
        return []
    lanes[first] = targets[0]
    if len(targets) == 1:
        return []
    before = list(lanes)
    mine = [first]
    for target in targets[1:]:
        free = next((i for i in range(first + 1, len(lanes)) if lanes[i] is None), None)
        if free is None:
            lanes.append(target)
            before.append(None)
            free = len(lanes) - 1
        lanes[free] = target
        mine.append(free)
    return [Row(lanes=_joint(before, sorted(mine), "├┬╮"))]


def _layers(names: Sequence[str], links: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Names by their longest way from a start, each layer ordered by where its inputs stand."""
    above: dict[str, list[str]] = {name: [] for name in names}
    for source, target in links:
        above[target].append(source)
    depth: dict[str, int] = {}
    for name in names:
        depth[name] = 1 + max((depth[source] for source in above[name]), default=-1)
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name in names:
        layers[depth[name]].append(name)
    order: dict[str, float] = {}
    for layer in layers:
        middles = {
            name: sum(order[s] for s in above[name]) / len(above[name]) if above[name] else i
            for i, name in enumerate(layer)
        }
        layer.sort(key=lambda name: middles[name])
        order |= {name: i for i, name in enumerate(layer)}
    return layers


def _places(layers: Sequence[Sequence[str]]) -> dict[str, tuple[int, int]]:
    widest = max((len(layer) for layer in layers), default=0)
    places = {}
    for row, layer in enumerate(layers):
        indent = (widest - len(layer)) * (_BOX[0] + _GAP[0]) // 2
        for column, name in enumerate(layer):
            x = _GAP[0] + indent + column * (_BOX[0] + _GAP[0])
            places[name] = (x, _GAP[1] // 2 + row * (_BOX[1] + _GAP[1]))
    return places


def _arrow(source: tuple[int, int], target: tuple[int, int]) -> str:
    x1, y1 = source[0] + _BOX[0] // 2, source[1] + _BOX[1]
    x2, y2 = target[0] + _BOX[0] // 2, target[1]
    bend = (y2 - y1) // 2
    path = f"M{x1} {y1}C{x1} {y1 + bend} {x2} {y2 - bend} {x2} {y2}"
    return f'<path d="{path}" fill="none" stroke="#555" marker-end="url(#tip)"/>'


def _text(text: str, x: int, y: int, *, bold: bool = False) -> str:
    shown = text if len(text) <= 22 else text[:21] + "…"
    weight = ' font-weight="bold"' if bold else ' fill="#444" font-size="11"'
    return (
        f'<text x="{x + _BOX[0] // 2}" y="{y}" text-anchor="middle"{weight}>{escape(shown)}</text>'
    )


def _quoted(text: str) -> str:
    """The text as Mermaid shows it as it stands."""
    special: Mapping[str, str] = {'"': "#quot;", "<": "#lt;", ">": "#gt;", "#": "#35;"}
    return "".join(special.get(char, char) for char in text).replace("\n", " ")
