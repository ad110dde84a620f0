"""Groups: trainings that differ in seed or fold, compared by what they come to on average."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlrecipe.cli import compared, render
from mlrecipe.cli.session import Session
from mlrecipe.errors import DataError, RequestError, did_you_mean
from mlrecipe.recipe.project import shown
from mlrecipe.runs import run as running
from mlrecipe.runs.run import Run

if TYPE_CHECKING:
    from mlrecipe.cli.compare import Asked
    from mlrecipe.significance.student import Difference
    from mlrecipe.significance.trainings import Group

STAGE = "repeat"

_NO_METRICS = ("lr-",)
"""How names begin that say nothing of how good a model is."""


def compare(session: Session, chosen: Mapping[str, Run], asked: Asked, *, as_json: bool) -> None:
    """Compare groups, each by its name here, and print what may be said.

    Raises:
        RequestError: not all of them are groups, or they have no metric in common.
    """
    _check_asked(asked)
    values = {name: _values(session, run) for name, run in chosen.items()}
    metrics = _metrics(list(values.values()), asked.metrics)
    found: dict[str, list[dict[str, Any]]] = {}
    for metric in metrics:
        members = {name: _group(chosen[name], each, metric) for name, each in values.items()}
        found[metric] = _holm([
            _facts(metric, pair, members, asked.confidence)
            for pair in compared.pairs(list(chosen), is_every_pair=asked.is_every_pair)
        ])  # fmt: skip
    if as_json:
        render.document(_document(session, chosen, found))
        return
    _show(session, chosen, found, asked.confidence)


def _check_asked(asked: Asked) -> None:
    if asked.is_common:
        raise RequestError("--common is for tested rows; groups are compared by their means")
    if asked.split is not None:
        raise RequestError(
            "--split is for single runs; groups are compared by their metrics",
            hint=f"name one of the split: --metric {asked.split}/accuracy",
        )
    if not 0 < asked.confidence < 1:
        message = f"--confidence: a share between 0 and 1, not {asked.confidence!r}"
        raise RequestError(message, hint="0.95 is usual")


def _values(session: Session, group: Run) -> dict[str, dict[str, float]]:
    """Training → its metrics: of its newest finished test where all trainings have one, else its own.

    Raises:
        RequestError: the run is no group.
    """
    if group.facts.get("stage") != STAGE:
        raise RequestError(
            f"run {group.id} is a {group.facts.get('stage')} run, and others are groups of trainings",
            hint="compare groups with groups, or single trainings with single trainings",
        )
    every = list(running.every(session.project))
    members = [
        run for run in every
        if run.facts.get("group") == group.id and run.facts.get("stage") == "train"
        and run.status == "finished"
    ]  # fmt: skip
    tests = {str(run.facts["member"]): _newest_test(run, every) for run in members}
    found = {str(run.facts["member"]): _read(run) for run in sorted(members, key=_name)}
    if not all(tests.values()):
        return found
    tested = {name: _read(test) for name, test in tests.items() if test is not None}
    return {name: each | found[name] | each for name, each in tested.items()}  # tests come first


def _name(run: Run) -> str:
    return str(run.facts["member"])


def _newest_test(run: Run, every: Sequence[Run]) -> Run | None:
    return next(
        (
            other for other in every
            if other.facts.get("parent") == run.id and other.facts.get("stage") == "test"
            and other.status == "finished"
        ), None,
    )  # fmt: skip


def _read(run: Run) -> dict[str, float]:
    try:
        found = json.loads((run.folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {
        name: float(value) for name, value in found.items()
        if isinstance(value, int | float) and not name.startswith(_NO_METRICS)
    }  # fmt: skip


def _metrics(
    groups: Sequence[Mapping[str, Mapping[str, float]]], wanted: Sequence[str]
) -> list[str]:
    """The metrics that all trainings have, or those of them that are wanted.

    Raises:
        RequestError: there is none, or one that is wanted is not there.
    """
    every = [metrics for group in groups for metrics in group.values()]
    shared = [name for name in every[0] if all(name in other for other in every)] if every else []
    if not shared:
        raise RequestError("the groups have no metric in common")
    found = []
    for name in wanted:
        meant = [each for each in shared if name in (each, each.partition("/")[2])]
        if not meant:
            message = f"--metric: not all trainings have {name!r}"
            raise RequestError(message, hint=did_you_mean(name, shared))
        found += meant
    tested = [name for name in shared if not name.startswith(("train/", "valid/"))]
    return found or _without_loss(tested or shared) or shared


def _without_loss(names: Sequence[str]) -> list[str]:
    return [name for name in names if not name.endswith("loss")]


def _group(run: Run, values: Mapping[str, Mapping[str, float]], metric: str) -> Group:
    from mlrecipe.significance.trainings import Group

    try:
        told = json.loads((run.folder / "repeat.json").read_text(encoding="utf-8"))["runs"]
    except (OSError, ValueError, KeyError):
        told = []
    folds = {member.get("fold") for member in told} - {None}
    return Group(values={name: each[metric] for name, each in values.items()}, folds=len(folds))


def _facts(
    metric: str, pair: tuple[str, str], groups: Mapping[str, Group], confidence: float
) -> dict[str, Any]:
    from mlrecipe.significance.trainings import compare_groups

    a, b = (groups[name] for name in pair)
    try:
        found = compare_groups(a, b, confidence=confidence)
    except DataError as error:
        message = f"{pair[0]} and {pair[1]}: {error.message}"
        raise RequestError(message, hint=error.hint) from error
    return {
        "metric": metric, "names": list(pair), "a": a.mean, "b": b.mean, "a_std": a.deviation,
        "b_std": b.deviation, "a_trainings": len(a.values), "b_trainings": len(b.values),
        **_difference(found),
    }  # fmt: skip


def _difference(found: Difference) -> dict[str, Any]:
    interval = found.interval
    return {
        "difference": interval.value, "low": interval.low, "high": interval.high,
        "confidence": interval.confidence, "interval": interval.method, "p_value": found.p_value,
        "test": found.test,
    }  # fmt: skip


def _holm(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The pairs of a metric with their p-values corrected, and what may be said."""
    from mlrecipe.significance.paired import holm

    p_values = holm([each["p_value"] for each in found])
    corrected = [each | {"p_adjusted": p} for each, p in zip(found, p_values, strict=True)]
    return [each | {"better": _better(each), "verdict": _verdict(each)} for each in corrected]


