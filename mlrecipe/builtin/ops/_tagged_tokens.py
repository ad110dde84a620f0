"""Tables whose rows have words and tags: lists of texts, or texts of which white space parts the words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mlrecipe import columns
from mlrecipe.builtin.ops import _tagged_rows
from mlrecipe.builtin.ops._files import Source
from mlrecipe.builtin.ops._reading import unknown_column
from mlrecipe.builtin.ops._tagged_rows import counted
from mlrecipe.errors import DataError
from mlrecipe.tagging.layouts import TAGS, WORDS

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(slots=True, kw_only=True)
class Reader:
    """Brings words and tags of tables into lists of texts, one table of a file after another."""

    tokens: str | None = None
    """Column with the words; None: found in the first table."""

    tags: str | None = None
    """Column with the tags; None: found in the first table that may have some."""

    names: Sequence[str] | None = None
    """Of tags that are numbers."""

    columns: Sequence[str] | None = None
    """Other columns to keep; None: all."""

    _seen: dict[str, None] = field(default_factory=dict)
    """Columns of the files so far."""

    _done: Counter[str] = field(default_factory=Counter)
    """File → its rows so far."""

    def __call__(self, source: Source, table: pa.Table) -> pa.Table:
        """The table with a column `tokens` and, where it has tags, a column `tags`; the others follow.

        Raises:
            DataError: a column is not there or holds something else; a row has more words than tags, or fewer.
        """
        self._seen |= dict.fromkeys(table.column_names)
        before = self._done[str(source.path)]
        self._done[str(source.path)] += table.num_rows
        tokens, tags = self._columns(table)
        made = {WORDS: _lists(source, table, tokens, "tokens", ())}
        if tags is not None:
            names = self.names or _class_names(table, tags)
            made[TAGS] = _lists(source, table, tags, "tags", names)
            hint = f"words are those of column {tokens!r}, tags those of {tags!r}"
            _check_counts(source, made[WORDS], made[TAGS], before, hint)
        others = [name for name in table.column_names if name not in (tokens, tags)]
        if self.columns is not None:
            others = [name for name in self.columns if name in others]
        return _with(source, table, made, others)

    def check(self) -> None:
        """Raise a DataError for a column that was named, and that no file has; once all are read."""
        named = [(name, "columns") for name in self.columns or ()]
        for name, key in [*named, *([(self.tags, "tags")] if self.tags is not None else [])]:
            if name not in self._seen:
                raise unknown_column(name, self._seen, key=key)

    def _columns(self, table: pa.Table) -> tuple[str, str | None]:
        """The columns with the words and with the tags; of tags None where the table has none."""
        kinds = _kinds(table)
        if self.tokens is None:
            self.tokens = _find_words(kinds, table)
        elif self.tokens not in table.column_names:
            raise unknown_column(self.tokens, table.column_names, key="tokens")
        others = {name: kind for name, kind in kinds.items() if name != self.tokens}
        if self.tags is None and columns.may_have_tags(others):
            self.tags = columns.find_tags(others, words=self.tokens)
        return self.tokens, self.tags if self.tags in table.column_names else None


def _kinds(table: pa.Table) -> dict[str, str]:
    """Columns that may be words or tags → `text` or `class`: of lists where any holds texts, else of texts."""
    import pyarrow as pa

    lists, texts = {}, {}
    for name, kind in zip(table.column_names, table.schema.types, strict=True):
        if _is_list(kind):
            is_number = pa.types.is_integer(kind.value_type)
            if is_number or _is_text(kind.value_type) or pa.types.is_null(kind.value_type):
                lists[name] = "class" if is_number else "text"
        elif _is_text(kind):
            texts[name] = "text"
    return lists if "text" in lists.values() else texts


def _find_words(kinds: Mapping[str, str], table: pa.Table) -> str:
    usual = [name for name in kinds if columns.normalised(name) in columns.TEXT_NAMES]
    if len(usual) == 1 and _is_text(table.schema.field(usual[0]).type):
        return usual[0]
    return columns.find_words(kinds, key="tokens")


def _lists(
    source: Source, table: pa.Table, name: str, key: str, names: Sequence[str]
) -> pa.ChunkedArray:
    """A column as lists of texts; numbers of tags become their `names`."""
    import pyarrow as pa

    column, kind = table.column(name), table.schema.field(name).type
    if _is_text(kind):
        _check_plain(source, column, name, key)
        rows = [None if text is None else _tagged_rows.words(text) for text in column.to_pylist()]
        return _by_name(
            source, pa.chunked_array([pa.array(rows, pa.list_(pa.string()))]), name, names
        )
    if not _is_list(kind) and not pa.types.is_null(kind):
        message = f"column {name!r} holds {kind}, neither texts nor lists of texts"
        raise DataError(f"{source.name}: {message}", key=key)
    if _is_list(kind) and pa.types.is_integer(kind.value_type) and key == "tags":
        return _named(source, column, name, names)
    try:
        lists = column.cast(pa.list_(pa.string()))
    except pa.ArrowException as error:
        raise DataError(
            f"{source.name}: column {name!r} holds no texts: {error}", key=key
        ) from None
    return _by_name(source, lists, name, names)


def _check_plain(source: Source, column: pa.ChunkedArray, name: str, key: str) -> None:
    """Raise where all texts are lists in brackets, as pandas writes lists into CSV."""
    import pyarrow.compute as pc

    cells = column.drop_null()
    if len(cells) and pc.all(pc.match_substring_regex(cells, r"^\[.*\]$")).as_py():
        message = (
            f"{source.name}: column {name!r} holds lists in brackets, {cells[0].as_py()[:40]!r}"
        )
        hint = "write words with spaces between, or lists as JSON Lines or Parquet"
        raise DataError(message, key=key, hint=hint)


def _by_name(
    source: Source, lists: pa.ChunkedArray, name: str, names: Sequence[str]
) -> pa.ChunkedArray:
    """Lists of texts; of numbers written out, as in CSV, the `names`.

    Raises:
        DataError: there are names, and tags that are no numbers.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not names:
        return lists
    for tag in pc.unique(pc.list_flatten(lists)).drop_null().to_pylist():
        if not (tag.isascii() and tag.isdecimal()):
            raise DataError(
                f"{source.name}: column {name!r} has the tag {tag!r}, which is no number",
                key="names",
                hint="`names` is for tags that are numbers: leave it out",
            )
    return _named(source, lists.cast(pa.list_(pa.int64())), name, names)


