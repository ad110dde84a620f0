"""Columns by what people call them: which hold the texts, words, tags or label, when a recipe does not say.

The code digests of the ops `tokenize` and `tokenize-words` do not reach here: a change of what they find needs
a new `version` there.
"""

from __future__ import annotations

from mlrecipe.columns.names import (
    LABEL_RANK,
    PAIR_NAMES,
    TEXT_NAMES,
    VALUE_NAMES,
    are_paired,
    find_label,
    find_texts,
    kinds_of,
    label_rank,
    may_have_label,
    may_have_pairs,
    may_have_texts,
    normalised,
)
from mlrecipe.columns.words import (
    find_tags,
    find_words,
    is_tags,
    is_words,
    lists_of,
    may_have_tags,
    may_have_words,
)

__all__ = [
    "LABEL_RANK",
    "PAIR_NAMES",
    "TEXT_NAMES",
    "VALUE_NAMES",
    "are_paired",
    "find_label",
    "find_tags",
    "find_texts",
    "find_words",
    "is_tags",
    "is_words",
    "kinds_of",
    "label_rank",
    "lists_of",
    "may_have_label",
    "may_have_pairs",
    "may_have_tags",
    "may_have_texts",
    "may_have_words",
    "normalised",
]
