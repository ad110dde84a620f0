"""Words of texts: where they begin and end, whatever stands in the text."""

from __future__ import annotations

import random

import pytest

from mlrecipe.errors import RequestError
from mlrecipe.inference.words import join, split

ODD = [
    "", " ", "a", "\t \n", "don't stop", "😀", "a😀b", "👩‍👩‍👧 and 🇩🇪🇫🇷", "e\u0301te\u0301", "नमस्ते दुनिया",
    "\u0301lonely mark", "zero\u200bwidth", "a\u00a0b\u2028c", "…!!--", "\ufeffbom", "x" * 5000, "世界 hello",
    "👍🏽👍", "naïve café", "\ud83d half", "n't 's '", "a.b.c.d.e.f.g.", "-" * 200, "…" * 3, "1,2,3,x",
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("U.S. envoy Smith, 61-64.", "U.S.|envoy|Smith|,|61-64|."),
        ("John's dog doesn't bark.", "John|'s|dog|does|n't|bark|."),
        (
            "O'Neill\u2019s well-known café (1,000.50 $)",
            "O'Neill|\u2019s|well-known|café|(|1,000.50|$|)",
        ),
        ("a@b.org, see https://x.y/z?a=1.", "a@b.org|,|see|https://x.y/z?a=1|."),
        ("no... @you #tag -- 10:30", "no|...|@you|#tag|--|10:30"),
        ("👩‍👩‍👧👍🏽 🇩🇪🇫🇷", "👩‍👩‍👧|👍🏽|🇩🇪|🇫🇷"),
        ("नमस्ते दुनिया।", "नमस्ते|दुनिया|।"),
        ("e\u0301te\u0301s, 世界", "e\u0301te\u0301s|,|世|界"),
        ("can't won\u2019t we'll I'm", "ca|n't|wo|n\u2019t|we|'ll|I|'m"),
    ],
)
def test_punctuation_stands_by_itself(text: str, expected: str):
    """As in newswire: clitics apart; numbers, abbreviations, addresses, emoji and marked letters whole."""
    assert split(text, "punctuation").words == expected.split("|")


def test_white_space_alone_splits_where_the_training_did_so():
    """As in references, where a word ends with its comma."""
    worded = split("  Smith, J.\t(1998).\u00a0Title ", "whitespace")

    assert worded.words == ["Smith,", "J.", "(1998).", "Title"]
    assert worded.offsets[0] == (2, 8)


@pytest.mark.parametrize("splitting", ["punctuation", "whitespace"])
def test_every_character_but_white_space_is_in_one_word(splitting: str):
    """Of odd texts, and of random strings of odd characters; words are in order and none is empty."""
    chance = random.Random(5)
    alphabet = "ab'\u2019tns.-,19 @#\u0301\u200d\ufe0f😀👍🏽🇩🇫世é\t\u2028(:/wn"
    texts = [*ODD, *("".join(chance.choices(alphabet, k=30)) for _ in range(400))]

    for text in texts:
        worded = split(text, splitting)
        covered = [place for start, end in worded.offsets for place in range(start, end)]
        assert covered == [place for place, character in enumerate(text) if not character.isspace()]
        assert all(end > start for start, end in worded.offsets)


def test_words_that_are_known_stand_in_a_text_of_their_own():
    """With a space between each two, also where a word is empty or has spaces inside."""
    worded = join(["New York", "", "is", "big"])

    assert worded.text == "New York  is big"
    assert worded.words == ["New York", "", "is", "big"]


def test_an_unknown_way_of_splitting_is_an_error():
    """Rather than another one."""
    with pytest.raises(RequestError, match="did you mean 'whitespace'"):
        split("a b", "white-space")