def _named(
    source: Source, column: pa.ChunkedArray, name: str, names: Sequence[str]
) -> pa.ChunkedArray:
    """Lists of numbers as lists of the names that they have."""
    import pyarrow as pa

    if not names:
        raise DataError(
            f"{source.name}: the tags in column {name!r} are numbers",
            key="names",
            hint='say what they stand for, from 0 on: `names = ["O", "B-PER", …]`',
        )
    rows = column.to_pylist()
    for number in {tag for row in rows for tag in row or ()}:
        if number is None or not 0 <= number < len(names):
            raise DataError(
                f"{source.name}: column {name!r} has the tag {number}, and {len(names)} have names",
                key="names",
            )
    found = [None if row is None else [names[tag] for tag in row] for row in rows]
    return pa.chunked_array([pa.array(found, pa.list_(pa.string()))])


def _check_counts(
    source: Source, tokens: pa.ChunkedArray, tags: pa.ChunkedArray, before: int, hint: str
) -> None:
    """Raise for the first row that has more words than tags, or fewer."""
    import pyarrow.compute as pc

    of_words, of_tags = pc.list_value_length(tokens), pc.list_value_length(tags)
    row = pc.index(pc.not_equal(of_words, of_tags), True).as_py()
    if row >= 0:
        has = f"{counted(of_words[row].as_py(), 'word')} and {counted(of_tags[row].as_py(), 'tag')}"
        raise source.error(f"row {before + row + 1:,} has {has}", hint=hint)


def _with(
    source: Source, table: pa.Table, made: Mapping[str, pa.ChunkedArray], others: Sequence[str]
) -> pa.Table:
    """The columns that were made, and behind them others of the table."""
    import pyarrow as pa

    twice = [name for name in others if name in made]
    if twice:
        raise source.error(
            f"it has another column {twice[0]!r}", hint="`columns` says which of the others to keep"
        )
    arrays = [*made.values(), *(table.column(name) for name in others)]
    changed = pa.Table.from_arrays(arrays, names=[*made, *others])
    return changed.replace_schema_metadata(table.schema.metadata)


def _class_names(table: pa.Table, name: str) -> Sequence[str]:
    """The names of a column's lists of class labels, where `datasets` wrote them into the file."""
    from datasets import Features

    if b"huggingface" not in (table.schema.metadata or {}):
        return ()
    inner = getattr(Features.from_arrow_schema(table.schema)[name], "feature", None)
    return getattr(inner, "names", None) or ()


def _is_list(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
