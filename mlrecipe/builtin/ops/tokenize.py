"""The op `tokenize`: text columns become columns of token ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import mlrecipe
from mlrecipe import columns
from mlrecipe.builtin.ops._encode import Encoded, Encoder, make_encoder
from mlrecipe.builtin.ops._kept import kept
from mlrecipe.builtin.ops._splits import splits_of
from mlrecipe.builtin.ops._tokenizing import (
    check_kept,
    load_tokenizer,
    place,
    require,
    threads,
    warn_of_length,
)
from mlrecipe.errors import DataError
from mlrecipe.events import Note, emit
from mlrecipe.interfaces import Column, TokenizerSource

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, DatasetDict, Features

_NEW = ("input_ids", "token_type_ids", "truncated")


@mlrecipe.op("tokenize", ignore=("num_workers", "batch_rows"), rowwise=True)
def tokenize(  # noqa: PLR0913 - the parameters of a recipe's node
    data: DatasetDict,
    *,
    tokenizer: TokenizerSource,
    text: Column | None = None,
    text_pair: Column | None = None,
    max_length: int = 512,
    keep: list[Column] | None = None,
    revision: str | None = None,
    num_workers: int | None = None,
    batch_rows: int = 1000,
    scratch: Path,
) -> DatasetDict:
    """Turn texts into token ids, exactly as the model's own tokenizer does.

    Every split gains `input_ids` (with special tokens, not padded) and `truncated` (the row lost
    tokens), and for pairs `token_type_ids` where the tokenizer has them.

    Args:
        data: splits with a column of texts, or one data set.
        tokenizer: folder or hub id of the tokenizer; the model's own checkpoint as a rule.
        text: column with the texts; by default `text`, or else the column, or the two of a pair, with a usual
            name, such as `sentence`, or `premise` and `hypothesis`, or else the only one with texts.
        text_pair: column with the second texts, for pairs; of the two, the longer one is cut first.
        max_length: most tokens of a row, special tokens included.
        keep: columns of the input to keep; all of them by default.
        revision: the hub's branch, tag or commit, for a hub id.
        num_workers: threads of the tokenizer; by default as many as there are cores.
        batch_rows: rows to encode at a time.
        scratch: empty folder for the result.
    """
    from datasets import Dataset, DatasetDict

    splits = splits_of(data)
    texts = _chosen(splits, text, text_pair)
    _check_columns(splits, texts, keep)
    with threads(num_workers):
        pairs = "text_pair" in texts
        encoder, with_types = kept(
            ("tokenize", tokenizer, revision, max_length, pairs),
            lambda: _encoder(tokenizer, revision, max_length, pairs=pairs),
        )
        job = _Job(
            encoder=encoder,
            texts=texts,
            kept=keep,
            with_types=with_types,
            batch_rows=batch_rows,
            total=sum(len(split) for split in splits.values()),
        )
        done = _write_splits(job, splits, scratch)
    return done[""] if isinstance(data, Dataset) else DatasetDict(done)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What is the same for every split."""

    encoder: Encoder
    texts: Mapping[str, str]
    """Parameter (`"text"`, `"text_pair"`) to its column."""

    kept: list[str] | None
    with_types: bool
    batch_rows: int
    total: int


def _encoder(
    source: str, revision: str | None, max_length: int, *, pairs: bool
) -> tuple[Encoder, bool]:
    """What encodes, and whether it tells the texts of pairs apart."""
    loaded = load_tokenizer(source, revision)
    warn_of_length(loaded, max_length)
    with_types = pairs and "token_type_ids" in loaded.model_input_names
    return make_encoder(loaded, max_length, pairs=pairs, with_types=with_types), with_types


def _chosen(
    splits: Mapping[str, Dataset], text: str | None, text_pair: str | None
) -> dict[str, str]:
    """Parameter → its column; those that the recipe does not name are found in the first split, and told."""
    if text is None and splits:
        kinds = columns.kinds_of(next(iter(splits.values())).features)
        found = columns.find_texts({name: k for name, k in kinds.items() if name != text_pair})
        text = found[0]
        if text_pair is None and len(found) > 1:
            text_pair = found[1]
        if found != ("text",):
            what = "texts" if text_pair is None else "pairs of texts"
            names = " and ".join(repr(name) for name in (text, text_pair) if name is not None)
            emit(Note(f"{what}: column{'s' * (text_pair is not None)} {names}"))
    return {"text": text or "text"} | ({} if text_pair is None else {"text_pair": text_pair})


