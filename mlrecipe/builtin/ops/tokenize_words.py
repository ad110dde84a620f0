"""The op `tokenize-words`: columns of words become columns of token ids that know their words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlrecipe
from mlrecipe import columns
from mlrecipe.builtin.ops._kept import kept
from mlrecipe.builtin.ops._splits import splits_of
from mlrecipe.builtin.ops._tokenizing import (
    check_kept,
    place,
    require,
    threads,
)
from mlrecipe.builtin.ops._word_encoder import Encoder, Nothing, of_bytes, of_tokenizer
from mlrecipe.errors import DataError
from mlrecipe.events import Note, emit
from mlrecipe.interfaces import Column, TokenizerSource

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from datasets import Dataset, DatasetDict, Features
    from numpy.typing import NDArray

    from mlrecipe.builtin.ops._windows import Windowed

_NEW = ("input_ids", "windows", "word_starts", "word_lengths", "truncated")


@mlrecipe.op("tokenize-words", ignore=("num_workers", "batch_rows"), rowwise=True)
def tokenize_words(  # noqa: PLR0913 - the parameters of a recipe's node
    data: DatasetDict,
    *,
    tokenizer: TokenizerSource | None = None,
    words: Column | None = None,
    max_length: int = 512,
    stride: int = 64,
    keep: list[Column] | None = None,
    revision: str | None = None,
    num_workers: int | None = None,
    batch_rows: int = 1000,
    scratch: Path,
) -> DatasetDict:
    """Turn the words of each row into token ids, exactly as the model's own tokenizer does.

    For tasks that give a tag to each word. A row with more tokens than fit is read through several windows,
    none of its words is dropped. Every split gains `input_ids` (all windows end to end, each with its special
    tokens, not padded), `windows` (tokens of each window), `word_starts` (for each word the place of its first
    token among `input_ids`, in the window where most stands around it), `word_lengths` (its tokens, at least
    one: a word of which the tokenizer makes nothing is the token for unknown words) and `truncated` (a single
    word had more tokens than fit, and lost some).

    Byte-level tokenizers, as of RoBERTa and GPT-2, get a space before each word (`add_prefix_space=True`).

    Args:
        data: splits with a column of lists of words, or one data set.
        tokenizer: folder or hub id of the tokenizer; the model's own checkpoint as a rule. Without one the
            tokens are the bytes of the words, each as the byte plus one, in one window without special tokens:
            what the model `word-char-bilstm` reads.
        words: column with the words; by default `tokens`, or else the one with a usual name, or else the only
            one with lists of strings.
        max_length: most tokens of a window, special tokens included.
        stride: tokens that a window shares with the one before it, at most half of its own; windows begin with
            a word, so it may be some more.
        keep: columns of the input to keep; all of them by default.
        revision: the hub's branch, tag or commit, for a hub id.
        num_workers: threads of the tokenizer; by default as many as there are cores.
        batch_rows: rows to encode at a time.
        scratch: empty folder for the result.
    """
    from datasets import Dataset, DatasetDict

    splits = splits_of(data)
    if stride < 0:
        raise DataError(f"expected at least 0, got {stride}", key="stride")
    found = _found(splits) if words is None else words
    _check_columns(splits, found, keep)
    with threads(num_workers):
        encoder = kept(
            ("tokenize-words", tokenizer, revision, max_length, stride),
            lambda: (
                of_bytes()
                if tokenizer is None
                else of_tokenizer(tokenizer, revision, max_length, stride)
            ),
        )
        job = _Job(
            encoder=encoder,
            words=found,
            kept=keep,
            batch_rows=batch_rows,
            total=sum(len(split) for split in splits.values()),
        )
        done = _write_splits(job, splits, scratch)
    return done[""] if isinstance(data, Dataset) else DatasetDict(done)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What is the same for every split."""

    encoder: Encoder
    words: str
    """The column."""

    kept: list[str] | None
    batch_rows: int
    total: int


def _found(splits: Mapping[str, Dataset]) -> str:
    """The column with the words, found in the first split, and told."""
    features = next(iter(splits.values())).features if splits else {}
    found = columns.find_words(columns.lists_of(features))
    if found != "tokens":
        emit(Note(f"words: column {found!r}"))
    return found


def _check_columns(splits: Mapping[str, Dataset], words: str, keep: list[str] | None) -> None:
    """Raise a DataError if a column is missing, holds no words, or has the name of a new one."""
    for name, split in splits.items():
        _check_words(name, split, words)
        check_kept(name, split, keep, _NEW)


