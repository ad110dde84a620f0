"""Tags of one scheme written in another."""

from __future__ import annotations

from collections.abc import Sequence

from mlrecipe.errors import DataError
from mlrecipe.tagging import schemes
from mlrecipe.tagging.schemes import OUTSIDE
from mlrecipe.tagging.spans import read, tags


class IllegalTagError(DataError):
    """A tag may not stand where it does."""


def convert(given: Sequence[str], source: str, target: str, *, repair: bool = False) -> list[str]:
    """A row's tags in another scheme: the same spans.

    A `B` of IOB1 that need not be one still begins a span: there is no other way to read it, and the train
    split of CoNLL-2003 has two.

    Args:
        given: the tags, in the scheme `source`.
        source: one of `SCHEMES`.
        target: one of `SCHEMES`.
        repair: read tags that are not legal in `source` as conlleval does, an `I-PER` with nothing before it
            as the beginning of a span, instead of raising.

    Raises:
        DataError: there is no such scheme; a tag is not of `source`; two spans would be one as `plain` tags.
        IllegalTagError: a tag is not legal where it stands. Words are counted from 1 in what it says.
    """
    schemes.check(source, key="source")
    schemes.check(target, key="target")
    _require_known(given, source)
    if not repair and source != "IOB1":
        _require_legal(given, source)
    try:
        return tags(read(given, source), len(given), target)
    except DataError as error:
        raise DataError(error.message, key="target", hint=error.hint) from error


def _require_known(given: Sequence[str], scheme: str) -> None:
    for place, tag in enumerate(given, 1):
        if not schemes.is_of(tag, scheme):
            message = f"word {place}: tag {tag!r} is none of {scheme}"
            raise DataError(message, key="source", hint="is it another scheme?")


def _require_legal(given: Sequence[str], scheme: str) -> None:
    before = OUTSIDE
    for place, tag in enumerate(given, 1):
        if not schemes.may_follow(before, tag, scheme):
            what = f"follow {before!r}" if place > 1 else "come first"
            raise _illegal(f"word {place}: tag {tag!r} may not {what} in {scheme}")
        before = tag
    if given and not schemes.may_end(before, scheme):
        raise _illegal(f"word {len(given)}: tag {before!r} may not come last in {scheme}")


def _illegal(message: str) -> IllegalTagError:
    return IllegalTagError(message, key="source", hint="is it another scheme, or are tags wrong?")
