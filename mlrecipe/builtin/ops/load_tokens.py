"""The op `load-tokens`: tables whose rows have words and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import mlrecipe
from mlrecipe.builtin.ops import _files, _reading, _tagged_rows
from mlrecipe.builtin.ops._delimited import Layout
from mlrecipe.builtin.ops._reading import Wanted
from mlrecipe.builtin.ops._tagged_tokens import Reader
from mlrecipe.errors import DataError
from mlrecipe.interfaces import File
from mlrecipe.tagging.layouts import TAGS, WORDS, check_conversion

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset, DatasetDict


@mlrecipe.op("load-tokens")
def load_tokens(  # noqa: PLR0913 - each says one thing about the files
    *,
    train: File | list[File] | None = None,
    valid: File | list[File] | None = None,
    test: File | list[File] | None = None,
    files: dict[str, File | list[File]] | None = None,
    format: Literal["auto", "csv", "tsv", "jsonl", "json", "parquet", "arrow"] = "auto",
    tokens: str | None = None,
    tags: str | None = None,
    names: list[str] | None = None,
    columns: list[str] | None = None,
    delimiter: str | None = None,
    quoting: bool | None = None,
    scheme: Literal["IOB1", "IOB2", "BIOES", "BILOU", "plain"] | None = None,
    to: Literal["IOB1", "IOB2", "BIOES", "BILOU", "plain"] | None = None,
    encoding: str = "utf-8",
    limit: int | None = None,
) -> DatasetDict:
    """Load words and tags from tables: JSON Lines of lists, or CSV with a text and as many tags.

    Every row has `tokens` and `tags`, then the columns that the files have beside. Words and tags
    are lists of texts, or texts in which white space stands between them. A row with more words
    than tags, or fewer, is an error. A split without tags has no column `tags`. Files may be JSON
    Lines, JSON, CSV, TSV, Parquet or Arrow, and compressed (.gz, .bz2, .xz, .zst).

    Args:
        train: files of the split `train`: a file, a folder, a pattern such as `data/*.jsonl`, or
            several. Files are read in the order of their names.
        valid: files of the split `valid`.
        test: files of the split `test`.
        files: files of splits with other names.
        format: what the files hold; `auto` goes by the endings of their names.
        tokens: column with the words; by default `tokens`, `words`, `text` or the like.
        tags: column with the tags; by default `tags`, `ner_tags`, `labels` or the like.
        names: what tags that are numbers stand for, from 0 on; by default what the files say.
        columns: other columns to keep, in this order; by default all.
        delimiter: character between cells; by default a comma in CSV and a tab in TSV.
        quoting: whether cells may be wrapped in double quotes; by default in CSV, and not in TSV.
        scheme: how the tags are written in the files, where `to` is set; by default found.
        to: how the tags are to be written; by default as they stand.
        encoding: encoding of text files.
        limit: at most this many rows of each split.
    """
    check_conversion(scheme, to)
    named = {"train": train, "valid": valid, "test": test}
    sources = _files.named(named, files, format=format)
    reader = Reader(tokens=tokens, tags=tags, names=names, columns=columns)
    layout = Layout(delimiter=delimiter, quoting=quoting, encoding=encoding)
    read = _reading.read(sources, layout, Wanted(limit=limit), reader)
    reader.check()
    tables = {split: _settled(split, rows.with_format("arrow")[:]) for split, rows in read.items()}
    classes = {name: found for rows in read.values() for name, found in _class_names(rows).items()}
    return _tagged_rows.data(tables, scheme=scheme, to=to, classes=classes)


def _settled(split: str, rows: pa.Table) -> pa.Table:
    """The rows, without tags where none has any.

    Raises:
        DataError: a row has no words, or no tags while others have.
    """
    import pyarrow.compute as pc

    if TAGS in rows.column_names and rows[TAGS].null_count == rows.num_rows > 0:
        rows = rows.drop_columns(TAGS)
    for name in {WORDS, TAGS} & set(rows.column_names):
        if rows[name].null_count:
            row = pc.index(rows[name].is_null(), True).as_py()
            raise DataError(f"row {row + 1:,} of split {split!r} has no {name}", key=name)
    return rows


def _class_names(rows: Dataset) -> dict[str, list[str]]:
    features = rows.features.items()
    return {name: f.names for name, f in features if getattr(f, "names", None)}
