"""Replies: what a model says of one item, as small objects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Label:
    """One label of several that there are."""

    label: str
    score: float
    """Its probability, 0 to 1."""

    probabilities: Mapping[str, float]
    """Those of all labels, or of the best that were asked for; best first."""

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Labels:
    """As many labels as there may be, also none."""

    labels: tuple[str, ...]
    """Those whose probability is above the task's threshold, in the order of the model's labels."""

    probabilities: Mapping[str, float]
    """Of all labels, or of the best that were asked for, each by itself; best first."""

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {**asdict(self), "labels": list(self.labels)}


@dataclass(frozen=True, slots=True)
class Outputs:
    """A label of each output."""

    outputs: Mapping[str, Label]
    """Column → its label."""

    def __getitem__(self, column: str) -> Label:
        return self.outputs[column]

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {column: answer.to_dict() for column, answer in self.outputs.items()}


@dataclass(frozen=True, slots=True)
class Number:
    """The predicted number."""

    value: float

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Span:
    """Words that follow each other and are one thing."""

    label: str
    start: int
    """Its first character in the text, from 0."""

    end: int
    """The character behind its last."""

    text: str
    """`text[start:end]` of what was predicted, to the character."""

    score: float
    """The mean of its words' scores, 0 to 1."""

    words: tuple[int, int]
    """Its first word, from 0, and the one behind its last."""

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {**asdict(self), "words": list(self.words)}


@dataclass(frozen=True, slots=True)
class Tags:
    """A tag for each word, and the spans that they mark."""

    text: str
    """What was predicted; of words that came as such, those with a space between each two."""

    tokens: tuple[str, ...]
    """Its words."""

    tags: tuple[str, ...]
    """The tag of each word."""

    scores: tuple[float, ...]
    """The probability of each word's tag."""

    offsets: tuple[tuple[int, int], ...]
    """Where each word stands in the text: its first character, and the one behind its last."""

    spans: tuple[Span, ...]
    """In their order."""

    probabilities: tuple[Mapping[str, float], ...] = ()
    """Of each word the tags that were asked for, best first; empty where none were."""

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        made: dict[str, Any] = {
            "text": self.text, "tokens": list(self.tokens), "tags": list(self.tags),
            "scores": list(self.scores), "offsets": [list(pair) for pair in self.offsets],
            "spans": [span.to_dict() for span in self.spans],
        }  # fmt: skip
        if self.probabilities:
            made["probabilities"] = [dict(each) for each in self.probabilities]
        return made


@dataclass(frozen=True, slots=True)
class Frame:
    """What a text asks for, and the words that say the particulars."""

    intent: Label
    slots: Tags

    def to_dict(self) -> dict[str, Any]:
        """The same as plain JSON values."""
        return {"intent": self.intent.to_dict(), "slots": self.slots.to_dict()}


Answer = Label | Labels | Outputs | Number | Tags | Frame
