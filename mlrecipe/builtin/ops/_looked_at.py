"""Which columns of its data the op `statistics` looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mlrecipe.builtin.ops import _splits
from mlrecipe.builtin.ops._lengths import words
from mlrecipe.columns import find_tags, find_words, is_tags, is_words, label_rank, lists_of
from mlrecipe.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset

_LOOKED_AT = 1000
"""Rows of a split by which it is told what a column holds."""

_SINGLE_WORD = 1.5
_CLEARLY_LABEL = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Columns by what they are looked at for."""

    texts: list[str]
    labels: list[str]
    tags: list[str]
    """Those of the labels of which each word has one."""


def choose(
    splits: Mapping[str, Dataset],
    text: str | Sequence[str] | None,
    label: str | Sequence[str] | None,
) -> Columns:
    """The columns that are named, or those that their names and contents speak for.

    Raises:
        DataError: one that is named is not there, or holds something else.
    """
    known = dict.fromkeys(name for split in splits.values() for name in split.column_names)
    words, tags = _words_and_tags(splits)
    if label is None:
        best = max((name for name in known if name not in tags), key=label_rank, default="")
        labels = [*tags, best] if label_rank(best) >= _CLEARLY_LABEL else tags
    else:
        labels = [label] if isinstance(label, str) else list(label)
        _splits.check_columns(splits, labels, key="label")
    _check(splits, labels, _is_label, "label", "no labels, but {}")
    if text is None:
        found = _text_columns(splits, besides=labels)
        of_words = [words] if words and (tags or not found) else found
        return Columns(texts=of_words, labels=labels, tags=tags)
    texts = [text] if isinstance(text, str) else list(text)
    _splits.check_columns(splits, texts, key="text")
    _check(splits, texts, _is_text_or_words, "text", "no texts")
    return Columns(texts=texts, labels=labels, tags=tags)


def _words_and_tags(splits: Mapping[str, Dataset]) -> tuple[str, list[str]]:
    """The column with words, by its name, and that with a tag for each; several where they are as likely."""
    features = {n: feature for split in splits.values() for n, feature in split.features.items()}
    lists = lists_of(features)
    try:
        words = find_words({name: kind for name, kind in lists.items() if is_words(name)})
    except DataError:
        return "", []
    named = {name: kind for name, kind in lists.items() if is_tags(name)}
    tags = {name: kind for name, kind in named.items() if _are_as_long(splits, name, words)}
    try:
        return words, [find_tags(tags, words=words)]
    except DataError:  # several that are as likely, or none
        return words, list(tags)


def _are_as_long(splits: Mapping[str, Dataset], one: str, other: str) -> bool:
    """Whether the lists of two columns have as many items each, in the first rows that are looked at."""
    import pyarrow.compute as pc

    for split in splits.values():
        if one in split.column_names and other in split.column_names:
            head = split.select(range(min(_LOOKED_AT, len(split))))
            lengths = [pc.list_value_length(_splits.column(head, name)) for name in (one, other)]
            if pc.any(pc.not_equal(*lengths)).as_py():
                return False
    return True


def _check(
    splits: Mapping[str, Dataset], names: Sequence[str], fits: Any, key: str, what: str
) -> None:
    for split in splits.values():
        for name in names:
            if name in split.column_names and not fits(split.features[name]):
                kind = split.features[name]
                raise DataError(f"column {name!r} holds {what.format(kind)}", key=key)


def _is_text(feature: Any) -> bool:
    return getattr(feature, "dtype", None) in ("string", "large_string")


def _is_text_or_words(feature: Any) -> bool:
    return _is_text(getattr(feature, "feature", feature))


def _is_label(feature: Any) -> bool:
    """Whether it is one plain value, or a list of such."""
    from datasets import ClassLabel, Value

    return isinstance(getattr(feature, "feature", feature), Value | ClassLabel)


def _text_columns(splits: Mapping[str, Dataset], *, besides: Sequence[str]) -> list[str]:
    """The columns of strings that hold more than single words; all of them when none does."""
    import pyarrow.compute as pc

    found: dict[str, float] = {}
    for split in splits.values():
        head = split.select(range(min(_LOOKED_AT, len(split))))
        for name, feature in split.features.items():
            if _is_text(feature) and name not in besides:
                mean = pc.mean(words(_splits.column(head, name))).as_py() or 0.0
                found[name] = max(mean, found.get(name, 0.0))
    return [name for name, mean in found.items() if mean > _SINGLE_WORD] or list(found)
