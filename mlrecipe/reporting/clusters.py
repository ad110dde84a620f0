"""Clusters of errors: wrong rows that share words which rows of the same label that are right have seldom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head
from mlrecipe.reporting import tables, terms, texts
from mlrecipe.reporting.decisions import Judged, judge
from mlrecipe.reporting.mistakes import pairs_of
from mlrecipe.reporting.part import Ids, Numbers
from mlrecipe.reporting.terms import Found, Terms

_MOST_WRONG, _MOST_RIGHT = 20_000, 50_000
"""Rows that are looked at; of more, evenly spaced ones."""

_PRIOR = 10.0
"""Weight of the prior of the log odds, in rows."""

_WORDS = 5
"""Words that are said of a cluster."""

_TELLING = 3.0
"""Standard errors of a word that is said beside the first one."""

Pair = tuple[str, str, str]
"""What a decision is about, what is expected and what was given; all `(other)` for rare ones together."""

OTHER: Pair = ("", "(other)", "(other)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Wrong rows with something in common."""

    pair: Pair
    words: tuple[str, ...]
    """The term that all its rows have, then others that tell them from rows that are right; empty for what is
    left of its pair."""

    rows: Ids
    """Their places in the table, those of the greatest loss first."""

    z: float
    """How much likelier the term is in wrong rows than in right ones, in standard errors; 0 for a rest."""

    wrong: float
    """The share that is wrong in this way of the rows with the term, wrong in this way or right."""

    usual: float
    """That share of all rows, with the term or without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What makes a cluster."""

    most: int = 10
    """Clusters at most, beside what is left."""

    least: int = 5
    """Rows of a cluster at least."""

    chance: float = 0.05
    """How likely a pair may be to have a cluster by chance: a term must reach as many standard errors as
    none of all that are looked at does otherwise (Bonferroni's correction)."""

    def __post_init__(self) -> None:
        for name in ("most", "least"):
            if (value := getattr(self, name)) < 1:
                raise DataError(f"{value} is too few", key=name, hint="it is at least 1")
        if not 0 < self.chance < 1:
            message = f"a chance lies between 0 and 1, not at {self.chance}"
            raise DataError(message, key="chance", hint="0.05 is usual")

    def z(self, looked_at: int) -> float:
        """The standard errors that one of so many terms must reach."""
        return NormalDist().inv_cdf(1 - self.chance / max(looked_at, 1))


_USUAL = Limits()


def clusters(
    table: pa.Table, *, columns: Sequence[str] = (), limits: Limits = _USUAL
) -> list[Cluster]:
    """The wrong rows in clusters, the largest first; then what is left of each pair of label and prediction.

    Wrong rows of each pair are held against the right rows of that label, where a row has one label, else
    against all that are right. The term that tells most makes a cluster of the rows that have it, then the
    next one of the rows that are left. A row is in one cluster.

    Args:
        table: predictions of labels or tags, with texts.
        columns: those with the texts; by default the column that is plain to hold them, of pairs both.
        limits: what makes a cluster.

    Raises:
        DataError: predictions of numbers; no row has a label; no column is plain to have texts.
    """
    kinds = [kind for kind in tables.IN_WORDS if kind != tables.NUMBER]
    head = tables.require(table, kinds, "a table of clusters")
    words = texts.of(table, tuple(columns))
    judged = judge(table)
    all_wrong, all_right = np.flatnonzero(judged.wrong), np.flatnonzero(judged.wrong == 0)
    wrong, right = _some(all_wrong, _MOST_WRONG), _some(all_right, _MOST_RIGHT)
    if not len(wrong):
        return []
    times = (len(all_right) / max(len(right), 1)) / (len(all_wrong) / len(wrong))
    pairs = _pairs(table, head, judged, wrong, limits.least)
    right_labels = _labels(table, head, judged.rows[right])
    known, own = terms.vocabulary(words.take(judged.rows[wrong]), least=limits.least)
    wanted = sorted({pair[1] for pair in pairs if right_labels and pair != OTHER})
    others = _counted(known, words.take(judged.rows[right]), right_labels, wanted, times)
    found: list[Cluster] = []
    for pair, places in pairs.items():
        against = others.get(pair[1] if pair != OTHER else "", others[""])
        group = _Group(known, own, places, len(wrong), against, limits)
        found += _of_pair(pair, group, judged, wrong)
    return _ranked(found, limits.most, judged, wrong)


