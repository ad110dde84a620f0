"""A column of tags, one for each word of a row: which there are, their ids, how they mark spans."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset
from numpy.typing import NDArray

from mlrecipe import columns
from mlrecipe.builtin.tasks import padding
from mlrecipe.builtin.tasks.labels import first_row, of_rows, require_column, values_of
from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.tagging import schemes

_GLUED = r"[\p{L}\p{N}][.,;:]$"
_ALONE = r"^[\p{P}\p{S}]+$"
_MOST_GLUED = 0.01
_SPANS = tuple("BIESLU")


def find_column(given: str | None, rows: Dataset, *, split: str, key: str = "tags") -> str:
    """The column with the tags: the one that the recipe names, else the one that looks like it.

    Raises:
        DataError: the recipe names none and none, or more than one, looks like it.
    """
    if given is not None:
        if columns.is_words(given) and given == _words(rows):
            message = f"column {given!r} of split {split!r} holds the words, not their tags"
            raise DataError(message, key=key)
        return given
    try:
        return columns.find_tags(columns.lists_of(rows.features), words=_words(rows), key=key)
    except DataError as error:
        message = f"{error.message} (split {split!r})"
        raise DataError(message, key=error.key, hint=error.hint) from error


def find_tags(rows: Dataset, column: str, *, split: str, key: str = "tags") -> tuple[str, ...]:
    """Every tag of the column: the names of class labels, else the distinct values, sorted, `O` first.

    Raises:
        DataError: the column is missing or holds no lists of texts, whole numbers or class labels.
    """
    if (names := _names(rows, column)) is not None:
        return names
    values = pc.unique(_flat(_lists(rows, column, split=split, key=key), column, split, key))
    found = {str(value) for value in values.to_pylist() if value is not None}
    if all(value.isdigit() for value in found):
        return tuple(sorted(found, key=int))
    return tuple(sorted(found, key=lambda tag: (tag != schemes.OUTSIDE, tag)))


def completed(tags: Sequence[str], scheme: str) -> tuple[str, ...]:
    """The tags found in some rows, sorted, with all others that the scheme has for their labels.

    Rare ones are missing in few rows: who knows `B-city` should know `I-city`.
    """
    if scheme == "plain":
        return tuple(tags)
    found = set(tags)
    for label in {schemes.split(tag)[1] for tag in tags if schemes.split(tag)[0] in _SPANS}:
        every = [f"{prefix}-{label}" if label else prefix for prefix in _SPANS]
        found.update(tag for tag in every if schemes.is_of(tag, scheme))
    return tuple(sorted(found, key=lambda tag: (tag != schemes.OUTSIDE, tag)))


def are_named(rows: Dataset, column: str) -> bool:
    """Whether the column itself says which tags there are: it holds lists of class labels."""
    return _names(rows, column) is not None


def encode_tags(
    rows: Dataset, column: str, labels: Sequence[str], *, split: str, key: str = "tags",
    labels_key: str = "labels",
) -> pa.ListArray:  # fmt: skip
    """The index in `labels` of the tag of each word, a list for each row.

    Texts and class labels go by name; whole numbers are indices, unless every label is a number written out.

    Args:
        rows: with the columns of `tokenize-words`.
        column: with the tags.
        labels: every tag.
        split: which rows they are, for messages.
        key: the parameter to blame for the column.
        labels_key: the parameter to blame for unknown tags.

    Raises:
        DataError: a row has no tags, or more or fewer than words, or an unknown one.
    """
    lists = _lists(rows, column, split=split, key=key)
    _require_all(lists, column, split=split, key=key)
    counts = padding.lengths(lists)
    words = padding.lengths(values_of(rows, "word_starts"))
    _require_equal(counts, words, column, split=split, key=key)
    values = _flat(lists, column, split, key)
    names = _names(rows, column)
    if names is not None:
        unlabelled = pc.less(values, 0)
        values = pa.array(names, pa.string()).take(pc.if_else(unlabelled, None, values))
    if pa.types.is_integer(values.type) and not all(label.isdigit() for label in labels):
        outside = pc.or_(pc.less(values, 0), pc.greater_equal(values, len(labels)))
        ids = pc.if_else(outside, None, values)
    else:
        ids = pc.index_in(pc.cast(values, pa.string()), value_set=pa.array(labels, pa.string()))
    if ids.null_count:
        raise _unknown(ids, values, counts, labels, split=split, key=labels_key)
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pc.cast(ids, pa.int64()))


def has_tags(rows: Dataset, column: str) -> bool:
    """Whether any word has a tag: no null and, of class labels, not -1."""
    if column not in rows.column_names:
        return False
    values = values_of(rows, column)
    if not _is_list(values.type):
        return bool(values.null_count < len(values))  # what is wrong is said where they are read
    tags = pc.list_flatten(values)
    if pa.types.is_null(tags.type):
        return False
    missing = pc.is_null(tags)
    if _names(rows, column) is not None:
        missing = pc.or_(missing, pc.fill_null(pc.less(tags, 0), True))
    return not pc.all(missing, min_count=0).as_py()


def by_name(
    rows: Dataset, column: str, labels: Sequence[str], *, split: str, key: str = "tags"
) -> Iterable[Sequence[str]]:
    """Each row's tags by name: numbers are indices into `labels`."""
    lists = _lists(rows, column, split=split, key=key)
    names = _names(rows, column) or (labels if pa.types.is_integer(lists.type.value_type) else None)
    return _named(lists, names)


