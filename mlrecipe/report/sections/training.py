"""How the training went, in curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlrecipe.pages import charts, html
from mlrecipe.pages.amounts import counted, duration, number, share
from mlrecipe.pages.html import Markup
from mlrecipe.report import learning

_MOST_CHARTS = 16


def parts(found: Mapping[str, Any] | None) -> Iterator[Markup]:
    """A sentence and a chart of each metric."""
    if found is None:
        yield html.paragraph("The training is not among the runs any more: there are no curves.")
        return
    if said := _outcome(found):
        yield html.paragraph(said)
    if not found["curves"]:
        yield html.paragraph("The training has no log (logs/metrics.csv): there are no curves.")
        return
    best = found.get("best_step")
    marks = [float(best)] if isinstance(best, int) else []
    yield html.plots(_charts(found["curves"], marks))
    if marks:
        yield html.paragraph("The dashed upright line is the best checkpoint's step.", kind="faint")
    yield html.folded("first, least, greatest and last numbers", [_table(found["curves"])])


def overlaid(
    names: Sequence[str], trainings: Sequence[Mapping[str, Any] | None]
) -> Iterator[Markup]:
    """The curves of several trainings, a chart for each metric."""
    curves = {
        name: training["curves"]
        for name, training in zip(names, trainings, strict=True)
        if training is not None and training["curves"]
    }
    if not curves:
        yield html.paragraph("None of these trainings has a log: there are no curves.")
        return
    logged = dict.fromkeys(metric for each in curves.values() for metric in each)
    order = [metric for group in learning.groups(logged).values() for metric in group]
    drawn = []
    for metric in order[:_MOST_CHARTS]:
        series = {name: each[metric] for name, each in curves.items() if metric in each}
        drawn.append(charts.curves(metric, series, across="step"))
    yield html.plots(drawn)


def _charts(curves: Mapping[str, Any], marks: Sequence[float]) -> Iterator[Markup]:
    for title, names in list(learning.groups(curves).items())[:_MOST_CHARTS]:
        named = names[0] if len(names) == 1 else title
        series = {name: curves[name] for name in names}
        yield charts.curves(named, series, across="step", marks=marks)


def _outcome(found: Mapping[str, Any]) -> str:
    said = []
    if "epochs" in found and "steps" in found:
        said.append(f"{counted(found['epochs'], 'epoch')}, {counted(found['steps'], 'step')}")
    if "seconds" in found:
        said.append(duration(found["seconds"]))
    if "examples_per_second" in found:
        said.append(f"{found['examples_per_second']:,} examples/s")
    if "batch_fill" in found:
        said.append(f"batches {share(found['batch_fill'])} full")
    if "best_step" in found and found["best_step"] is not None:
        said.append(f"best at step {found['best_step']:,}")
    if found.get("stopped"):
        said.append(f"stopped: {found['stopped']}")
    return f"{', '.join(said)}." if said else ""


def _table(curves: Mapping[str, Any]) -> Markup:
    rows = []
    for name, points in curves.items():
        numbers = [value for _, value in points]
        least, greatest = min(numbers), max(numbers)
        rows.append((name, *(number(float(n)) for n in (numbers[0], least, greatest, numbers[-1]))))
    return html.table(("", "first", "least", "greatest", "last"), rows, are_numbers=True)
