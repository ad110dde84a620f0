"""The op `load-conll`: sentences of words with tags, a word a line."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

import mlrecipe
from mlrecipe.builtin.ops import _files, _tagged_conll, _tagged_rows
from mlrecipe.builtin.ops._tagged_conll import Layout
from mlrecipe.errors import DataError
from mlrecipe.interfaces import File
from mlrecipe.tagging import layouts

if TYPE_CHECKING:
    from datasets import DatasetDict

ENDINGS = (".conll", ".conllu", ".iob", ".iob2", ".bio", ".bioes", ".bilou", ".txt", ".tsv")


@mlrecipe.op("load-conll")
def load_conll(  # noqa: PLR0913 - each says one thing about the files
    *,
    train: File | list[File] | None = None,
    valid: File | list[File] | None = None,
    test: File | list[File] | None = None,
    files: dict[str, File | list[File]] | None = None,
    format: Literal["auto", "conll", "conllu"] = "auto",
    columns: list[str] | dict[str, int | str] | None = None,
    separator: str | None = None,
    comments: str | None = None,
    documents: Literal["skip", "column"] = "skip",
    words: Literal["syntactic", "surface"] = "syntactic",
    scheme: Literal["IOB1", "IOB2", "BIOES", "BILOU", "plain"] | None = None,
    to: Literal["IOB1", "IOB2", "BIOES", "BILOU", "plain"] | None = None,
    encoding: str = "utf-8",
    limit: int | None = None,
) -> DatasetDict:
    r"""Load sentences from CoNLL files: a word a line with its columns, a blank line between sentences.

    Every sentence is a row; each column is a list with a text for each of its words, `tokens` and
    `tags` first. Lines that begin with `-DOCSTART-` are no words. All lines of a file have as many
    columns as its first. Of CoNLL-U the tags are the universal parts of speech, comments and empty
    nodes (`8.1`) are left out. Files may be compressed (.gz, .bz2, .xz, .zst).

    Args:
        train: files of the split `train`: a file, a folder, a pattern such as `data/*.conll`, or
            several. Files are read in the order of their names.
        valid: files of the split `valid`.
        test: files of the split `test`.
        files: files of splits with other names, such as `{ blind = "blind.txt" }`.
        format: how the files are written; `auto` takes lines of ten columns with a tab between,
            the first a number, for CoNLL-U.
        columns: names of all columns of a line, such as `["tokens", "pos", "chunk", "tags"]`, `_`
            for one to leave out; or name to number, from 1, -1 for the last:
            `{ tokens = 1, tags = -1 }`, which is the default. Of CoNLL-U those of its columns that
            are wanted: `["tokens", "tags", "lemma"]`, or `{ tokens = "form", tags = "xpos" }`.
        separator: what stands between columns, exactly once, such as `"\t"`; by default any number
            of spaces and tabs.
        comments: how lines before a sentence begin that are left out, such as `# id`; by default
            there are none, but in CoNLL-U.
        documents: `column` adds a column `document` with the number of each sentence's document in
            its file, by the lines `-DOCSTART-`, or `# newdoc` of CoNLL-U.
        words: which words of CoNLL-U: those of `syntactic` analysis (`do`, `n't`), or the written
            ones, `surface` (`don't`), whose other values are those of its words joined by `+`.
        scheme: how the tags are written in the files, where `to` is set; by default found.
        to: how the tags are to be written; by default as they stand.
        encoding: encoding of the files.
        limit: at most this many sentences of each split.
    """
    layouts.check_conversion(scheme, to)
    if separator == "":
        raise DataError("an empty text separates nothing", key="separator")
    layouts.names(columns, documents)
    sources = _files.named(
        {"train": train, "valid": valid, "test": test}, files, format="conll", endings=ENDINGS
    )
    for found in sources.values() if separator is None else ():
        for source in found:
            layouts.check_is_lines(str(source.path), source.key)
    layout = Layout(
        format=format, columns=columns, separator=separator, comments=comments,
        documents=documents, words=words, encoding=encoding,
    )  # fmt: skip
    read = partial(_tagged_conll.read, layout=layout)
    tables = {split: _tagged_rows.table(found, read, limit) for split, found in sources.items()}
    return _tagged_rows.data(tables, scheme=scheme, to=to)
