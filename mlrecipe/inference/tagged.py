"""Tagged: scores of words as answers, and as columns of an output."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from mlrecipe.errors import RequestError
from mlrecipe.inference import answers
from mlrecipe.inference.replies import Frame, Label, Span, Tags
from mlrecipe.inference.words import Worded
from mlrecipe.interfaces import Head
from mlrecipe.tagging import spans

Scores = NDArray[np.floating[Any]]
"""Of one row, shape (places, 1 + labels): what is decided on, then the probabilities of all."""

KINDS = ("token_classification", "intent_and_slots")
"""Problem types of which words have tags."""

_SPAN = pa.struct(
    {"label": pa.string(), "start": pa.int64(), "end": pa.int64(), "text": pa.string(),
     "score": pa.float64()}
)  # fmt: skip


def has_tags(head: Head) -> bool:
    """Whether words have tags."""
    return head.problem_type in KINDS


def tag_names(head: Head) -> tuple[str, ...]:
    """The tags, in the order of their ids."""
    return list(head.outputs.values())[1] if head.outputs else head.labels


def wrong_row(rows: Sequence[Scores]) -> tuple[int, str] | None:
    """The first row whose scores cannot be, and why: not finite, or probabilities whose sum is not 1."""
    for number, scores in enumerate(rows):
        if not np.isfinite(scores).all():
            return number, "its scores are not finite"
        sums = scores[:, 1:].sum(axis=1, dtype=np.float64)
        if (np.abs(sums - 1) > 1e-3).any():
            odd = sums[np.abs(sums - 1).argmax()]
            return number, f"its probabilities sum to {odd:.4g}, not to 1"
    return None


def answer(head: Head, scores: Scores, worded: Worded, *, top: int | None = None) -> Tags | Frame:
    """What is said of one row.

    Args:
        head: what the model puts out.
        scores: the row's.
        worded: its words.
        top: as many tags of each word, best first, are wanted beside the one that is decided on.
    """
    if not head.outputs:
        return _tags(head, head.labels, scores, worded, top)
    intents, names = head.outputs.values()
    return Frame(
        best(intents, scores[0, 1 : 1 + len(intents)], top),
        _tags(head, names, scores[1:], worded, top),
    )


def best(labels: Sequence[str], probabilities: Scores, top: int | None = None) -> Label:
    """The most probable label; of equal ones the first in the order of the labels."""
    ranked = ranking(labels, probabilities, top)
    label, score = next(iter(ranked.items()))
    return Label(label, score, ranked)


def ranking(
    labels: Sequence[str], probabilities: Scores, top: int | None = None
) -> dict[str, float]:
    """Labels with their probabilities, best first: all, or so many."""
    order = np.argsort(-probabilities, kind="stable")[:top]
    return {labels[number]: float(probabilities[number]) for number in order}


def _tags(
    head: Head, names: Sequence[str], scores: Scores, worded: Worded, top: int | None
) -> Tags:
    ids = scores[:, 0].astype(np.int64)
    tags = tuple(names[number] for number in ids)
    shares = tuple(scores[np.arange(len(ids)), 1 + ids].tolist())
    every = () if top is None else tuple(
        ranking(names, row[1 : 1 + len(names)], top) for row in scores
    )  # fmt: skip
    return Tags(
        text=worded.text, tokens=tuple(worded.words), tags=tags, scores=shares,
        offsets=worded.offsets, spans=_spans(tags, shares, worded, head.scheme), probabilities=every,
    )  # fmt: skip


def _spans(
    tags: Sequence[str], scores: Sequence[float], worded: Worded, scheme: str
) -> tuple[Span, ...]:
    """The spans as a reader sees them: one that begins as the scheme does not allow is a span all the same."""
    made = []
    for label, first, behind in spans.read(tags, scheme or "plain"):
        start, end = worded.offsets[first][0], worded.offsets[behind - 1][1]
        score = sum(scores[first:behind]) / (behind - first)
        made.append(Span(label, start, end, worded.text[start:end], score, (first, behind)))
    return tuple(made)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which columns are added to rows whose words have tags."""

    head: Head

    top: int | None = None
    """Also so many tags of each word, best first."""

    is_flat: bool = False
    """Whether lists are written as JSON."""

    has_words: bool = True
    """Whether the words stand in the input."""

    prefix: str = ""
    """Begins every name."""

    def __post_init__(self) -> None:
        """Refuse a `top` that says nothing."""
        if self.top is not None and self.top < 1:
            raise RequestError(f"{self.top} is not at least 1", key="--top")

    def check(self, known: Iterable[str]) -> None:
        """Raise if the input has a column of one of the new names."""
        answers.check_names(self.columns([], [], start=0), known)

    def columns(
        self, rows: Sequence[Scores], texts: Sequence[Worded], *, start: int
    ) -> dict[str, pa.Array]:
        """The new columns for rows of scores, the first of which has this number."""
        found = [answer(self.head, s, w, top=self.top) for s, w in zip(rows, texts, strict=True)]
        tags = [each.slots if isinstance(each, Frame) else each for each in found]
        made: dict[str, Any] = {"row": pa.array(range(start, start + len(rows)), pa.int64())}
        if not self.has_words:
            made["tokens"] = self._nested([each.tokens for each in tags], pa.list_(pa.string()))
        intents, slots = ("", "") if not self.head.outputs else (f"_{n}" for n in self.head.outputs)
        if self.head.outputs:
            made |= self._intents([e.intent for e in found if isinstance(e, Frame)], intents)
        made |= self._tags(tags, slots)
        return {f"{self.prefix}{name}": column for name, column in made.items()}

    def _intents(self, found: Sequence[Label], suffix: str) -> dict[str, pa.Array]:
        made = {
            f"prediction{suffix}": pa.array([each.label for each in found], pa.string()),
            f"probability{suffix}": pa.array([_short(each.score) for each in found], pa.float64()),
        }
        if self.top is not None:
            top = [_pairs(each.probabilities) for each in found]
            made[f"top{suffix}"] = self._nested(top, pa.list_(_PAIR))
        return made

    def _tags(self, found: Sequence[Tags], suffix: str) -> dict[str, pa.Array]:
        numbers = [[_short(score) for score in each.scores] for each in found]
        marked = [[_cell(span) for span in each.spans] for each in found]
        made = {
            f"prediction{suffix}": self._nested([e.tags for e in found], pa.list_(pa.string())),
            f"probability{suffix}": self._nested(numbers, pa.list_(pa.float64())),
            f"spans{suffix}": self._nested(marked, pa.list_(_SPAN)),
        }
        if self.top is not None:
            top = [[_pairs(word) for word in each.probabilities] for each in found]
            made[f"top{suffix}"] = self._nested(top, pa.list_(pa.list_(_PAIR)))
        return made

    def _nested(self, values: Sequence[Any], kind: pa.DataType) -> pa.Array:
        if not self.is_flat:
            return pa.array(values, kind)
        return pa.array([json.dumps(value, ensure_ascii=False) for value in values], pa.string())


_PAIR = pa.struct({"label": pa.string(), "probability": pa.float64()})


def _pairs(ranked: Mapping[str, float]) -> list[dict[str, Any]]:
    return [{"label": label, "probability": _short(p)} for label, p in ranked.items()]


def _cell(span: Span) -> dict[str, Any]:
    made = span.to_dict()
    return {name: made[name] for name in ("label", "start", "end", "text")} | {
        "score": round(span.score, 6)
    }


def _short(number: float) -> float:
    """A number of 32 bits as that of 64 that is written with as few digits."""
    return float(str(np.float32(number)))
