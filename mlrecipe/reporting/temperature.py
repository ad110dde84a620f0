"""Temperature scaling: one number that makes probabilities as sure as they are right (Guo et al. 2017).

The logits of all labels are divided by a temperature. They need not be known: up to a number that is the same
for all labels of a row they are the logs of the probabilities.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head
from mlrecipe.reporting import tables
from mlrecipe.reporting.decisions import LEAST, STEP, ids_of, table_of
from mlrecipe.reporting.part import Ids, Numbers

HOTTEST = 20.0
"""The greatest temperature; the least is its inverse."""

KINDS = (tables.ONE, tables.SEVERAL, tables.OUTPUTS)
"""Predictions that can be scaled: of tags only the probabilities of the decided ones are kept."""

_STEPS = 100
_CLOSE = 1e-12


@dataclass(frozen=True, slots=True)
class Slope:
    """What the loss of some rows does where the inverse of the temperature grows; sums over the rows."""

    first: float
    """The first derivative."""

    second: float
    """The second, which is never below 0: the loss has one minimum."""


def fit(table: pa.Table) -> dict[str, float]:
    """The temperature of the least mean of -log of the probability of the labels; of each output, else of `""`.

    Where all rows are right, or as wrong as can be, it is the least or the greatest that there is.

    Raises:
        DataError: predictions of numbers or tags; no row has a label.
    """
    head = tables.require(table, KINDS, "temperature scaling")
    known = tables.labelled(table)
    return {name: 1 / _best(_sloped(known, head, name)) for name in _names(head)}


def scaled(table: pa.Table, temperatures: Mapping[str, float]) -> pa.Table:
    """The table with other probabilities; the predictions stay, and so does the place of the greatest.

    Where a row may have several labels, the head's threshold is moved as the probabilities are.

    Args:
        table: predictions of one label, of several, or of several outputs.
        temperatures: as `fit` gives them.

    Raises:
        DataError: predictions of numbers or tags.
    """
    head = tables.of_kind(table, KINDS, "temperature scaling")
    each = {name: np.full(len(table), temperatures[name]) for name in _names(head)}
    fresh = _with_probabilities(table, head, each)
    if head.problem_type != tables.SEVERAL:
        return fresh
    return _with_threshold(fresh, _moved(head.threshold, temperatures[""]))


def crossed(table: pa.Table, folds: Ids) -> tuple[pa.Table, list[dict[str, float]]]:
    """The table with each fold scaled by what the others give, and the temperatures, fold by fold.

    Args:
        table: predictions.
        folds: the fold of each row, from 0, (rows,).

    Raises:
        DataError: as `fit`; or a row may have several labels and their threshold is not 0.5, and so would be
            another in each fold.
    """
    head = tables.require(table, KINDS, "temperature scaling")
    if head.problem_type == tables.SEVERAL and head.threshold != 0.5:
        message = f"the threshold is {head.threshold}: scaling would move it otherwise in each fold"
        raise DataError(message, key="inputs", hint="give a second input to fit the temperature on")
    found = [fit(table.filter(pa.array(folds != fold))) for fold in range(int(folds.max()) + 1)]
    each = {name: np.array([own[name] for own in found])[folds] for name in _names(head)}
    return _with_probabilities(table, head, each), found


def check_alike(table: pa.Table, other: pa.Table) -> None:
    """Raise unless both are predictions of the same labels, in the same order.

    Raises:
        DataError: they are not.
    """
    one, two = tables.head_of(table.schema), tables.head_of(other.schema)
    if (one.problem_type, one.labels) != (two.problem_type, two.labels):
        strange = sorted({*one.labels} ^ {*two.labels})
        differ = f"only one of them knows {', '.join(map(repr, strange[:3]))}" if strange else \
            "they have another kind, or order, of labels"  # fmt: skip
        message = f"the two inputs are predictions of different labels: {differ}"
        raise DataError(message, key="inputs")


def _names(head: Head) -> list[str]:
    return list(head.outputs) or [""]


def _places(head: Head, name: str) -> slice:
    """Those of an output among the probabilities."""
    return tables.places(head)[name] if name else slice(0, len(head.labels))


def _best(slope: Callable[[float], Slope]) -> float:
    """The inverse of the temperature of the least loss: Newton's method, kept between bounds."""
    low, high, place = 1 / HOTTEST, HOTTEST, 1.0
    if slope(low).first >= 0:
        return low
    if slope(high).first <= 0:
        return high
    for _ in range(_STEPS):
        found = slope(place)
        low, high = (low, place) if found.first > 0 else (place, high)
        fresh = place - found.first / found.second if found.second > 0 else low
        fresh = fresh if low < fresh < high else (low + high) / 2
        if abs(fresh - place) <= _CLOSE * place:
            break
        place = fresh
    return place


def _sloped(table: pa.Table, head: Head, name: str) -> Callable[[float], Slope]:
    """What gives the slope of an output's loss at an inverse temperature; a part of the rows at a time."""
    parts = list(_parts(table, head, name))
    of_part = _slope_of_labels if head.problem_type == tables.SEVERAL else _slope_of_label

    def slope(inverse: float) -> Slope:
        found = [of_part(chances, there, inverse) for chances, there in parts]
        return Slope(sum(each.first for each in found), sum(each.second for each in found))

    return slope


