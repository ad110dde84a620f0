"""Verdicts: what may be said of a comparison, in one sentence of plain words."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mlrecipe.significance.intervals import is_known

if TYPE_CHECKING:
    from mlrecipe.significance.comparison import Comparison


def verdict(found: Comparison) -> str:
    """What may be said: which one is better, or that no difference can be told, and how sure that is."""
    a, b = found.names
    if math.isnan(found.p_value):
        return f"{found.metric}: nothing can be said, for it is no finite number"
    if not found.differ:
        return f"{found.metric}: {a} and {b} do the same in all {found.rows:,} rows"
    values = f"{found.metric} {found.b:.4f} against {found.a:.4f}"
    if found.better == b:
        return f"{b} is better than {a}: {values} ({_facts(found)})"
    if found.better == a:
        values = f"{found.metric} {found.a:.4f} against {found.b:.4f}"
        return f"{a} is better than {b}: {values} ({_facts(found)})"
    return (
        f"no difference can be told between {a} and {b}: {values} ({_facts(found)}){_power(found)}"
    )


def p_text(p_value: float) -> str:
    """`p = 0.031`, `p < 0.001`."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def signed(value: float) -> str:
    """`+0.0120`; 0 has no sign."""
    text = f"{value:+.4f}"
    return "0.0000" if float(text) == 0 else text


def _facts(found: Comparison) -> str:
    interval = found.interval
    difference, low, high = interval.value, interval.low, interval.high
    if found.better == found.names[0]:  # what is said first less what is said after it
        difference, low, high = -difference, -high, -low
    percent = f"{interval.confidence * 100:.4g} %"
    bounds = f"{percent} interval {signed(low)} to {signed(high)}"
    if not is_known(interval.method):
        bounds = f"no {percent} interval, for all resamples agree"
    said = [
        f"difference {signed(difference)}", bounds, _p(found), f"{found.rows:,} rows",
    ]  # fmt: skip
    if found.counts is not None:
        only = found.counts["only_a"] + found.counts["only_b"]
        said.append(f"{only:,} of them right in only one of the two")
    return ", ".join(said)


def _p(found: Comparison) -> str:
    text = p_text(found.p_adjusted)
    return text if found.p_adjusted == found.p_value else f"{text} after Holm's correction"


def _power(found: Comparison) -> str:
    """What could have been found: that nothing was is no sign that nothing is there."""
    if not found.found > 0:
        return ""
    return f"; a true difference of {found.found:.4f} would be found in four of five tests of so many rows"