def _check_columns(
    splits: Mapping[str, Dataset], texts: Mapping[str, str], keep: list[str] | None
) -> None:
    """Raise a DataError if a column is missing, holds no text, or has the name of a new one."""
    for name, split in splits.items():
        for key, column in texts.items():
            _check_text(name, split, key, column)
        check_kept(name, split, keep, _NEW)


def _check_text(name: str, split: Dataset, key: str, column: str) -> None:
    require(name, split, key, column)
    feature = split.features[column]
    if getattr(feature, "dtype", None) not in ("string", "large_string"):
        kind = getattr(feature, "dtype", type(feature).__name__)
        hint = (
            "lists of words are for the op `tokenize-words`" if hasattr(feature, "feature") else ""
        )
        raise DataError(
            f"column {column!r} of {place(name)} holds {kind}, not text", key=key, hint=hint
        )


def _write_splits(job: _Job, splits: Mapping[str, Dataset], scratch: Path) -> dict[str, Dataset]:
    from datasets import Dataset

    paths: dict[str, Path] = {}
    done = 0
    for position, (name, split) in enumerate(splits.items()):
        paths[name] = scratch / f"{position}.arrow"
        done = _write_split(job, name, split, paths[name], done)
    return {name: Dataset.from_file(str(path)) for name, path in paths.items()}


def _write_split(job: _Job, name: str, split: Dataset, path: Path, done: int) -> int:
    """Write one split; returns the rows done so far."""
    import pyarrow as pa

    schema = _features(job, split).arrow_schema
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, schema) as stream:
        for table, encoded in _encode_split(job, name, split):
            stream.write_table(_joined(table, encoded, schema))
            done += table.num_rows
            mlrecipe.progress(done, job.total)
    return done


def _features(job: _Job, split: Dataset) -> Features:
    from datasets import Features, List, Value

    kept = split.column_names if job.kept is None else job.kept
    types = {"token_type_ids": List(Value("int8"))} if job.with_types else {}
    return Features(
        {name: split.features[name] for name in kept}
        | {"input_ids": List(Value("int32"))}
        | types
        | {"truncated": Value("bool")}
    )


def _encode_split(job: _Job, name: str, split: Dataset) -> Iterator[tuple[pa.Table, Encoded]]:
    """Each batch of rows with its encoding; the next batch is encoded while this one is written."""
    rows = split.with_format(None).with_format("arrow")
    with ThreadPoolExecutor(1) as pool:
        ahead: tuple[pa.Table, Future[Encoded]] | None = None
        for start in range(0, len(split), job.batch_rows):
            table = rows[start : start + job.batch_rows]
            texts = [_texts(table, name, key, column, start) for key, column in job.texts.items()]
            pairs = texts[1] if len(texts) > 1 else None
            following = table, pool.submit(job.encoder, texts[0], pairs)
            if ahead is not None:
                yield ahead[0], ahead[1].result()
            ahead = following
        if ahead is not None:
            yield ahead[0], ahead[1].result()


def _texts(table: pa.Table, name: str, key: str, column: str, start: int) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = table.column(column).combine_chunks()
    if texts.null_count:
        row = start + pc.index(pc.is_null(texts), True).as_py()
        raise DataError(
            f"row {row} of {place(name)} has no text in column {column!r}",
            key=key,
            hint="filter such rows out first",
        )
    return texts.cast(pa.string())


def _joined(table: pa.Table, encoded: Encoded, schema: pa.Schema) -> pa.Table:
    """The kept columns with the new ones."""
    import numpy as np
    import pyarrow as pa

    offsets = pa.array(np.concatenate([[0], np.cumsum(encoded.lengths)]).astype(np.int32))
    new = {
        "input_ids": pa.ListArray.from_arrays(offsets, pa.array(encoded.ids)),
        "truncated": pa.array(encoded.truncated),
    }
    if encoded.type_ids is not None:
        new["token_type_ids"] = pa.ListArray.from_arrays(offsets, pa.array(encoded.type_ids))
    columns = [
        new[field.name] if field.name in new else table.column(field.name) for field in schema
    ]
    return pa.Table.from_arrays(
        [column.cast(field.type) for column, field in zip(columns, schema, strict=True)],
        schema=schema,
    )
