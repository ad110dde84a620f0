"""The GLUE score: one number of nine tasks, by the convention that it is said by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mlrecipe.errors import DataError, did_you_mean

Convention = Literal["paper", "bert"]

METRICS: Mapping[str, tuple[str, ...]] = {
    "cola": ("matthews-corrcoef",),
    "sst2": ("accuracy",),
    "mrpc": ("f1", "accuracy"),
    "stsb": ("pearson-corrcoef", "spearman-corrcoef"),
    "qqp": ("f1", "accuracy"),
    "mnli_matched": ("accuracy",),
    "mnli_mismatched": ("accuracy",),
    "qnli": ("accuracy",),
    "rte": ("accuracy",),
    "wnli": ("accuracy",),
}
"""Task → the metrics that GLUE judges it by. The diagnostic set, `ax`, is not part of the score."""

DIAGNOSTIC = "ax"

_BERT = {**METRICS, "mrpc": ("f1",), "stsb": ("spearman-corrcoef",), "qqp": ("f1",)}
_SAYS: Mapping[str, str] = {
    "paper": "the GLUE paper's: mean of a task's metrics, MNLI's two sets as one task, then the plain "
    "mean of 9 tasks",
    "bert": "that of the BERT paper: F1 of MRPC and QQP, Spearman of STS-B, MNLI's two sets counted "
    "each, WNLI left out, then the plain mean of 9 values",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GlueScore:
    """A GLUE score and what it was made of."""

    score: float
    """The mean of `parts`, in the scale of what it was made of."""

    convention: Convention

    parts: Mapping[str, float]
    """What the mean was taken over, by task."""

    missing: tuple[str, ...]
    """Tasks that the convention counts and that were not there; `task/metric` where one metric was not.

    Where the convention takes both sets of MNLI as one task and neither is there, that is `mnli`."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The convention in words, and what is missing: never to be left out beside the number."""
        said = f'convention "{self.convention}", {_SAYS[self.convention]}'
        if not self.missing:
            return (said,)
        return said, f"over {len(self.parts)} of 9, without {', '.join(self.missing)}"

    @property
    def text(self) -> str:
        """The lines as one."""
        return "; ".join(self.lines)


def glue_score(tasks: Mapping[str, Mapping[str, float]], convention: str = "paper") -> GlueScore:
    """The score of tasks by the hub's names, MNLI as `mnli_matched` and `mnli_mismatched`.

    Of each task its metrics by name, without a split before them; others than GLUE's are left out, and so
    is `ax`. All values have one scale: 0 to 1, or 0 to 100.

    Raises:
        DataError: the convention or a task is unknown, or there is nothing to take the mean of.
    """
    if convention not in _SAYS:
        message = f"{convention!r} is no convention of the GLUE score"
        raise DataError(message, key="convention", hint=f"known: {', '.join(_SAYS)}")
    for name in tasks:
        if name not in METRICS and name != DIAGNOSTIC:
            message = f"{name!r} is no task of GLUE"
            raise DataError(message, key="tasks", hint=did_you_mean(name, METRICS))
    wanted = METRICS if convention == "paper" else _BERT
    counted = [name for name in wanted if convention == "paper" or name != "wnli"]
    found = {
        name: values for name in counted if (values := _values(tasks.get(name, {}), wanted[name]))
    }
    parts = {name: _mean(list(values.values())) for name, values in found.items()}
    if not parts:
        raise DataError("there is no metric of a GLUE task", key="tasks")
    missing = tuple(
        gap for name in counted for gap in _gaps(name, found.get(name, {}), wanted[name])
    )
    if convention == "paper":
        parts = _with_one_mnli(parts)
        if "mnli" not in parts:
            missing = _without_sets(missing)
    return GlueScore(
        score=_mean(list(parts.values())),
        convention=_named(convention),
        parts=parts,
        missing=missing,
    )


def _named(convention: str) -> Convention:
    return "paper" if convention == "paper" else "bert"


def _values(given: Mapping[str, float], wanted: Sequence[str]) -> dict[str, float]:
    return {name: given[name] for name in wanted if name in given}


def _gaps(task: str, found: Mapping[str, float], wanted: Sequence[str]) -> list[str]:
    """The task, where nothing of it is there, else each metric that is not."""
    if not found:
        return [task]
    return [f"{task}/{name}" for name in wanted if name not in found]


def _with_one_mnli(parts: Mapping[str, float]) -> dict[str, float]:
    """Both sets of MNLI as one task, in their place."""
    sets = [value for name, value in parts.items() if name.startswith("mnli_")]
    merged = {
        ("mnli" if name.startswith("mnli_") else name): value for name, value in parts.items()
    }
    return merged | ({"mnli": _mean(sets)} if sets else {})


def _without_sets(missing: Sequence[str]) -> tuple[str, ...]:
    """Both sets of MNLI as one task, in their place."""
    names = ("mnli" if name.startswith("mnli_") else name for name in missing)
    return tuple(dict.fromkeys(names))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