def _check_words(name: str, split: Dataset, column: str) -> None:
    require(name, split, "words", column)
    feature = split.features[column]
    inner = getattr(feature, "feature", None)
    if getattr(inner, "dtype", None) in ("string", "large_string"):
        return
    kind = getattr(feature, "dtype", type(feature).__name__)
    if inner is not None:
        kind = f"lists of {getattr(inner, 'dtype', type(inner).__name__)}"
    is_text = kind in ("string", "large_string")
    raise DataError(
        f"column {column!r} of {place(name)} holds {kind}, not lists of words",
        key="words",
        hint="whole texts are for the op `tokenize`; a tag for each word needs them split"
        * is_text,
    )


def _write_splits(job: _Job, splits: Mapping[str, Dataset], scratch: Path) -> dict[str, Dataset]:
    import pyarrow as pa
    from datasets import Dataset

    paths: dict[str, Path] = {}
    done = 0
    for position, (name, split) in enumerate(splits.items()):
        paths[name] = scratch / f"{position}.arrow"
        schema = _features(job, split).arrow_schema
        with pa.OSFile(str(paths[name]), "wb") as sink, pa.ipc.new_stream(sink, schema) as stream:
            for table in _encoded(job, name, split, schema):
                stream.write_table(table)
                done += table.num_rows
                mlrecipe.progress(done, job.total)
    return {name: Dataset.from_file(str(path)) for name, path in paths.items()}


def _features(job: _Job, split: Dataset) -> Features:
    from datasets import Features, List, Value

    kept = split.column_names if job.kept is None else job.kept
    return Features(
        {name: split.features[name] for name in kept}
        | {name: List(Value("int32")) for name in _NEW[:-1]}
        | {"truncated": Value("bool")}
    )


def _encoded(job: _Job, name: str, split: Dataset, schema: pa.Schema) -> Iterator[pa.Table]:
    """Each batch of rows with its new columns."""
    rows = split.with_format(None).with_format("arrow")
    for start in range(0, len(split), job.batch_rows):
        table = rows[start : start + job.batch_rows]
        lists = _lists(table, name, job.words, start)
        try:
            found = job.encoder(lists)
        except Nothing as error:
            raise _no_pieces(lists, error.number, name, start) from error
        yield _joined(table, found, lists, schema)


def _lists(table: pa.Table, name: str, column: str, start: int) -> pa.ListArray:
    """The words of a batch of rows.

    Raises:
        DataError: a row has no list, or nothing in the place of a word.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    lists = table.column(column).combine_chunks().cast(pa.list_(pa.string()))
    words = pc.list_flatten(lists)
    if lists.null_count:
        row, what = pc.index(pc.is_null(lists), True).as_py(), "has no words"
    elif words.null_count:
        at = pc.index(pc.is_null(words), True).as_py()
        row, what = pc.list_parent_indices(lists)[at].as_py(), "has nothing in the place of a word"
    else:
        return lists
    raise DataError(
        f"row {start + row} of {place(name)} {what} in column {column!r}",
        key="words",
        hint="filter such rows out first",
    )


def _no_pieces(lists: pa.ListArray, number: int, name: str, start: int) -> DataError:
    import pyarrow.compute as pc

    word = pc.list_flatten(lists)[number].as_py()
    row = start + pc.list_parent_indices(lists)[number].as_py()
    return DataError(
        f"the tokenizer makes nothing of the word {word!r} in row {row} of {place(name)}",
        key="words",
        hint="it has no token for unknown words; filter such rows out first",
    )


def _joined(table: pa.Table, found: Windowed, lists: pa.ListArray, schema: pa.Schema) -> pa.Table:
    """The kept columns with the new ones."""
    import numpy as np
    import pyarrow as pa

    words = np.diff(lists.offsets.to_numpy())
    new = {
        "input_ids": _list(found.ids, found.ids_per_row),
        "windows": _list(found.windows, found.windows_per_row),
        "word_starts": _list(found.word_starts, words),
        "word_lengths": _list(found.word_lengths, words),
        "truncated": pa.array(found.truncated),
    }
    arrays = [
        new[field.name] if field.name in new else table.column(field.name) for field in schema
    ]
    return pa.Table.from_arrays(
        [column.cast(field.type) for column, field in zip(arrays, schema, strict=True)],
        schema=schema,
    )


def _list(values: NDArray[np.int32], per_row: NDArray[Any]) -> pa.ListArray:
    import numpy as np
    import pyarrow as pa

    offsets = np.concatenate([[0], np.cumsum(per_row)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(values))
