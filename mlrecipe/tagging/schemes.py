"""Schemes: which tags mark a span's beginning, inside and end, and which may follow which.

In all of them a tag is a prefix, `-` and a label, `B-PER`, or `O` for what is in no span; where spans have no
labels it is the prefix alone. Legal is what seqeval's strict mode counts as a span, so that in `IOB1`, which
says `B` only where a span follows another one of its label, a `B` elsewhere is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.tagging import SCHEMES

OUTSIDE = "O"
"""The tag of what is in no span."""

_PREFIXES = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES", "BILOU": "BILU"}
_ALL = frozenset("BIESLU")
_AS_BIOES = {"L": "E", "U": "S"}


@dataclass(frozen=True, slots=True)
class Legal:
    """Which tags may begin a row, end one, and follow each other; in the order of the tags asked about."""

    start: list[bool]
    end: list[bool]
    follows: list[list[bool]]
    """From a tag to the one after it."""


def split(tag: str) -> tuple[str, str]:
    """A tag's prefix and label: `B-PER` gives `("B", "PER")`, `B` gives `("B", "")`, `O` gives `("O", "")`.

    What has no prefix is a label: `NOUN` gives `("", "NOUN")`.
    """
    if tag[1:2] == "-" and tag[0] in _ALL:
        return tag[0], tag[2:]
    if tag == OUTSIDE or tag in _ALL:
        return tag, ""
    return "", tag


@lru_cache(maxsize=4096)
def role(tag: str, scheme: str) -> tuple[str, str]:
    """A tag's prefix, in the letters of BIOES whatever the scheme, and its label.

    `("", tag)` where the scheme has no such tag: it marks nothing, as `O` does.
    """
    prefix, label = split(tag)
    if prefix == OUTSIDE or (prefix and prefix in _PREFIXES[scheme]):
        return _AS_BIOES.get(prefix, prefix), label
    return "", tag


def may_follow(before: str, tag: str, scheme: str) -> bool:
    """Whether a tag may come after another one; at the beginning of a row it comes after `O`."""
    if scheme == "plain":
        return True
    (old, old_label), (new, label) = role(before, scheme), role(tag, scheme)
    continues = old in ("B", "I") and label == old_label
    if scheme == "IOB1":
        return new != "B" or continues
    if scheme == "IOB2":
        return new != "I" or continues
    if new in ("I", "E"):
        return continues
    return old not in ("B", "I")


def may_end(tag: str, scheme: str) -> bool:
    """Whether a row may end with the tag."""
    return scheme not in ("BIOES", "BILOU") or role(tag, scheme)[0] not in ("B", "I")


def is_of(tag: str, scheme: str) -> bool:
    """Whether the scheme has such a tag."""
    return scheme == "plain" or role(tag, scheme)[0] != ""


def transitions(labels: Sequence[str], scheme: str) -> Legal:
    """What is legal among these tags, for decoding that never emits what is not.

    There may be no legal way through a row where tags are missing: without `O` and `S-…` BIOES has none for
    one word.

    Raises:
        DataError: there is no such scheme.
    """
    check(scheme)
    return Legal(
        start=[may_follow(OUTSIDE, tag, scheme) for tag in labels],
        end=[may_end(tag, scheme) for tag in labels],
        follows=[[may_follow(before, tag, scheme) for tag in labels] for before in labels],
    )


def scheme_of(sequences: Iterable[Sequence[str]]) -> str:
    """The scheme of the rows' tags: `plain` where they have no prefixes.

    Of IOB1 and IOB2 it is the one that fewer tags offend against; where none offends against either, IOB2.

    Raises:
        DataError: some tags have a prefix and some have none, or the prefixes are of no known scheme.
    """
    pairs: Counter[tuple[str, str]] = Counter()
    for tags in sequences:
        pairs.update(zip((OUTSIDE, *tags), tags, strict=False))
    prefixes = _prefixes({tag for _, tag in pairs})
    if not prefixes:
        return "plain"
    _require_known(prefixes)
    if prefixes & set("LU"):
        return "BILOU"
    if prefixes & set("ES"):
        return "BIOES"
    offences = {
        scheme: sum(n for pair, n in pairs.items() if not may_follow(*pair, scheme))
        for scheme in ("IOB2", "IOB1")
    }
    return min(offences, key=lambda scheme: offences[scheme])


def offences(sequences: Iterable[Sequence[str]], scheme: str) -> int:
    """How many tags of the rows may not stand where they do, or not end a row."""
    pairs: Counter[tuple[str, str]] = Counter()
    lasts: Counter[str] = Counter()
    for tags in sequences:
        pairs.update(zip((OUTSIDE, *tags), tags, strict=False))
        lasts.update(tags[-1:])
    wrong = sum(n for pair, n in pairs.items() if not may_follow(*pair, scheme))
    return wrong + sum(n for tag, n in lasts.items() if not may_end(tag, scheme))


def check(scheme: str, *, key: str = "scheme") -> None:
    """Raise unless there is such a scheme.

    Raises:
        DataError: there is none.
    """
    if scheme not in SCHEMES:
        raise DataError(
            f"there is no scheme of tags {scheme!r}", key=key, hint=did_you_mean(scheme, SCHEMES)
        )


def _prefixes(tags: set[str]) -> set[str]:
    """The prefixes of the tags, `O` left out; none where tags are plain."""
    inside = sorted(tags - {OUTSIDE})
    without = [tag for tag in inside if not split(tag)[0]]
    named = [tag for tag in inside if "-" in tag and split(tag)[0]]
    if without and named:
        message = f"tag {named[0]!r} has a prefix, tag {without[0]!r} has none"
        raise DataError(
            message, key="scheme", hint='say it where they are plain: `scheme = "plain"`'
        )
    return set() if without else {split(tag)[0] for tag in inside}


def _require_known(prefixes: set[str]) -> None:
    is_mixed = prefixes & set("LU") and prefixes & set("ES")
    is_endless = prefixes & set("EL") and "B" not in prefixes
    if is_mixed or is_endless:
        found = ", ".join(f"{prefix}-" for prefix in sorted(prefixes))
        message = f"tags with the prefixes {found} are of no scheme known"
        raise DataError(message, key="scheme", hint=f"known: {', '.join(SCHEMES)}")
