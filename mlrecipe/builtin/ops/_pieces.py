"""One piece of a split, some thousand rows, as small numbers that can be put together with other pieces'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlrecipe.builtin.ops import _keys, _splits
from mlrecipe.builtin.ops._lengths import words as words_of
from mlrecipe.builtin.ops._word_pieces import NO_BYTE

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset
    from numpy.typing import NDArray


_OF_WORDS = "word_lengths"
"""Column with the tokens of each word, where words were tokenized."""


_FIRST = 20
"""Rows by which tokens are told from bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A split, and what of it is looked at."""

    rows: Dataset
    """Those columns only, as Arrow."""

    count: int
    """Rows; `rows` has none where nothing is looked at."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    tags: tuple[str, ...]
    """Those of `labels` whose rows have one for each word."""

    has_tokens: bool
    """Whether there is a column `input_ids`, whose lengths count then; bytes of words do not."""

    has_truncated: bool
    separator: str | None
    """What stands between several labels in a text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """A column of labels in a piece."""

    counts: Mapping[Any, int]
    """Label → rows that have it, of tags words; of numbers with fractions none."""

    missing: int
    """Rows without a label."""

    per_row: Mapping[int, int]
    """Number of labels → rows, where a row may have several; else empty."""

    numbers: NDArray[np.float64]
    """The numbers with fractions, in the order of the rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What was seen in some rows."""

    rows: int
    blank: Mapping[str, tuple[int, int]]
    """Column of texts → rows where it is missing, and where it is empty."""

    lengths: Mapping[int, int]
    """Tokens or words → rows that have so many."""

    keys: NDArray[np.uint64]
    """A number for each row, equal where its texts are; none without texts."""

    labels: Mapping[str, Labels]
    truncated: int
    tokens: NDArray[np.int64] = field(repr=False)
    """Different token ids."""


def part_of(
    split: Dataset,
    *,
    texts: Sequence[str],
    labels: Sequence[str],
    tags: Sequence[str] = (),
    separator: str | None,
) -> Part:
    """What is to be looked at of a split, whose columns `texts` and `labels` may lack.

    A text may be a list of words, and `tags` are those of `labels` that have one for each of them.
    """
    names = split.column_names
    texts, labels = ([name for name in some if name in names] for some in (texts, labels))
    has_tokens = "input_ids" in names and not _are_bytes(split, texts)
    has_truncated = "truncated" in names and split.features["truncated"].dtype == "bool"
    extra = ["input_ids"] * has_tokens + ["truncated"] * has_truncated
    extra += [name for name in (_OF_WORDS,) if has_tokens and name in names]
    return Part(
        rows=split.select_columns(list(dict.fromkeys([*texts, *labels, *extra]))).with_format(
            "arrow"
        ),
        count=len(split),
        texts=tuple(texts),
        labels=tuple(labels),
        tags=tuple(name for name in labels if name in tags),
        has_tokens=has_tokens,
        has_truncated=has_truncated,
        separator=separator,
    )


def _are_bytes(split: Dataset, texts: Sequence[str]) -> bool:
    """Whether `input_ids` are the bytes of the words, by the first rows: they say no more than those."""
    words = [name for name in texts if hasattr(split.features[name], "feature")]
    if not words or _OF_WORDS not in split.column_names:
        return False
    columns = split.select_columns([*words, "input_ids"]).with_format(None)
    some = columns.select(range(min(_FIRST, len(split)))).to_list()
    rows = [(row, [n for n in row["input_ids"] if n != NO_BYTE]) for row in some]
    return any(ids for _, ids in rows) and any(
        all(ids == [byte + 1 for byte in "".join(row[name]).encode()] for row, ids in rows)
        for name in words
    )


def look(parts: Mapping[str, Part], piece: tuple[str, int]) -> Piece:
    """What is in the rows of the named part from the row with that number on."""
    import numpy as np
    import pyarrow as pa

    part, start = parts[piece[0]], piece[1]
    stop = min(start + _splits.BATCH, part.count)
    table = part.rows[start:stop] if part.rows.column_names else pa.table({})
    texts = table.select(list(part.texts))
    return Piece(
        rows=stop - start,
        blank={name: _blank(texts.column(name)) for name in part.texts},
        lengths=_tokens(table) if part.has_tokens else _lengths(texts),
        keys=_keys.of_table(texts) if part.texts else np.empty(0, np.uint64),
        labels={
            name: _tags(table.column(name))
            if name in part.tags
            else _labels(table.column(name), part.separator)
            for name in part.labels
        },
        truncated=_true(table.column("truncated")) if part.has_truncated else 0,
        tokens=_distinct(table.column("input_ids")) if part.has_tokens else np.empty(0, np.int64),
    )


def _blank(texts: pa.ChunkedArray) -> tuple[int, int]:
    import pyarrow.compute as pc

    if not _is_text(texts.type):  # lists of words
        return texts.null_count, _true(pc.equal(pc.list_value_length(texts), 0))
    return texts.null_count, _true(pc.equal(pc.utf8_trim_whitespace(texts), ""))


def _tokens(table: pa.Table) -> dict[int, int]:
    """How many rows there are of each number of tokens; what is in two windows counts once."""
    import numpy as np
    import pyarrow.compute as pc

    if _OF_WORDS not in table.column_names:
        return _lengths(table.select(["input_ids"]))
    lists = table.column(_OF_WORDS).combine_chunks()
    rows = np.asarray(pc.list_parent_indices(lists), dtype=np.int64)
    total = np.bincount(rows, np.asarray(pc.list_flatten(lists)), table.num_rows)
    return {int(number): count for number, count in Counter(total.tolist()).items()}


def _lengths(table: pa.Table) -> dict[int, int]:
    """How many rows there are of each length, their columns together."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if not table.num_columns:
        return {}
    total = np.zeros(table.num_rows, dtype=np.int64)
    for column in table.columns:
        is_list = pa.types.is_list(column.type) or pa.types.is_large_list(column.type)
        counted = pc.list_value_length(column) if is_list else words_of(column)
        total += np.asarray(pc.fill_null(counted, 0), dtype=np.int64)
    values, rows = np.unique(total, return_counts=True)
    return dict(zip(values.tolist(), rows.tolist(), strict=True))


