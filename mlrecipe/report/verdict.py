"""The verdict: what a report comes to, in a few plain sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlrecipe.pages.amounts import counted, number, share
from mlrecipe.significance import is_error, is_known
from mlrecipe.significance.intervals import ALIKE

_TIGHT = 4
"""Decimals of a bound."""


def of_one(found: Mapping[str, Any]) -> list[str]:
    """Of one run: its main metric with the interval, the commonest mistake, the weakest slice."""
    return [
        sentence for split in found["splits"] for sentence in (*measure(split), *remarks(split))
    ]


def measure(split: Mapping[str, Any]) -> Iterator[str]:
    """The main metric of a split; nothing where no row has a label."""
    interval = split["metrics"].get(split.get("main"))
    if interval is None:
        return
    where = f"{counted(split['labelled'], 'row')} of split {split['split']!r}"
    if split["is_validation"]:
        where += ", which the training was validated on"
    yield f"{split['main']} is {number(float(interval['value']))} on {where}."
    if is_known(interval["method"]):
        yield (
            f"On other rows of the same kind it would lie between {interval['low']:.{_TIGHT}f} and "
            f"{interval['high']:.{_TIGHT}f} ({interval['confidence']:.0%} interval)."
        )
    elif interval["method"] == ALIKE:
        yield "All resamples of these rows agree: how far other rows would lie cannot be told."


def remarks(split: Mapping[str, Any]) -> Iterator[str]:
    """What deserves attention in a split: what is mistaken most often, and the weakest slice."""
    pair = worst_pair(split["account"])
    if pair is not None:
        label, prediction, rows = pair
        yield f"Taken most often for another: {label!r} for {prediction!r}, {counted(rows, 'time')}."
    weak = weakest(split)
    if weak is not None:
        by, one = weak
        yield (
            f"Weakest where {by} is {one['name']}: {number(one['value'])} on "
            f"{counted(one['rows'], 'row')}, {number(one['rest'])} elsewhere."
        )


def worst_pair(account: Mapping[str, Any]) -> tuple[str, str, int] | None:
    """Of one label a row: that which is taken for another most often, that other, and how often."""
    pairs = pairs_of(account)
    return pairs[0] if pairs and account.get("kind") == "single_label_classification" else None


def pairs_of(account: Mapping[str, Any]) -> list[tuple[str, str, int]]:
    """Label, prediction and rows of what is taken for another, the commonest first."""
    found = [
        (label, prediction, rows)
        for label, row in account.get("confusion", {}).items()
        for prediction, rows in row.items()
        if label != prediction and rows
    ]
    return sorted(found, key=lambda pair: -pair[2])


def weakest(split: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]] | None:
    """By what, and which slice: the one of which the metric is surely worse than of all other rows."""
    found = [
        (cut["by"], one) for cut in split["slices"] for one in cut["slices"]
        if one["rest"] is not None and one["name"] == cut["worst"] and _is_worse(one, cut["metric"])
    ]  # fmt: skip
    return max(found, key=lambda item: abs(item[1]["value"] - item[1]["rest"]), default=None)


def summary(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Rows for a terminal: each metric of each split, its value and its interval."""
    rows: list[tuple[str, ...]] = []
    several = len(found["splits"]) > 1
    for split in found["splits"]:
        start = f"{split['split']}/" if several else ""
        for name, one in split["metrics"].items():
            rows.append((f"{start}{name}", number(float(one["value"])), bounds(one)))
    return rows


def bounds(one: Mapping[str, Any]) -> str:
    """Of an interval, in words where they are not known; empty where the number is not finite."""
    if is_known(one["method"]):
        return f"{number(float(one['low']))} to {number(float(one['high']))}"
    return "all resamples agree" if one["method"] == ALIKE else ""


def letters(count: int) -> Sequence[str]:
    """Short names of runs side by side, as `runs compare` has them: `a`, `b` … `z`, `27` …."""
    return [chr(97 + place) if place < 26 else str(place + 1) for place in range(count)]


def calibrated(account: Mapping[str, Any]) -> str:
    """How far confidence can be believed, in words; empty where it is not known."""
    known = account.get("calibration")
    if not known or not known.get("bins"):
        return ""
    rows = sum(each["rows"] for each in known["bins"])
    sure = sum(each["confidence"] * each["rows"] for each in known["bins"]) / rows
    right = sum(each["accuracy"] * each["rows"] for each in known["bins"]) / rows
    word = "surer than it should be" if sure > right else "less sure than it could be"
    return (
        f"It is {share(sure)} sure on average and {share(right)} right: {word}. The expected "
        f"calibration error is {known['error']:.4f}."
    )


def _is_worse(one: Mapping[str, Any], metric: str) -> bool:
    """Whether all of the slice's interval is worse than the rest."""
    if one["low"] is None or one["high"] is None:
        return False
    return bool(one["low"] > one["rest"] if is_error(metric) else one["high"] < one["rest"])
