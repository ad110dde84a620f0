"""Findings: what of the data deserves a warning before a model learns from them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from datasets import Dataset
from numpy.typing import NDArray

from mlrecipe import events
from mlrecipe.interfaces import Task

MOST_TRUNCATED = 0.05
"""Share of rows that may have lost tokens before it is said."""

MOST_TOKENS = 50_000_000
"""Tokens of train rows beyond which nobody looks whether other splits share them: it would take seconds."""

_SPIKE = 3.0
"""So many times as frequent as any other length is a length at which texts were cut."""

_PIECE = 1 << 20
"""Tokens that are hashed at a time."""

Rows = NDArray[np.int64]


def warn(
    task: Task,
    data: Mapping[str, Dataset],
    encoded: Mapping[str, Dataset],
    told: Collection[str] = (),
) -> None:
    """Say what is found of the splits in use, and of a split `test` beside them.

    Args:
        task: whose rows they are.
        data: every split as the node gives it.
        encoded: those that are learnt from and validated on, in this order.
        told: those of which it is known that they have rows in common with what is learnt from.
    """
    for name, rows in encoded.items():
        text = truncation(name, data[name], task.lengths(rows))
        if text:
            events.emit(events.Note(text, "warning"))
    train, *others = encoded
    others += [name for name in data if name == "test" and name not in encoded]
    for text in overlaps(data, train, [name for name in others if name not in told]):
        events.emit(events.Note(text, "warning"))


def told_by(statistics: Mapping[str, Any], train: str) -> set[str]:
    """The splits of which the op `statistics` says that they have rows in common with the train split."""
    splits = statistics.get("splits", {})
    found = {name for name, facts in splits.items() if facts.get("overlap", {}).get(train)}
    mine = splits.get(train, {}).get("overlap", {})
    return found | {name for name, rows in mine.items() if rows}


def truncation(name: str, rows: Dataset, lengths: Rows) -> str | None:
    """What to say of a split of which many rows have lost tokens; by its column `truncated`, if it has one."""
    if not len(rows):
        return None
    longest = int(lengths.max())
    if "truncated" not in rows.column_names and "windows" in rows.column_names:
        return None  # nothing is cut, whatever the lengths
    if "truncated" in rows.column_names:
        flags = rows.data.column("truncated").cast(pa.int64()).fill_null(0)
        count, how = int(_in_order(rows, flags.to_numpy()).sum()), "have lost tokens"
    else:
        count, how = _cut(lengths, longest), "seem to have lost tokens"
    share = count / len(rows)
    if share <= MOST_TRUNCATED:
        return None
    if "windows" in rows.column_names:
        return f"{share:.0%} of the rows of split {name!r} {how}: a word of theirs is longer than a window"
    return (
        f"{share:.0%} of the rows of split {name!r} {how}: they are cut at {longest} tokens; a greater "
        "max_length of the tokenize node would keep more"
    )


def overlaps(data: Mapping[str, Dataset], train: str, others: list[str]) -> list[str]:
    """What to say of each of the other splits that has rows in common with the train split."""
    names = ("input_ids", "text", "tokens")
    column = next((name for name in names if _is_comparable(data[train], name)), None)
    if column is None:
        return []
    others = [name for name in others if _is_comparable(data[name], column) and len(data[name])]
    if not others or _size(data[train], column) > MOST_TOKENS:
        return []
    known = np.unique(_keys(data[train], column))
    found = []
    for name in others:
        shared = int(np.isin(_keys(data[name], column), known).sum())
        if shared:
            rows = "row" if shared == 1 else "rows"
            share = shared / len(data[name])
            found.append(
                f"{shared:,} {rows} of split {name!r} ({share:.1%}) {'is' if shared == 1 else 'are'} "
                f"in split {train!r} too: metrics on it will be too good; see the op deduplicate"
            )
    return found


def _cut(lengths: Rows, longest: int) -> int:
    """Rows of the greatest length, if it stands out; where all are alike nothing can be told."""
    counts = np.bincount(lengths)
    others = int(counts[:-1].max(initial=0))
    return int(counts[longest]) if others and counts[longest] > _SPIKE * others else 0


def _is_comparable(rows: Dataset, column: str) -> bool:
    """Whether there is such a column, of texts or of lists of whole numbers or words."""
    if column not in rows.column_names:
        return False
    kind = rows.features.arrow_schema.field(column).type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        kind = kind.value_type
        if pa.types.is_integer(kind):
            return True
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _size(rows: Dataset, column: str) -> int:
    chunks = rows.data.column(column).chunks
    return sum(int(chunk.nbytes) for chunk in chunks) // 4


def _keys(rows: Dataset, column: str) -> NDArray[np.uint64]:
    """A number of 64 bits for each row's content, shape (rows,)."""
    found = [
        _hashes(values, lengths)
        for chunk in rows.data.column(column).chunks
        for values, lengths in _pieces(chunk)
    ]
    return _in_order(rows, np.concatenate(found) if found else np.zeros(0, np.uint64))


def _in_order(rows: Dataset, values: NDArray[Any]) -> NDArray[Any]:
    """The values of a data set's rows, of those of the table that it chooses from."""
    chosen: Any = rows._indices
    return values if chosen is None else values[chosen.column(0).to_numpy()]


def _pieces(chunk: pa.Array) -> Iterator[tuple[NDArray[Any], Rows]]:
    """The values of some rows on end, and how many each has; texts are bytes."""
    if pa.types.is_string(chunk.type) or pa.types.is_large_string(chunk.type):
        whole = pa.large_binary()
        chunk = chunk.cast(pa.large_string()).cast(whole).fill_null(b"")
        offsets = np.frombuffer(chunk.buffers()[1], np.int64)
        offsets = offsets[chunk.offset : chunk.offset + len(chunk) + 1]
        data = chunk.buffers()[2]
        values = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    else:
        offsets = np.asarray(chunk.offsets).astype(np.int64)
        values = _items(chunk.values)
    start = 0
    while start < len(chunk):
        end = int(np.searchsorted(offsets, offsets[start] + _PIECE, side="left"))
        end = min(max(end, start + 1), len(chunk))
        yield values[offsets[start] : offsets[end]], np.diff(offsets[start : end + 1])
        start = end


def _items(values: pa.Array) -> NDArray[Any]:
    """What lists hold, as numbers: of a word its hash."""
    if not (pa.types.is_string(values.type) or pa.types.is_large_string(values.type)):
        return np.asarray(values)
    return np.concatenate([np.zeros(0, np.uint64), *(_hashes(*some) for some in _pieces(values))])


def _hashes(values: NDArray[Any], lengths: Rows) -> NDArray[np.uint64]:
    """A hash of each row: the sum of its values, each mixed with its place (as in splitmix64)."""
    starts = np.cumsum(lengths) - lengths
    places = np.arange(len(values), dtype=np.uint64) - np.repeat(starts, lengths).astype(np.uint64)
    mixed = values.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + places * np.uint64(
        0xD1B54A32D192ED03
    )
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    found = lengths.astype(np.uint64)
    full = lengths > 0
    if full.any():
        found[full] += np.add.reduceat(mixed, starts[full])
    return found
