"""Columns of lists that hold the words of each row, or a tag for each word, by what people call them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mlrecipe.columns.names import MADE, is_passed_over, kind_of, normalised, unclear
from mlrecipe.errors import DataError

_WORDS_RANKS = ((100, "tokens"), (90, "words"), (60, "token word forms form tokenized seq_in"))
_TAGS_RANKS = (
    (100, "tags"),
    (90, "ner_tags ner slots slot_tags slot_labels bio_tags iob_tags entity_tags entities"),
    (80, "labels label tag word_labels token_labels seq_out targets"),
    (60, "upos pos pos_tags upos_tags xpos xpos_tags chunk chunks chunk_tags"),
)
_WORDS_RANK = {name: rank for rank, names in _WORDS_RANKS for name in names.split()}
_TAGS_RANK = {name: rank for rank, names in _TAGS_RANKS for name in names.split()}


def lists_of(features: Mapping[str, Any]) -> dict[str, str]:
    """Column of lists → what they hold: `text`, `class`, `number`, `list` or `other`.

    Args:
        features: those of a data set of the library datasets.
    """
    inner = {name: getattr(feature, "feature", None) for name, feature in features.items()}
    return {name: kind_of(item) for name, item in inner.items() if item is not None}


def find_words(lists: Mapping[str, str], *, key: str = "words") -> str:
    """The column with the words of each row, a list of strings.

    A column `tokens` where there is one; else that with the most usual name; else the only list of strings
    whose name is not one of tags.

    Args:
        lists: what `lists_of` gives.
        key: the parameter that would say it.

    Raises:
        DataError: there is none, or several that could be it; the message lists them.
    """
    fits = [n for n, kind in lists.items() if kind == "text" and not is_passed_over(n)]
    found = _likeliest(fits, _WORDS_RANK) or [n for n in fits if normalised(n) not in _TAGS_RANK]
    if len(found) == 1:
        return found[0]
    if found:
        raise unclear("words", map(repr, found), key=key, example=found[0])
    hint = "words are a column of lists of strings, as `load-conll` gives it"
    raise _missing_lists("words", lists, key=key, hint=hint)


def find_tags(lists: Mapping[str, str], *, words: str | None = None, key: str = "tags") -> str:
    """The column with a tag for each word of a row, a list of strings or of class labels.

    A column `tags` where there is one; else that with the most usual name, parts of speech and chunks last;
    else the only one that is not the words.

    Args:
        lists: what `lists_of` gives.
        words: the column with the words, where it is known.
        key: the parameter that would say it.

    Raises:
        DataError: there is none, or several that could be it; the message lists them.
    """
    fits = [n for n, kind in lists.items() if kind in ("text", "class") and n != words]
    fits = [n for n in fits if not is_passed_over(n)]
    found = _likeliest(fits, _TAGS_RANK) or [n for n in fits if normalised(n) not in _WORDS_RANK]
    if len(found) == 1:
        return found[0]
    if found:
        raise unclear("tags", map(repr, found), key=key, example=found[0])
    raise _missing_lists(
        "tags", lists, key=key, hint="tags are a column of lists of strings, one a word"
    )


def is_words(name: str) -> bool:
    """Whether a column of lists is, by its name, one of words."""
    return normalised(name) in _WORDS_RANK


def is_tags(name: str) -> bool:
    """Whether a column of lists beside words is, by its name, one of tags for them."""
    return normalised(name) in _TAGS_RANK


def may_have_words(names: Iterable[str]) -> bool:
    """Whether words may be found among columns of which nothing but the names is known."""
    return any(not is_passed_over(n) and normalised(n) not in _TAGS_RANK for n in names)


def may_have_tags(names: Iterable[str]) -> bool:
    """Whether tags may be found among columns of which nothing but the names is known."""
    return any(not is_passed_over(n) and normalised(n) not in _WORDS_RANK for n in names)


def _likeliest(names: Iterable[str], ranks: Mapping[str, int]) -> list[str]:
    """Those names that are the most usual; none where none is usual."""
    ranked = {name: ranks.get(normalised(name), 0) for name in names}
    best = max(ranked.values(), default=0)
    return [name for name, rank in ranked.items() if rank == best] if best else []


def _missing_lists(what: str, lists: Mapping[str, str], *, key: str, hint: str) -> DataError:
    own = {n: f"list of {kind}" for n, kind in lists.items() if normalised(n) not in MADE}
    listed = ", ".join(f"{name} ({kind})" for name, kind in own.items())
    message = f"no column is like the {what}; the columns with lists: {listed or 'none'}"
    return DataError(message, key=key, hint=hint)
