"""What single values are: numbers, dates, addresses, keys; and which names of columns are known words."""

from __future__ import annotations

import re

from mlrecipe.columns import LABEL_RANK, PAIR_NAMES, TEXT_NAMES, normalised

_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_DATE = re.compile(
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}([ T]\d.*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}([ T]\d.*)?"
)
_ADDRESS = re.compile(r"(https?://|www\.|/|[A-Za-z]:\\)\S+|[\w.+-]+@[\w-]+(\.[\w-]+)+")
_KEY = re.compile(r"(?=\S*\d)[\w.:#-]+", re.ASCII)


def is_known(name: str) -> bool:
    """Whether people use this word for a text, label or pair column."""
    plain = normalised(name)
    in_pair = any(plain in pair for pair in PAIR_NAMES)
    return plain in TEXT_NAMES or plain in LABEL_RANK or plain in ("id", "index") or in_pair


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