def require_several(
    ids: pa.ListArray, labels: Sequence[str], *, split: str, key: str = "tags"
) -> None:
    """Raise unless there are words of two tags at least; `ids` are those of all rows."""
    present = pc.unique(ids.flatten()).to_pylist()
    if len(present) < 2:
        what = f"only the tag {labels[present[0]]!r}" if present else "no tag"
        raise DataError(
            f"split {split!r} has {what} in its {len(ids):,} rows",
            key=key,
            hint="there is nothing to tell apart; look at the split with `mlrecipe inspect`",
        )


def splitting_of(rows: Dataset) -> str:
    """How a text becomes words such as these: where marks stay with the word before them, at white space."""
    words = _words(rows)
    if words is None:
        return "punctuation"
    values = pc.cast(pc.list_flatten(values_of(rows, words)), pa.string())
    glued = _count(pc.match_substring_regex(values, _GLUED))
    alone = _count(pc.match_substring_regex(values, _ALONE))
    return "whitespace" if glued > max(alone, _MOST_GLUED * len(values)) else "punctuation"


def _words(rows: Dataset) -> str | None:
    """The column with the words, where it is plain to see."""
    try:
        return columns.find_words(columns.lists_of(rows.features))
    except DataError:
        return None


def _lists(rows: Dataset, column: str, *, split: str, key: str) -> pa.ChunkedArray:
    require_column(rows, column, key=key, split=split)
    values = values_of(rows, column)
    if not _is_list(values.type):
        raise DataError(
            f"column {column!r} of split {split!r} holds {values.type}, and not a list for each row",
            key=key,
            hint="each row needs a list of tags, one for each word, as `load-conll` and `load-tokens` give it",
        )
    return values


def _flat(lists: pa.ChunkedArray, column: str, split: str, key: str) -> pa.Array:
    """The tags of all rows, one row after the other."""
    values = pc.list_flatten(lists)
    values = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    kind = values.type
    if pa.types.is_dictionary(kind):
        values = pc.cast(values, kind.value_type)
    if pa.types.is_null(kind):
        values = pc.cast(values, pa.string())
    is_text = pa.types.is_string(values.type) or pa.types.is_large_string(values.type)
    if not (is_text or pa.types.is_integer(values.type)):
        message = f"column {column!r} of split {split!r} holds lists of {kind}"
        hint = "tags are texts, class labels or whole numbers, one for each word"
        raise DataError(message, key=key, hint=hint)
    return values


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _names(rows: Dataset, column: str) -> tuple[str, ...] | None:
    """The names of a column of lists of class labels."""
    inner: Any = getattr(rows.features.get(column), "feature", None)
    return tuple(inner.names) if isinstance(inner, datasets.ClassLabel) else None


def _named(lists: pa.ChunkedArray, names: Sequence[str] | None) -> Iterable[Sequence[str]]:
    """Each row's tags by name; those that have none are left out."""
    for tags in lists.to_pylist():
        there = [tag for tag in tags or () if tag is not None]
        if names is None:
            yield there
        else:
            yield [names[tag] for tag in there if 0 <= tag < len(names)]


def _require_all(lists: pa.ChunkedArray, column: str, *, split: str, key: str) -> None:
    missing = pc.is_null(lists)
    count = pc.sum(missing).as_py() or 0
    if count:
        row = pc.index(missing, True).as_py()
        raise DataError(
            f"{of_rows(count, len(lists), split)} no tags in column {column!r}, {first_row(row)}",
            key=key,
            hint="leave them out with a filter node, or use a split that has tags",
        )


def _require_equal(
    tags: NDArray[np.int64], words: NDArray[np.int64], column: str, *, split: str, key: str
) -> None:
    odd = np.flatnonzero(tags != words)
    if len(odd):
        row = int(odd[0])
        raise DataError(
            f"row {row} of split {split!r} has {_counted(words[row], 'word')} and "
            f"{_counted(tags[row], 'tag')} in column {column!r}",
            key=key,
            hint=f"{len(odd):,} of {len(tags):,} rows are so; each word needs one tag",
        )


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _unknown(
    ids: pa.Array, values: pa.Array, counts: NDArray[np.int64], labels: Sequence[str], *,
    split: str, key: str,
) -> DataError:  # fmt: skip
    place = pc.index(pc.is_null(ids), True).as_py()
    row = int(np.searchsorted(np.cumsum(counts), place, side="right"))
    word = place - int(counts[:row].sum())
    value = values[place].as_py()
    if value is None:
        message = f"word {word} of row {row} of split {split!r} has no tag"
        return DataError(message, key=key, hint="a row has a tag for each word, or none at all")
    count = _count(pc.equal(values, value))
    message = (
        f"tag {value!r} of split {split!r} (row {row}, word {word}; {count:,} in all) "
        "is not among the labels"
    )
    return DataError(message, key=key.partition(".")[0], hint=_hint(str(value), labels, key=key))


def _hint(tag: str, labels: Sequence[str], *, key: str) -> str:
    """What to do about a tag that is not among the labels."""
    prefix, label = schemes.split(tag)
    known = [schemes.split(each) for each in labels]
    if prefix in _SPANS and label in {name for _, name in known} and prefix not in dict(known):
        return "its scheme is another one: `to` of the loader, or the op `convert-tags`, changes it"
    return f"{did_you_mean(tag, labels)}; `{key}` in the recipe can say more than the data"


def _count(flags: Any) -> int:
    return pc.sum(flags).as_py() or 0