def table_of(
    found: Sequence[Cluster], table: pa.Table, *, columns: Sequence[str] = (), examples: int = 3
) -> pa.Table:
    """Clusters as rows: the pair, `rows`, `share`, `words`, `wrong`, `usual`, `z`, and some texts.

    Args:
        found: what `clusters` gave of the table.
        table: predictions.
        columns: those with the texts.
        examples: texts of each cluster.
    """
    words = texts.of(table, tuple(columns))
    total = max(sum(len(each.rows) for each in found), 1)
    shown = [each.rows[: max(examples, 0)] for each in found]
    numbers = table.column("row")
    own: dict[str, Any] = {
        "label": _strings([c.pair[1] for c in found]),
        "prediction": _strings([c.pair[2] for c in found]),
        "rows": pa.array([len(c.rows) for c in found], pa.int64()),
        "share": pa.array([len(c.rows) / total for c in found], pa.float64()),
        "words": pa.array([c.words for c in found], pa.list_(pa.string())),
        **{name: pa.array([getattr(c, name) for c in found], pa.float64())
           for name in ("wrong", "usual", "z")},
        "examples": pa.array(
            [[texts.shortened(t) for t in words.take(pa.array(rows)).to_pylist()] for rows in shown],
            pa.list_(pa.string()),
        ),
        "example_rows": pa.array(
            [numbers.take(pa.array(rows)).to_pylist() for rows in shown], pa.list_(pa.int64())
        ),
    }  # fmt: skip
    if any(c.pair[0] for c in found):
        own = {"about": _strings([c.pair[0] for c in found]), **own}
    return pa.table(own)


def _strings(values: list[str]) -> pa.Array:
    return pa.array(values, pa.string())


@dataclass(frozen=True, slots=True)
class _Right:
    """Rows that are right."""

    terms: Ids
    """How many of them have each term, (terms,)."""

    rows: int
    times: float
    """Rows that each of them stands for, for each that a wrong row stands for."""


