"""Metrics of rows with labels: one each, or any number."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

import numpy as np
from numpy.typing import NDArray

from mlrecipe.reporting.bins import BINS
from mlrecipe.reporting.part import Numbers
from mlrecipe.significance import orders
from mlrecipe.significance import tallies as t
from mlrecipe.significance.evidence import Measure, OfOrder, OfSums, Ordered, Sums, of_hits
from mlrecipe.significance.tested import OneLabel, SeveralLabels

_SECOND: dict[str, t.Rate] = {
    "f1": t.f1, "precision": t.precision, "recall": t.recall, "specificity": t.specificity,
    "negative-predictive-value": t.negative_predictive_value, "jaccard-index": t.jaccard,
}  # fmt: skip
"""Of the second of two labels; of more the mean over them."""

_RATES: dict[str, t.Rate] = {"f1": t.f1, "precision": t.precision, "recall": t.recall}

TALLIED: dict[str, t.OfTally] = {
    **{f"{name}-macro": t.macro(rate) for name, rate in _RATES.items()},
    **{f"{name}-micro": t.micro(rate) for name, rate in _RATES.items()},
    "f1-weighted": t.weighted(t.f1),
    "balanced-accuracy": t.there(t.recall),
    "matthews-corrcoef": t.matthews,
    "cohen-kappa": t.kappa,
}
"""Metrics of one label a row, or a word, that are made of counts."""

_SEVERAL: dict[str, t.OfTally] = {
    "f1-micro": t.micro(t.f1),
    "f1-macro": t.over_labels(t.f1),
    "f1-weighted": t.weighted(t.f1),
    "accuracy": t.over_labels(t.correct),
    "precision-micro": t.micro(t.precision),
    "recall-micro": t.micro(t.recall),
    "precision-macro": t.over_labels(t.precision),
    "recall-macro": t.over_labels(t.recall),
    "matthews-corrcoef": t.matthews_of_decisions,
    "hamming-distance": t.over_labels(t.mistaken),
    **{name: t.over_labels(rate) for name, rate in _SECOND.items()},
}

_ORDERS = {"auroc": orders.auroc, "average-precision": orders.average_precision}

_TOP = (3, 5)


def names_of_one(labels: int, *, has_scores: bool) -> list[str]:
    """The metrics of rows with one label of so many, the most important ones first."""
    first = ["accuracy", *(["f1", "precision", "recall", "matthews-corrcoef"] if labels == 2 else
             ["f1-macro", "f1-weighted", "balanced-accuracy", "matthews-corrcoef"])]  # fmt: skip
    rest = [*_ORDERS, *TALLIED, *_SECOND, "hamming-distance", "calibration-error"]
    rest += [f"top-{k}-accuracy" for k in _TOP if k < labels]
    need = (*_ORDERS, "calibration-error", *(f"top-{k}-accuracy" for k in _TOP))
    found = dict.fromkeys([*first, *rest])
    return [name for name in found if has_scores or name not in need]


def names_of_several(*, has_scores: bool) -> list[str]:
    """The metrics of rows with any number of labels."""
    first = ["f1-micro", "f1-macro", "exact-match", "accuracy", "f1-weighted"]
    found = dict.fromkeys([*first, *(_ORDERS if has_scores else ()), *_SEVERAL])
    return list(found)


def makers_of_one(part: OneLabel) -> dict[str, Callable[[], Measure]]:
    """What makes each metric of rows with one label."""
    is_right = part.there == part.given
    tally = cache(lambda: _cells(part))
    average = t.second if len(part.labels) == 2 else t.macro
    made: dict[str, Callable[[], Measure]] = {
        "accuracy": partial(of_hits, is_right),
        "hamming-distance": partial(of_hits, ~is_right),
    }
    formulas = TALLIED | {name: average(rate) for name, rate in _SECOND.items()}
    for name, formula in formulas.items():
        # With one label a row all decisions together are right as often as rows are.
        is_accuracy = name.endswith("-micro")
        made[name] = (
            partial(of_hits, is_right) if is_accuracy else partial(of_tally, tally, formula)
        )
    if part.scores is not None:
        made |= _orders(lambda: _order_of_one(part))
        made["calibration-error"] = partial(_calibration, part)
        for k in _TOP:
            if k < len(part.labels):
                made[f"top-{k}-accuracy"] = partial(_top, part, k)
    return made


def makers_of_several(part: SeveralLabels) -> dict[str, Callable[[], Measure]]:
    """What makes each metric of rows with any number of labels."""
    tally = cache(lambda: _decisions(part))
    made: dict[str, Callable[[], Measure]] = {
        name: partial(of_tally, tally, formula) for name, formula in _SEVERAL.items()
    }
    made["exact-match"] = partial(of_hits, (part.there == part.given).all(axis=1))
    if part.scores is not None:
        made |= _orders(partial(_ordered, part.scores, part.there))
    return made


def of_tally(tally: Callable[[], Sums], formula: t.OfTally) -> OfSums:
    """A metric that is made of counts of labels."""
    return OfSums(tally(), lambda sums: formula(t.split(sums)))


def _cells(part: OneLabel) -> Sums:
    """Rows of one kind have the same label and the same prediction."""
    count = len(part.labels)
    codes, which = np.unique(part.there * count + part.given, return_inverse=True)
    there, given = np.divmod(codes, count)
    each = np.eye(count)
    right = each[there] * (there == given)[:, None]
    kinds = [right, each[given], each[there], np.ones((len(codes), 1))]
    return Sums(np.concatenate(kinds, axis=1), which.reshape(-1).astype(np.int64))


def _decisions(part: SeveralLabels) -> Sums:
    """Rows of one kind have the same labels and the same predictions."""
    packed = np.packbits(np.concatenate([part.there, part.given], axis=1), axis=1)
    keys = np.ascontiguousarray(packed).view(f"V{packed.shape[1]}").reshape(-1)
    _, first, which = np.unique(keys, return_index=True, return_inverse=True)
    there, given = part.there[first], part.given[first]
    ones = np.ones((len(first), 1))
    kinds = np.concatenate([there & given, given, there, ones], axis=1).astype(np.float64)
    return Sums(kinds, which.reshape(-1).astype(np.int64))


def _orders(evidence: Callable[[], Ordered]) -> dict[str, Callable[[], Measure]]:
    """What makes the metrics of one order: they share what is sorted and counted."""
    once, known = cache(evidence), orders.Curves()

    def made(rate: Callable[[Numbers, Numbers], Numbers]) -> OfOrder:
        return OfOrder(once(), lambda scores, has: orders.of_curves(rate, scores, has, known))

    return {name: partial(made, rate) for name, rate in _ORDERS.items()}


def _order_of_one(part: OneLabel) -> Ordered:
    assert part.scores is not None, "asked for only where there are some"
    if len(part.labels) == 2:
        return _ordered(part.scores[:, 1:], (part.there == 1)[:, None])
    return _ordered(part.scores, part.there[:, None] == np.arange(len(part.labels)))


def _ordered(scores: Numbers, has: NDArray[np.bool_]) -> Ordered:
    return Ordered(orders.as_ranks(scores), has)


def _calibration(part: OneLabel) -> OfSums:
    """Of each row the gap of what is right and how sure it is, in the place of its bin."""
    assert part.scores is not None, "asked for only where there are some"
    confidence = part.scores.max(axis=1)
    edges = np.linspace(0, 1, BINS + 1)[1:-1]
    rows = np.arange(len(confidence))
    kinds = np.zeros((len(confidence), BINS + 1))
    kinds[rows, np.searchsorted(edges, confidence, side="right")] = (
        part.there == part.given
    ) - confidence
    kinds[:, BINS] = 1

    def formula(sums: Numbers) -> Numbers:
        gaps: Numbers = np.abs(sums[:, :BINS]).sum(axis=1) / sums[:, BINS]
        return gaps

    return OfSums(Sums(kinds, rows), formula)


def _top(part: OneLabel, k: int) -> OfSums:
    """Whether fewer than `k` labels are more probable than the right one; of equal ones the first leads."""
    assert part.scores is not None, "asked for only where there are some"
    own = np.take_along_axis(part.scores, part.there[:, None], axis=1)
    is_before = np.arange(part.scores.shape[1]) < part.there[:, None]
    if np.isnan(part.scores).any():  # no label can be said to be more probable than another
        share = of_hits(np.zeros(len(own), np.bool_))
        return OfSums(share.evidence, lambda sums: np.full(len(sums), np.nan))
    ahead = (part.scores > own) | ((part.scores == own) & is_before)
    return of_hits(ahead.sum(axis=1) < k)