def _distinct(tokens: pa.ChunkedArray) -> NDArray[np.int64]:
    import numpy as np
    import pyarrow.compute as pc

    return np.asarray(pc.unique(pc.list_flatten(tokens)).drop_null(), dtype=np.int64)


def _tags(values: pa.ChunkedArray) -> Labels:
    import numpy as np
    import pyarrow.compute as pc

    counts = _counted(pc.list_flatten(values))
    none = np.empty(0, np.float64)
    return Labels(counts=counts, missing=values.null_count, per_row={}, numbers=none)


def _labels(values: pa.ChunkedArray, separator: str | None) -> Labels:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    none = np.empty(0, np.float64)
    missing = values.null_count
    if pa.types.is_floating(values.type):
        numbers = np.asarray(values.drop_null(), dtype=np.float64)
        finite = numbers[np.isfinite(numbers)]
        lost = missing + len(numbers) - len(finite)
        return Labels(counts={}, missing=lost, per_row={}, numbers=finite)
    if separator is not None and _is_text(values.type):
        values = pc.split_pattern(values, separator)
    if pa.types.is_list(values.type) or pa.types.is_large_list(values.type):
        counts, per_row = _of_lists(values.drop_null())
        return Labels(counts=counts, missing=missing, per_row=per_row, numbers=none)
    counts = _counted(values)
    blank = [label for label in counts if isinstance(label, str) and not label.strip()]
    missing += sum(counts.pop(label) for label in blank)
    return Labels(counts=counts, missing=missing, per_row={}, numbers=none)


def _of_lists(lists: pa.ChunkedArray) -> tuple[dict[Any, int], dict[int, int]]:
    """Rows of each label, and rows of each number of labels; a label counts once in a row."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = lists.combine_chunks()
    rows, items = pc.list_parent_indices(whole), pc.list_flatten(whole)
    if _is_text(items.type):
        items = pc.utf8_trim_whitespace(items)
        kept = pc.fill_null(pc.not_equal(items, ""), False)
    else:
        kept = pc.is_valid(items)
    pairs = pa.table({"row": rows, "item": items}).filter(kept)
    once = pairs.group_by(["row", "item"]).aggregate([])
    sizes = np.bincount(np.asarray(once.column("row"), dtype=np.int64), minlength=len(lists))
    return _counted(once.column("item")), dict(Counter(sizes.tolist()))


def _counted(values: pa.ChunkedArray) -> dict[Any, int]:
    found: Counter[Any] = Counter()
    for item in values.drop_null().value_counts().to_pylist():
        found[item["values"]] += item["counts"]
    return dict(found)


def _true(mask: pa.ChunkedArray) -> int:
    import pyarrow.compute as pc

    return pc.sum(mask).as_py() or 0


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
