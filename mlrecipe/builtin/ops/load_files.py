"""The op `load-files`: tables from files on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import mlrecipe
from mlrecipe.builtin.ops import _files, _reading
from mlrecipe.builtin.ops._delimited import Layout
from mlrecipe.builtin.ops._reading import Wanted
from mlrecipe.interfaces import File

if TYPE_CHECKING:
    from datasets import DatasetDict


@mlrecipe.op("load-files")
def load_files(  # noqa: PLR0913 - each says one thing about the files
    *,
    train: File | list[File] | None = None,
    valid: File | list[File] | None = None,
    test: File | list[File] | None = None,
    files: dict[str, File | list[File]] | None = None,
    format: Literal["auto", "csv", "tsv", "jsonl", "json", "parquet", "arrow"] = "auto",
    columns: list[str] | None = None,
    types: dict[str, Literal["string", "int64", "float64", "bool"]] | None = None,
    header: bool = True,
    delimiter: str | None = None,
    quoting: bool | None = None,
    ragged: Literal["error", "drop", "fit"] = "error",
    encoding: str = "utf-8",
    file_column: str | None = None,
    limit: int | None = None,
) -> DatasetDict:
    """Load tables from CSV, TSV, JSON, JSON Lines, Parquet or Arrow files.

    Equal rows give equal data whatever the files' format. Files may be compressed (.gz, .bz2, .xz,
    .zst). In CSV and TSV a column is of integers or numbers if all of its cells are (an empty cell
    is then missing), else of texts, each as it stands in the file: `NA`, `null`, `true`, dates and
    codes such as `007` are texts.

    Args:
        train: files of the split `train`: a file, a folder, a pattern such as `data/train-*.csv`,
            or several. Files are read in the order of their names.
        valid: files of the split `valid`.
        test: files of the split `test`.
        files: files of splits with other names, such as `{ test_matched = "m.tsv" }`.
        format: what the files hold; `auto` goes by the endings of their names.
        columns: columns to keep, in this order; for files without a header, the names of all
            columns.
        types: column to type, for columns whose type should not be inferred: `{ zip = "string" }`.
        header: whether the first row of CSV and TSV names the columns.
        delimiter: character between cells; by default a comma in CSV and a tab in TSV.
        quoting: whether cells may be wrapped in double quotes, and then hold delimiters and line
            ends. By default so in CSV; in TSV quotes are part of the text and every line is a row.
        ragged: what becomes of rows of CSV and TSV with too many or too few cells: `error` names
            the first such line; `drop` leaves the rows out and `fit` cuts them or fills them up
            with empty cells, and both say how many rows and which lines.
        encoding: encoding of text files.
        file_column: name of a column to add, with the name of the file that each row came from.
        limit: at most this many rows of each split.
    """
    named = {"train": train, "valid": valid, "test": test}
    sources = _files.named(named, files, format=format)
    layout = Layout(
        delimiter=delimiter,
        header=header,
        columns=None if header or columns is None else tuple(columns),
        quoting=quoting,
        ragged=ragged,
        encoding=encoding,
    )
    wanted = Wanted(columns=columns, types=types or {}, file_column=file_column, limit=limit)
    return _reading.read(sources, layout, wanted)