def _better(found: Mapping[str, Any]) -> str | None:
    from mlrecipe.significance import is_error

    if not found["p_adjusted"] < 1 - found["confidence"] or not found["difference"]:
        return None
    is_less = is_error(found["metric"]) or str(found["metric"]).endswith("loss")
    better: str = found["names"][(found["difference"] > 0) != is_less]
    return better


def _verdict(found: Mapping[str, Any]) -> str:
    """What may be said, in one sentence."""
    from mlrecipe.significance.verdict import p_text, signed

    (a, b), better = found["names"], _better(found)
    if math.isnan(found["p_value"]):
        return f"nothing can be said of {a} and {b}: {found['metric']} is no finite number"
    values, difference, low, high = (
        (found["b"], found["a"]),
        found["difference"],
        found["low"],
        found["high"],
    )
    if better == a:  # what is said first less what is said after it
        values, difference, low, high = values[::-1], -difference, -high, -low
    said = f"{found['metric']} {values[0]:.4f} against {values[1]:.4f} on average"
    facts = (
        f"difference {signed(difference)}, {found['confidence'] * 100:.4g} % interval "
        f"{signed(low)} to {signed(high)}, {p_text(found['p_adjusted'])}, "
        f"{found['a_trainings']} and {found['b_trainings']} trainings"
    )
    if better is None:
        return f"no difference can be told between {a} and {b}: {said} ({facts})"
    return f"{better} is better than {a if better == b else b}: {said} ({facts})"


def _document(
    session: Session, chosen: Mapping[str, Run], found: Mapping[str, Sequence[Mapping[str, Any]]]
) -> dict[str, Any]:
    (_, one), *others = chosen.items()
    several = max(len(each) for each in found.values()) > 1
    return {
        "runs": [
            {"name": name, "run": run.id, "recipe": run.facts.get("recipe"),
             "folder": run.folder.relative_to(session.project).as_posix()}
            for name, run in chosen.items()
        ],
        "differences": {name: compared.differing(one, run) for name, run in others},
        "trainings": [each for pairs in found.values() for each in pairs],
        "correction": "Holm" if several else None,
    }  # fmt: skip


def _show(
    session: Session, chosen: Mapping[str, Run],
    found: Mapping[str, Sequence[Mapping[str, Any]]], confidence: float,
) -> None:  # fmt: skip
    from mlrecipe.significance.verdict import signed

    heading = [
        (render.styled(name, "bold"), shown(run.folder, here=session.here), str(run.facts.get("recipe", "")))
        for name, run in chosen.items()
    ]  # fmt: skip
    for line in [*render.columns(heading, indent=""), *compared.told_apart(list(chosen.items()))]:
        render.out(line)
    render.out()
    every = [each for pairs in found.values() for each in pairs]
    header = ("metric", "pair", "first", "second", "difference", f"{confidence * 100:.4g} % interval", "p",
              "better")  # fmt: skip
    render.grid(header, [
        (each["metric"], " ".join(each["names"]), _spread(each["a"], each["a_std"]),
         _spread(each["b"], each["b_std"]), signed(each["difference"]),
         f"{signed(each['low'])} to {signed(each['high'])}", _p(each["p_adjusted"]),
         each["better"] or "not told")
        for each in every
    ])  # fmt: skip
    render.out()
    for each in next(iter(found.values())):
        render.out(each["verdict"])
    render.out()
    tests = ", ".join(dict.fromkeys(each["test"] for each in every))
    count = max(len(pairs) for pairs in found.values())
    corrected = f"; after Holm's correction for {count} pairs" if count > 1 else ""
    render.out(render.styled(f"p: {tests}{corrected}", "dim"))
    render.out(render.styled(
        "interval and p tell what other seeds would give on the same rows, not what other rows would", "dim"
    ))  # fmt: skip


def _spread(mean: float, deviation: float | None) -> str:
    return f"{mean:.4f}" if deviation is None else f"{mean:.4f} ± {deviation:.4f}"


def _p(value: float) -> str:
    if math.isnan(value):
        return "not known"
    return "<0.001" if value < 0.001 else f"{value:.3f}"