def _parts(
    table: pa.Table, head: Head, name: str
) -> Iterator[tuple[NDArray[np.float32], NDArray[Any]]]:
    """Probabilities as they are stored, (rows, labels), and what is there: ids, or flags of the same shape."""
    for batch in tables.batches(table):
        label = batch.column("label")
        found = tables.scores(batch.column("probabilities"), len(head.labels))
        if head.problem_type == tables.SEVERAL:
            yield found, table_of(label, head.labels)
            continue
        ids = ids_of(label.field(name) if name else label, head.outputs.get(name, head.labels))
        rows = np.flatnonzero(ids >= 0)
        yield found[rows, _places(head, name)], ids[rows]


def _slope_of_label(chances: NDArray[np.float32], there: Ids, inverse: float) -> Slope:
    logits = _logs(chances)
    given = _softmax(logits * inverse)
    mean = (given * logits).sum(axis=1)
    first = (mean - logits[np.arange(len(there)), there]).sum()
    spread = (given * np.square(logits)).sum(axis=1) - np.square(mean)
    return Slope(float(first), float(spread.sum()))


def _slope_of_labels(
    chances: NDArray[np.float32], there: NDArray[np.bool_], inverse: float
) -> Slope:
    odds = _odds(chances)
    given = _sigmoid(odds * inverse)
    second = (given * (1 - given) * np.square(odds)).sum()
    return Slope(float(((given - there) * odds).sum()), float(second))


def _with_probabilities(table: pa.Table, head: Head, each: Mapping[str, Numbers]) -> pa.Table:
    """The table with probabilities scaled by the temperatures of its rows, (rows,), of each output."""
    parts, start = [], 0
    for batch in tables.batches(table):
        found = tables.scores(batch.column("probabilities"), len(head.labels))
        changed = np.empty(found.shape, np.float32)
        for name, own in each.items():
            part, heat = _places(head, name), own[start : start + len(batch), None]
            if head.problem_type == tables.SEVERAL:
                changed[:, part] = _cooled_labels(found[:, part], heat, head.threshold)
            else:
                changed[:, part] = _cooled_label(found[:, part], heat)
        parts.append(_lists(changed))
        start += len(batch)
    place = table.schema.get_field_index("probabilities")
    field = pa.field("probabilities", pa.list_(pa.float32()))
    return table.set_column(place, field, pa.chunked_array(parts, field.type))


def _cooled_label(chances: NDArray[np.float32], heat: Numbers) -> NDArray[np.float32]:
    """Probabilities of which the same one is the first of the greatest, however few digits tell them apart."""
    found: NDArray[np.float32] = _softmax(_logs(chances) / heat).astype(np.float32)
    best = chances.argmax(axis=1)
    lost = np.flatnonzero(found.argmax(axis=1) != best)
    # Rounded to float32 another one before it is equal: the least that tells them apart is added.
    found[lost, best[lost]] = np.nextafter(found[lost].max(axis=1), np.float32(2))
    return found


def _cooled_labels(
    chances: NDArray[np.float32], heat: Numbers, threshold: float
) -> NDArray[np.float32]:
    """Probabilities that lie on the same sides of the threshold, which is moved as they are."""
    found = _sigmoid(_odds(chances) / heat).astype(np.float32)
    old = np.float32(threshold)
    new = np.broadcast_to(_moved(threshold, heat).astype(np.float32), found.shape)
    above = np.nextafter(new, np.float32(2))
    cooled: NDArray[np.float32] = np.where(
        chances > old, np.maximum(found, above), np.minimum(found, new)
    )
    return cooled


def _moved(threshold: float, heat: Any) -> Any:
    """Where the threshold lies once the probabilities are scaled."""
    if threshold == 0.5:  # it stays, to the last digit
        return 0.5 + 0 * heat
    odds = np.log(max(threshold, LEAST)) - np.log(max(1 - threshold, STEP))
    return 1 / (1 + np.exp(-odds / heat))


def _with_threshold(table: pa.Table, threshold: float) -> pa.Table:
    facts = dict(table.schema.metadata or {})
    if b"head" in facts:
        head = {**json.loads(facts[b"head"]), "threshold": float(np.float32(threshold))}
        facts[b"head"] = json.dumps(head).encode()
    return table.replace_schema_metadata(facts)


def _logs(chances: NDArray[np.float32]) -> Numbers:
    """Logits, the greatest of a row at 0."""
    logs = np.log(np.maximum(chances.astype(np.float64), LEAST))
    shifted: Numbers = logs - logs.max(axis=1, keepdims=True)
    return shifted


def _odds(chances: NDArray[np.float32]) -> Numbers:
    """Logits of labels that a row has or not."""
    known = chances.astype(np.float64)
    odds: Numbers = np.log(np.maximum(known, LEAST)) - np.log(np.maximum(1 - known, STEP))
    return odds


def _softmax(logits: Numbers) -> Numbers:
    powers = np.exp(logits)
    found: Numbers = powers / powers.sum(axis=1, keepdims=True)
    return found


def _sigmoid(odds: Numbers) -> Numbers:
    found: Numbers = 0.5 * (1 + np.tanh(0.5 * odds))
    return found


def _lists(values: NDArray[np.float32]) -> pa.ListArray:
    offsets = np.arange(len(values) + 1, dtype=np.int32) * np.int32(values.shape[1])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values.reshape(-1), pa.float32()))
