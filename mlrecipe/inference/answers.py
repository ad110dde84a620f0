"""Answers: scores as columns of an output, for files of flat cells and for those with values inside values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlrecipe.errors import RequestError
from mlrecipe.interfaces import Head
from mlrecipe.training.predictions import decided, parts

Scores = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class _Part:
    """One output of a head."""

    suffix: str
    """Ends the names of its columns: nothing where there is one output, else `_<column>`."""

    before: str
    """Stands before its labels in flat columns: nothing, or `<column>=`."""

    labels: tuple[str, ...]
    places: slice


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Which columns are added."""

    head: Head

    top: int | None = None
    """Only so many labels, best first, and not all of them."""

    is_flat: bool = False
    """Whether every probability has a column of its own."""

    separator: str | None = None
    """What is between the labels of a row that may have several; None: they are a list."""

    prefix: str = ""
    """Begins every name."""

    def __post_init__(self) -> None:
        """Refuse a `top` that says nothing."""
        if self.top is None:
            return
        if self.head.problem_type == "regression":
            raise RequestError("a number has no labels to choose the best of", key="--top")
        if self.top < 1:
            raise RequestError(f"{self.top} is not at least 1", key="--top")

    def names(self) -> list[str]:
        """The names of the columns, in their order."""
        width = max(len(self.head.labels), 1)
        return list(self.columns(np.zeros((0, width), np.float32), start=0))

    def check(self, known: Iterable[str]) -> None:
        """Raise if the input has a column of one of these names."""
        check_names(self.names(), known)

    def columns(self, scores: Scores, *, start: int) -> dict[str, pa.Array]:
        """The new columns for rows of scores, (rows, labels), the first of which has this number."""
        made: dict[str, Any] = {"row": pa.array(np.arange(start, start + len(scores)))}
        if self.head.problem_type == "regression":
            made["prediction"] = pa.array(scores.reshape(-1))
        elif self.head.problem_type == "multi_label_classification":
            names = decided(self.head, scores)
            made["prediction"] = names if self.separator is None else _joined(names, self.separator)
            made |= self._probabilities(_whole(self.head), scores)
        else:
            for part in _parts(self.head):
                made |= self._answer(part, scores[:, part.places])
        return {f"{self.prefix}{name}": column for name, column in made.items()}

    def _answer(self, part: _Part, scores: Scores) -> dict[str, pa.Array]:
        """The one label of an output, its probability and the others'."""
        names = pa.array(part.labels, pa.string())
        return {
            f"prediction{part.suffix}": names.take(pa.array(scores.argmax(axis=1))),
            f"probability{part.suffix}": pa.array(scores.max(axis=1)),
            **self._probabilities(part, scores),
        }

    def _probabilities(self, part: _Part, scores: Scores) -> dict[str, pa.Array]:
        if self.top is not None:
            return self._best(part, scores, min(self.top, len(part.labels)))
        each = [pa.array(scores[:, number]) for number in range(len(part.labels))]
        if self.is_flat:
            named = zip(part.labels, each, strict=True)
            return {f"p_{part.before}{label}": column for label, column in named}
        struct = pa.StructArray.from_arrays(each, names=list(part.labels))
        return {f"probabilities{part.suffix}": struct}

    def _best(self, part: _Part, scores: Scores, top: int) -> dict[str, pa.Array]:
        """The best labels with their probabilities; of equal ones the first in the order of the labels."""
        order = np.argsort(-scores, axis=1, kind="stable")[:, :top]
        names = pa.array(part.labels, pa.string())
        values = np.take_along_axis(scores, order, axis=1)
        if self.is_flat:
            return {
                f"{name}{part.suffix}": column
                for n in range(top)
                for name, column in (
                    (f"top_{n + 1}", names.take(pa.array(order[:, n]))),
                    (f"top_{n + 1}_probability", pa.array(values[:, n])),
                )
            }
        pairs = pa.StructArray.from_arrays(
            [names.take(pa.array(order.reshape(-1))), pa.array(values.reshape(-1))],
            names=["label", "probability"],
        )
        ends = pa.array(np.arange(len(scores) + 1, dtype=np.int32) * np.int32(top))
        return {f"top{part.suffix}": pa.ListArray.from_arrays(ends, pairs)}


def check_names(new: Iterable[str], known: Iterable[str]) -> None:
    """Raise if the input has a column of one of the new names."""
    taken = sorted(set(new) & set(known))
    if taken:
        listed = ", ".join(map(repr, taken[:5])) + (", …" if len(taken) > 5 else "")
        raise RequestError(
            f"the input has {'a column' if len(taken) == 1 else 'columns'} {listed} already",
            key="--input",
            hint="put something before the names of the new ones, such as --prefix model_",
        )


def shortest(scores: Scores) -> Scores:
    """The numbers of 32 bits as those of 64 that are written with as few digits: 0.1, not 0.10000000149."""
    return scores.astype(str).astype(np.float64)


def wrong_row(head: Head, scores: Scores) -> tuple[int, str] | None:
    """The first row whose scores cannot be, and why: not finite, or probabilities whose sum is not 1."""
    bad = ~np.isfinite(scores).all(axis=1)
    if bad.any():
        return int(bad.argmax()), "its scores are not finite"
    if head.problem_type in ("regression", "multi_label_classification"):
        return None
    for part in _parts(head):
        sums = scores[:, part.places].sum(axis=1, dtype=np.float64)
        off = np.abs(sums - 1) > 1e-3
        if off.any():
            row = int(off.argmax())
            return row, f"its probabilities sum to {sums[row]:.4g}, not to 1"
    return None


def _parts(head: Head) -> list[_Part]:
    if not head.outputs:
        return [_whole(head)]
    return [
        _Part(suffix=f"_{name}", before=f"{name}=", labels=head.outputs[name], places=places)
        for name, places in parts(head).items()
    ]


def _whole(head: Head) -> _Part:
    return _Part(suffix="", before="", labels=head.labels, places=slice(None))


def _joined(names: pa.Array, separator: str) -> pa.Array:
    return pa.array([separator.join(row) for row in names.to_pylist()], pa.string())
