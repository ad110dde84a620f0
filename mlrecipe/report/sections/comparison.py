"""Several runs: what differs, metrics side by side, and whether differences are more than chance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlrecipe.pages import charts, html
from mlrecipe.pages.amounts import counted, duration, number
from mlrecipe.pages.html import Markup
from mlrecipe.report import verdict
from mlrecipe.significance import is_known


def runs(found: Mapping[str, Any]) -> Iterator[Markup]:
    """Which letter is which run."""
    rows = []
    for name, about in zip(found["names"], found["runs"], strict=True):
        newest = about["runs"][-1]
        seconds = sum(run["seconds"] or 0 for run in about["runs"])
        commit = str(about["git"].get("commit", ""))[:8]
        dirty = " + changes" if about["git"].get("dirty") else ""
        rows.append(
            (Markup(f"<b>{name}</b>"), newest["run"], about["recipe"], about["model"], newest["status"],
             str(newest["started"] or "")[:10], duration(seconds), commit + dirty)
        )  # fmt: skip
    header = ("", "run", "recipe", "model", "status", "day", "took", "commit")
    yield html.table(header, rows)
    for name, about in zip(found["names"], found["runs"], strict=True):
        yield from (html.warning(f"{name}: {text}") for text in about["warnings"])


def differing(found: Mapping[str, Any]) -> Iterator[Markup]:
    """The keys that differ, a column for each run; then what else does."""
    if found["recipe"]:
        rows = [
            (key, *("" if value is None else value for value in values))
            for key, values in found["recipe"].items()
        ]
        yield html.table(("key of the recipe", *found["names"]), rows)
    else:
        yield html.paragraph("The recipes say the same.")
    if found["differences"]:
        first = found["names"][0]
        rows = [(one["run"], one["about"], one["text"]) for one in found["differences"][:200]]
        yield html.table(("run", f"differs from {first} in", ""), rows)
    else:
        yield html.paragraph("No difference is known in code, data, environment and commit.")


def verdicts(found: Mapping[str, Any]) -> list[str]:
    """What may be said, by the first metric of each split."""
    said = []
    for split in found["splits"]:
        first = next(iter(split["metrics"]), None)
        of = [one["verdict"] for one in split["comparisons"] if one["metric"] == first]
        said += [f"On {split['split']}: {text}." for text in of]
    return said


def parts(split: Mapping[str, Any]) -> Iterator[Markup]:
    """Metrics side by side, and each run against the first."""
    yield from (html.warning(note) for note in split["notes"])
    if split["metrics"]:
        yield _metrics(split)
    else:
        yield _said(split)
    if split["comparisons"]:
        yield html.heading("differences", level=3)
        yield _comparisons(split["comparisons"])
        yield html.paragraph(_how(split["comparisons"]), kind="faint")
    elif len(split["runs"]) > 1:
        yield html.paragraph("The runs cannot be compared row by row on this split.")


def _metrics(split: Mapping[str, Any]) -> Markup:
    names = split["runs"]
    header = ("metric", "run", "value", "95 % interval", "", "rows")
    rows: list[Sequence[object]] = []
    for metric, each in split["metrics"].items():
        values = [one[bound] for one in each.values() for bound in ("low", "high", "value")]
        span = charts.span_of(values)
        for place, name in enumerate(n for n in names if n in each):
            one = each[name]
            drawn = (
                charts.interval(one["value"], one["low"], one["high"], span=span)
                if is_known(one["method"])
                else ""
            )
            rows.append(
                (metric if not place else "", Markup(f"<b>{name}</b>"), number(float(one["value"])),
                 verdict.bounds(one), drawn,
                 number(split["rows"].get(name)))
            )  # fmt: skip
    return html.table(header, rows, numbers=(2, 3, 5))


def _said(split: Mapping[str, Any]) -> Markup:
    """What the runs themselves measured."""
    names = list(dict.fromkeys(name for one in split["said"].values() for name in one))
    rows = [
        (name, *(number(split["said"][run].get(name)) for run in split["runs"])) for name in names
    ]
    return html.table(("metric", *split["runs"]), rows, are_numbers=True)


def _comparisons(found: Sequence[Mapping[str, Any]]) -> Markup:
    rows = []
    for one in found:
        bounds, drawn = verdict.bounds({**one, "method": one["interval"]}), Markup("")
        if one["low"] is not None and one["high"] is not None:
            reach = max(abs(one["low"]), abs(one["high"])) * 1.15 or 1.0
            bounds = f"{one['low']:+.4f} to {one['high']:+.4f}"
            drawn = charts.interval(
                one["difference"], one["low"], one["high"], span=(-reach, reach), zero=True
            )
        rows.append(
            (one["metric"], f"{one['second']} less {one['first']}", _signed(one), bounds, drawn,
             _p(one["p_adjusted"]), one["test"], one["better"] or "cannot be told")
        )  # fmt: skip
    header = ("metric", "", "difference", "95 % interval", "", "p", "test", "better")
    return html.table(header, rows, numbers=(2, 3, 5))


def _signed(one: Mapping[str, Any]) -> Markup:
    if one["difference"] is None:
        return Markup("")
    looks = "" if one["better"] is None else "up" if one["better"] == one["second"] else "down"
    return Markup(f'<span class="{looks}">{one["difference"]:+.4f}</span>')


def _p(value: float | None) -> str:
    if value is None:
        return ""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _how(found: Sequence[Mapping[str, Any]]) -> str:
    rows = max(one["rows"] for one in found)
    pairs = len({(one["first"], one["second"]) for one in found})
    holm = (
        " The p-values of a metric are corrected for all pairs (Holm), the intervals are not: one may "
        "leave out 0 where p tells nothing."
        if pairs > 1
        else ""
    )
    return (
        f"Both runs of a pair were judged on the same {counted(rows, 'row')}; intervals are of the paired "
        f"bootstrap.{holm} Where p is 0.05 or more the difference may be chance. Neither says what other "
        "seeds would give."
    )
