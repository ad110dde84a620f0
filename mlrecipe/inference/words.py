"""Words: where in a text each of them stands, and texts that words stand in; exact to the character."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from mlrecipe.errors import RequestError, did_you_mean

Offsets = tuple[tuple[int, int], ...]
"""First character and the one behind the last, of each word."""

_CLITIC = r"['\u2019](?:s|re|ve|ll|d|m)(?!\w)"
_SPACED = re.compile(r"\S+")
_MARKED = (0x300, 0x1E950), (0xE0020, 0xE0080), (0xE0100, 0xE01F0)
"""Where Unicode has its marks, and what makes flags of them."""


@dataclass(frozen=True, slots=True)
class Worded:
    """A text and its words."""

    text: str
    offsets: Offsets

    @property
    def words(self) -> list[str]:
        """The words, in their order; every one is a piece of the text."""
        return [self.text[start:end] for start, end in self.offsets]


def split(text: str, splitting: str) -> Worded:
    """The text in words, as the text's own training data were.

    Args:
        text: what may be anything, also empty.
        splitting: `whitespace`; or `punctuation`, which puts marks, `'s` and `n't` by themselves and keeps
            numbers, `U.S.`, `well-known`, addresses and emoji whole.

    Raises:
        RequestError: there is no such way.
    """
    if splitting not in ("whitespace", "punctuation"):
        hint = did_you_mean(splitting, ["whitespace", "punctuation"])
        raise RequestError(f"no way {splitting!r} of splitting texts into words", hint=hint)
    pattern = _SPACED if splitting == "whitespace" else _punctuated(text.isascii())
    return Worded(text, tuple(match.span() for match in pattern.finditer(text)))


def join(words: Sequence[str]) -> Worded:
    """A text of these words, a space between each two."""
    starts, at = [], 0
    for word in words:
        starts.append(at)
        at += len(word) + 1
    return Worded(
        " ".join(words),
        tuple((start, start + len(word)) for start, word in zip(starts, words, strict=True)),
    )


@functools.cache
def _punctuated(is_ascii: bool) -> re.Pattern[str]:
    """What a word is; every character but white space belongs to one."""
    mark = "" if is_ascii else _marks()
    single = (
        "" if is_ascii else r"(?![\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])"
    )
    part = f"(?:{single}[\\w{mark}])+"
    word = f"(?=\\w){part}(?:(?!{_CLITIC})[-'\\u2019](?=\\w){part})*"
    joined = "" if is_ascii else f"(?:[{mark}\U0001f3fb-\U0001f3ff]|(?<=\u200d)[^\\w\\s])*"
    return re.compile(
        "|".join(
            [
                r"(?:https?://|www\.)\S*[^\s.,;:!?'\u2019\"()\[\]<>]",
                r"[\w.+-]{1,64}@\w[\w-]*(?:\.\w[\w-]*)+",
                r"\d+(?:[.,:/-]\d+)+(?!\w)",
                r"(?:[^\W\d_]\.){2,}",
                r"[@#]\w+",
                r"n['\u2019]t(?!\w)",
                rf"(?<=\w){_CLITIC}",
                f"(?=\\w){part[:-1]}+?(?=n['\\u2019]t(?!\\w))",
                word,
                "[\U0001f1e6-\U0001f1ff]{2}",
                rf"([^\w\s])\1+(?![{mark}])" if mark else r"([^\w\s])\1+",
                rf"\S{joined}" if not single else rf"\w[{mark}]*|\S{joined}",
            ]
        ),
        re.IGNORECASE,
    )


def _marks() -> str:
    """Every mark that goes with the character before it, and joiners, for a class of a pattern."""
    found = [
        chr(code)
        for start, end in _MARKED
        for code in range(start, end)
        if unicodedata.category(chr(code)).startswith("M") or start == 0xE0020
    ]
    return _ranges(found) + "\u200c\u200d"


def _ranges(characters: Sequence[str]) -> str:
    """Sorted characters as few ranges."""
    made: list[list[str]] = []
    for character in characters:
        if made and ord(made[-1][1]) + 1 == ord(character):
            made[-1][1] = character
        else:
            made.append([character, character])
    return "".join(f"{first}-{last}" for first, last in made)
