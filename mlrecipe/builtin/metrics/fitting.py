"""Which metrics go with which problem."""

from __future__ import annotations

from mlrecipe.errors import DataError
from mlrecipe.interfaces import Head
from mlrecipe.registry import registries

MULTI = "multi_label_classification"

_WORDS = {
    "single_label_classification": "one label for each row",
    MULTI: "several labels for each row",
    "regression": "regression",
    "multi_output_classification": "several outputs as a whole, each of which has metrics of its own",
}


def require(head: Head, name: str) -> None:
    """Raise unless the metric answers for the head's problem type.

    Raises:
        DataError: it does not; the hint names those that do.
    """
    if head.problem_type in registries["metric"].entry(name).types:
        return
    does = [entry.name for entry in registries["metric"] if head.problem_type in entry.types]
    message = (
        f"metric {name!r} does not go with {_WORDS.get(head.problem_type, repr(head.problem_type))}"
    )
    raise DataError(
        message, key="metrics", hint=f"those that do: {', '.join(does)}" if does else None
    )
