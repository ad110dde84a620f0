"""Which metrics go with which problem."""

from __future__ import annotations

from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head
from mlrecipe.registry import registries

MULTI = "multi_label_classification"
TAGS = "token_classification"
FRAMES = "intent_and_slots"

_WORDS = {
    "single_label_classification": "one label for each row",
    MULTI: "several labels for each row",
    "regression": "regression",
    "multi_output_classification": "several outputs as a whole, each of which has metrics of its own",
    TAGS: "a tag for each word",
    FRAMES: "intent and slots as a whole, each of which has metrics of its own",
}

_OF_WHAT = ("precision", "recall", "f1")
"""Metrics of which it is not plain, where words have tags, whether spans or words are meant."""


def require(head: Head, name: str) -> None:
    """Raise unless the metric answers for the head's problem type.

    Raises:
        DataError: it does not; the hint names those that do.
    """
    if head.problem_type in registries["metric"].entry(name).types:
        return
    if head.problem_type == TAGS and name in _OF_WHAT:
        message = f"metric {name!r} may be that of spans or of words"
        hint = f"say `span-{name}`, or `{name}-macro` or `{name}-micro` of words"
        raise DataError(message, key="metrics", hint=hint)
    does = [entry.name for entry in registries["metric"] if head.problem_type in entry.types]
    message = (
        f"metric {name!r} does not go with {_WORDS.get(head.problem_type, repr(head.problem_type))}"
    )
    raise DataError(
        message, key="metrics", hint=f"those that do: {', '.join(does)}" if does else None
    )
