"""How a column's tags mark spans, and whether they do so as the recipe says."""

from __future__ import annotations

from collections.abc import Sequence

from datasets import Dataset

from mlrecipe import events
from mlrecipe.builtin.tasks import tags
from mlrecipe.errors import DataError
from mlrecipe.tagging import schemes


def scheme_of(
    rows: Dataset, column: str, labels: Sequence[str], *, split: str, key: str = "tags"
) -> str:
    """How the tags mark spans.

    Raises:
        DataError: their prefixes are of no known scheme, or only some have one.
    """
    if not any(schemes.split(tag)[0] not in ("", schemes.OUTSIDE) for tag in labels):
        return "plain"
    return schemes.scheme_of(tags.by_name(rows, column, labels, split=split, key=key))


def require_scheme(labels: Sequence[str], scheme: str, *, key: str = "scheme") -> None:
    """Raise for a tag that the scheme does not have."""
    schemes.check(scheme, key=key)
    other = [tag for tag in labels if not schemes.is_of(tag, scheme)]
    if other:
        message = f"{scheme} has no tag {other[0]!r}"
        raise DataError(message, key=key, hint="leave it out to have it found, or convert the tags")


def warn_of_scheme(
    rows: Dataset, column: str, labels: Sequence[str], scheme: str, *, split: str
) -> None:
    """Warn where another scheme fits the tags, and spans of the one that is named are not legal in it."""
    try:
        found = scheme_of(rows, column, labels, split=split)
    except DataError:  # the scheme is named because it cannot be found
        return
    if found in (scheme, "plain"):
        return
    count = schemes.offences(tags.by_name(rows, column, labels, split=split), scheme)
    if count:
        text = (
            f"scheme {scheme!r} does not allow {count:,} of the tags of split {split!r} where they stand, "
            f"which count for no spans; they look like {found}"
        )
        events.emit(events.Note(text, level="warning"))
