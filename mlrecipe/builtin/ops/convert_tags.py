"""The op `convert-tags`: the tags of words in another scheme."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import mlrecipe
from mlrecipe import events
from mlrecipe.builtin.ops import _splits
from mlrecipe.errors import DataError
from mlrecipe.interfaces import Column
from mlrecipe.tagging import convert, schemes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from datasets import Dataset

    from mlrecipe.builtin.ops._splits import D

    Rows = list[list[str] | None]


@mlrecipe.op("convert-tags")
def convert_tags(
    data: D,
    *,
    target: Literal["IOB1", "IOB2", "BIOES", "BILOU", "plain"],
    column: Column = "tags",
    source: Literal["IOB1", "IOB2", "BIOES", "BILOU", "plain"] | None = None,
    illegal: Literal["error", "repair"] = "error",
) -> D:
    """Write the tags of words in another scheme, which marks the same spans.

    A tag is a prefix and a label, such as `B-PER`, or `O`. In `IOB1` a span begins with `B` only where one of
    its label ends before it, in `IOB2` always; `BIOES` and `BILOU` mark its last word too, and a single one.
    `plain` tags are labels alone: two spans of one label that follow each other would be one, which is an
    error. Rows without tags, and splits without the column, stay as they are.

    Args:
        data: a data set, with splits or without.
        target: the scheme to write them in.
        column: column with the tags of each row, a list of texts or of class labels.
        source: the scheme that they are in; by default it is found from the tags of all splits.
        illegal: what to do with a tag that may not stand where it does, such as an `I-PER` of IOB2 with nothing
            before it: `error`, or `repair`, which takes it for the beginning of a span, as conlleval does.
    """
    found = _splits.splits_of(data)
    _splits.check_columns(found, [column], key="column")
    rows = {
        name: _tags(split, column, name)
        for name, split in found.items()
        if column in split.column_names
    }
    scheme = source or _detected(rows)

    def change(name: str, split: Dataset) -> Dataset:
        if name not in rows:
            return split
        changed = _converted(rows[name], scheme, target, name, repair=illegal == "repair")
        return _with_tags(split, column, changed)

    return _splits.each(data, change)


def _tags(split: Dataset, column: str, name: str) -> Rows:
    """The tags of each row by their names.

    Raises:
        DataError: the column does not hold lists of texts or of class labels, or a word has no tag.
    """
    inner = getattr(split.features[column], "feature", None)
    names = getattr(inner, "names", None)
    if names is None and getattr(inner, "dtype", None) not in ("string", "large_string"):
        message = f"column {column!r}{_splits.at(name)} does not hold a list of tags in each row"
        raise DataError(message, key="column", hint="tags are lists of texts or of class labels")
    rows: list[list[Any] | None] = _splits.column(split, column).to_pylist()
    for number, tags in enumerate(rows, 1):
        for word, tag in enumerate(tags or (), 1):
            if tag is None or tag == -1:  # the hub's sign for unlabelled
                message = f"word {word} of row {number}{_splits.at(name)} has no tag"
                raise DataError(message, key="column")
    if not names:
        return rows
    return [None if tags is None else [names[int(tag)] for tag in tags] for tags in rows]


def _detected(rows: Mapping[str, Rows]) -> str:
    def each() -> Iterator[list[str]]:
        for split in rows.values():
            yield from (tags for tags in split if tags is not None)

    try:
        scheme = schemes.scheme_of(each())
    except DataError as error:
        hint = error.hint and error.hint.replace("scheme =", "source =")
        raise DataError(error.message, key="source", hint=hint) from error
    events.emit(events.Note(f"the tags are read as {scheme}"))
    return scheme


def _converted(rows: Rows, source: str, target: str, split: str, *, repair: bool) -> Rows:
    """The tags of each row in the scheme `target`.

    Raises:
        DataError: those of a row cannot be; with its number.
    """
    made: Rows = []
    for number, tags in enumerate(rows, 1):
        try:
            new = None if tags is None else convert.convert(tags, source, target, repair=repair)
        except DataError as error:
            hint = error.hint
            if isinstance(error, convert.IllegalTagError):
                hint = 'another scheme? `source` says it; `illegal = "repair"` takes it for a beginning'
            message = f"row {number}{_splits.at(split)}, {error.message}"
            raise DataError(message, key=error.key, hint=hint) from error
        made.append(new)
    return made


def _with_tags(split: Dataset, column: str, rows: Rows) -> Dataset:
    """The rows with other tags, texts now, in the place of theirs."""
    from datasets import Dataset, Features, List, Value

    feature = List(Value("string"))
    rest = split.remove_columns(column)
    if not rest.column_names:  # to which `datasets` cannot add a column
        return Dataset.from_dict({column: rows}, features=Features({column: feature}))
    added = rest.add_column(column, rows, feature=feature)
    return added.select_columns(split.column_names)
