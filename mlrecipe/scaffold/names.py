"""What people call their columns, and what single values are: numbers, dates, addresses, keys."""

from __future__ import annotations

import re

TEXT_NAMES = frozenset(
    "text sentence review reviews comment comments message messages content body tweet document doc"
    " utterance abstract description question query headline post sms email mail input statement"
    " article news passage prompt phrase transcript feedback complaint review_text tweet_text"
    " comment_text clean_text full_text raw_text snippet".split()
)
"""Names of columns that hold a text to classify, normalised."""

_LABEL_RANKS = (
    (100, "label gold_label labels"),
    (80, "target class category sentiment intent emotion topic polarity stance y"),
    (80, "label_text labelname label_name classification classes gold"),
    (60, "spam tag annotation answer is_duplicate is_spam toxic v1"),
    (30, "rating stars score quality similarity grade type kind genre department status language"),
)
LABEL_RANK = {name: rank for rank, names in _LABEL_RANKS for name in names.split()}
"""How strongly a name says that its column is what to learn, 0 to 100."""

VALUE_NAMES = frozenset(
    "score rating stars target label y similarity grade price value labels quality".split()
)
"""Names of columns that, full of numbers, are a number to predict rather than a class."""

PAIR_NAMES = (
    ("sentence1", "sentence2"), ("premise", "hypothesis"), ("question1", "question2"),
    ("question", "sentence"), ("question", "passage"), ("question", "context"),
    ("question", "answer"), ("query", "passage"), ("query", "document"), ("text1", "text2"),
    ("text_a", "text_b"), ("sentence_a", "sentence_b"), ("text", "text_pair"),
)  # fmt: skip
"""Columns that are read together, the first before the second."""

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([ T]\d.*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}([ T]\d.*)?"
)
_ADDRESS = re.compile(r"(https?://|www\.|/|[A-Za-z]:\\)\S+|[\w.+-]+@[\w-]+(\.[\w-]+)+")
_KEY = re.compile(r"(?=\S*\d)[\w.:#-]+", re.ASCII)

_PART = re.compile(r"[12ab](?![a-z0-9])|(?<![a-z0-9])[12ab]")


def normalised(name: str) -> str:
    """The name in lower case with `_` between its words: `Review Text` gives `review_text`."""
    return re.sub(r"[^0-9a-z]+", "_", name.strip().lower()).strip("_")


def is_known(name: str) -> bool:
    """Whether people use this word for a text, label or pair column."""
    plain = normalised(name)
    in_pair = any(plain in pair for pair in PAIR_NAMES)
    return plain in TEXT_NAMES or plain in LABEL_RANK or plain in ("id", "index") or in_pair


def label_rank(name: str) -> int:
    """How strongly a name says `label`, 0 to 100."""
    plain = normalised(name)
    if plain in LABEL_RANK:
        return LABEL_RANK[plain]
    if plain.endswith(("_label", "_class", "_category", "_sentiment", "_target")):
        return 60
    if re.fullmatch(r"label_?\d+|(is|has)_\w+", plain):
        return 40
    return 0


def are_paired(first: str, second: str) -> bool:
    """Whether two names differ in a 1 and a 2, or an a and a b, only: `#1 String`, `#2 String`."""
    one, two = first.lower(), second.lower()
    for mark_one, mark_two in (("1", "2"), ("a", "b")):
        for match in _PART.finditer(one):
            if match[0] == mark_one and _swap(one, match.start(), mark_two) == two:
                return True
    return False


def is_number(value: str) -> bool:
    """Whether a cell is a number, with a point or a comma before its decimals."""
    return _NUMBER.fullmatch(value.strip()) is not None


def is_whole(value: str) -> bool:
    """Whether a cell is a whole number, `3` or `3.0`."""
    return re.fullmatch(r"[+-]?\d+([.,]0*)?", value.strip()) is not None


def is_date(value: str) -> bool:
    """Whether a cell is a date, with or without a time."""
    return _DATE.fullmatch(value.strip()) is not None


def is_address(value: str) -> bool:
    """Whether a cell is a web address, an e-mail address or a path."""
    return _ADDRESS.fullmatch(value.strip()) is not None


def is_key(value: str) -> bool:
    """Whether a cell looks like a name for a row: one word with digits in it, `user_81`."""
    return _KEY.fullmatch(value.strip()) is not None


def _swap(name: str, position: int, letter: str) -> str:
    return name[:position] + letter + name[position + 1 :]