class _Group:
    """The wrong rows of a pair, against those that are right."""

    def __init__(
        self, known: Terms, own: Found, places: Ids, count: int, right: _Right, limits: Limits
    ) -> None:
        self.known, self.places, self.right, self.limits = known, places, right, limits
        is_own = np.zeros(count, np.bool_)
        is_own[places] = True
        mask = is_own[own.rows]
        self._rows, self._terms = own.rows[mask], own.terms[mask]
        self._count = count
        self.has = np.bincount(self._terms, minlength=len(known))
        is_looked_at = self.has >= limits.least
        self._least_z = limits.z(int(is_looked_at.sum()))
        # What is left lacks the terms before, as right rows do not: a term must tell all rows too.
        self._tells = is_looked_at & (self._odds(self.has, len(places)) >= self._least_z)

    def most_telling(self, is_left: NDArray[np.bool_]) -> tuple[int, float, Ids]:
        """The term that tells those of the rows that are left most, its z, and the rows; -1 for none."""
        inside = is_left[self._rows]
        has = np.bincount(self._terms[inside], minlength=len(self.known))
        z = self._odds(has, int(is_left.sum()))
        z[~self._tells | (has < self.limits.least)] = -np.inf
        if not len(z) or z.max() < self._least_z:
            return -1, 0.0, np.zeros(0, np.int64)
        term = int(z.argmax())
        return term, float(z[term]), self._rows[inside & (self._terms == term)]

    def telling(self, seed: int, members: Ids) -> tuple[str, ...]:
        """The seed, and the terms that tell its rows from the right ones most; none within another."""
        is_member = np.zeros(self._count, np.bool_)
        is_member[members] = True
        has = np.bincount(self._terms[is_member[self._rows]], minlength=len(self.known))
        z = self._odds(has, len(members))
        z[has < max(2, self.limits.least // 2)] = 0
        chosen = [self.known.name(seed)]
        for term in np.argsort(-z, kind="stable")[: 8 * _WORDS].tolist():
            name = self.known.name(term)
            if len(chosen) == _WORDS or z[term] < _TELLING:
                break
            if not any({*name.split()} & {*other.split()} for other in chosen):
                chosen.append(name)
        return tuple(chosen)

    def wrong_share(self, term: int) -> float:
        """The share of wrong rows among those with the term."""
        return float(self.has[term] / (self.has[term] + self.right.times * self.right.terms[term]))

    def usual_share(self) -> float:
        """The share of wrong rows among all."""
        return len(self.places) / (len(self.places) + self.right.times * self.right.rows)

    def _odds(self, has: Ids, rows: int) -> Numbers:
        return terms.log_odds(has, rows, self.right.terms, self.right.rows, prior=_PRIOR)


def _of_pair(pair: Pair, group: _Group, judged: Judged, wrong: Ids) -> list[Cluster]:
    """The clusters of a pair, and what is left."""
    is_left = np.zeros(len(wrong), np.bool_)
    is_left[group.places] = True
    found: list[Cluster] = []
    while len(found) < group.limits.most:
        term, z, members = group.most_telling(is_left)
        if term < 0:
            break
        is_left[members] = False
        found.append(Cluster(
            pair=pair, words=group.telling(term, members), rows=_by_loss(members, judged, wrong),
            z=z, wrong=group.wrong_share(term), usual=group.usual_share(),
        ))  # fmt: skip
    left = np.flatnonzero(is_left)
    return [*found, _rest(pair, _by_loss(left, judged, wrong), group.usual_share())]


def _ranked(found: list[Cluster], most: int, judged: Judged, wrong: Ids) -> list[Cluster]:
    """The largest clusters; the rows of the others go to what is left of their pair."""
    told = sorted((c for c in found if c.words), key=lambda c: (-len(c.rows), -c.z))
    rests = {c.pair: c for c in found if not c.words}
    loss = dict(zip(judged.rows[wrong].tolist(), judged.loss[wrong].tolist(), strict=True))
    for cluster in told[most:]:
        rest = rests[cluster.pair]
        rows = np.concatenate([rest.rows, cluster.rows])
        order = sorted(rows.tolist(), key=lambda row: (-loss[row], row))
        rests[cluster.pair] = _rest(cluster.pair, np.array(order, np.int64), rest.usual)
    left = sorted((c for c in rests.values() if len(c.rows)), key=lambda c: -len(c.rows))
    return [*told[:most], *left]


def _rest(pair: Pair, rows: Ids, usual: float) -> Cluster:
    return Cluster(pair=pair, words=(), rows=rows, z=0.0, wrong=usual, usual=usual)


def _by_loss(places: Ids, judged: Judged, wrong: Ids) -> Ids:
    """Places among the wrong rows as rows of the table, those of the greatest loss first."""
    which = wrong[places]
    return judged.rows[which[np.argsort(-judged.loss[which], kind="stable")]]


def _pairs(table: pa.Table, head: Head, judged: Judged, wrong: Ids, least: int) -> dict[Pair, Ids]:
    """The places of the wrong rows of each pair, the commonest pair first; rare ones together, last."""
    found: dict[Pair, list[int]] = {}
    for place, (about, expected, given) in enumerate(pairs_of(table, head, judged, wrong)):
        pair = ("" if about.startswith("word ") else about, expected, given)
        found.setdefault(pair, []).append(place)
    common = {p: rows for p, rows in found.items() if len(rows) >= least}
    rare = sorted(row for p, rows in found.items() if p not in common for row in rows)
    ranked = sorted(common.items(), key=lambda item: (-len(item[1]), item[0]))
    kept = {pair: np.array(rows) for pair, rows in ranked}
    return kept | {OTHER: np.array(rare)} if rare else kept


def _labels(table: pa.Table, head: Head, rows: Ids) -> list[str]:
    """The label of each right row, where a row has one; else nothing."""
    if head.problem_type != tables.ONE:
        return []
    found: list[str] = table.column("label").take(pa.array(rows)).to_pylist()
    return found


def _counted(
    known: Terms, words: pa.ChunkedArray, labels: list[str], wanted: list[str], times: float
) -> Mapping[str, _Right]:
    """How many right rows have each term: of all, `""`, and of each wanted label."""
    place = {name: number for number, name in enumerate(wanted)}
    # Those of no wanted label come last; where rows have no one label all of them do.
    ids = np.array(
        [place.get(label, len(wanted)) for label in labels] or [0] * len(words), np.int64
    )
    counts = np.zeros((len(wanted) + 1, len(known)), np.int64)
    for found in known.find(words):
        flat = np.bincount(ids[found.rows] * len(known) + found.terms, minlength=counts.size)
        counts += flat.reshape(counts.shape)
    rows = np.bincount(ids, minlength=len(wanted)).tolist()
    own = {name: _Right(counts[i], rows[i], times) for i, name in enumerate(wanted)}
    return {"": _Right(counts.sum(axis=0), len(words), times), **own}


def _some(places: NDArray[np.int64], most: int) -> Ids:
    """All of them, or evenly spaced ones."""
    if len(places) <= most:
        return places
    return places[np.linspace(0, len(places) - 1, most).astype(np.int64)]
