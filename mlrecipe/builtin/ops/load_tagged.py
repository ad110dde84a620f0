"""The op `load-tagged`: lines with tags between their words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import mlrecipe
from mlrecipe import events
from mlrecipe.builtin.ops import _files, _tagged_rows
from mlrecipe.builtin.ops._tagged_inline import Reader
from mlrecipe.interfaces import File
from mlrecipe.tagging.layouts import check_is_lines
from mlrecipe.tagging.schemes import split as parts_of

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import DatasetDict

ENDINGS = (".txt", ".tagged", ".xml", ".sgml")

_FEW = 0.01
"""Share of words outside of all tags below which they look like a slip."""


@mlrecipe.op("load-tagged")
def load_tagged(  # noqa: PLR0913 - each says one thing about the files
    *,
    train: File | list[File] | None = None,
    valid: File | list[File] | None = None,
    test: File | list[File] | None = None,
    files: dict[str, File | list[File]] | None = None,
    tags: list[str] | None = None,
    ignore: list[str] | None = None,
    outside: Literal["keep", "drop"] = "keep",
    to: Literal["plain", "IOB1", "IOB2", "BIOES", "BILOU"] = "plain",
    encoding: str = "utf-8",
    limit: int | None = None,
) -> DatasetDict:
    """Load lines with tags between their words: `<author> A. Cau </author> <date> 1992 </date>`.

    Every line is a row with `tokens`, the words between white space, and `tags`, one for each word;
    words outside of all tags have `O`. Lines without anything are left out. A tag inside another,
    or one that is not closed in its line, is an error. Files may be compressed (.gz, .bz2, .xz,
    .zst).

    Args:
        train: files of the split `train`: a file, a folder, a pattern such as `data/*.txt`, or
            several. Files are read in the order of their names.
        valid: files of the split `valid`.
        test: files of the split `test`.
        files: files of splits with other names.
        tags: the tags there are, so that a misspelt one is an error; by default any.
        ignore: tags to leave out, such as `br`; the words in them stay.
        outside: whether words outside of all tags stay, or are left out (`drop`).
        to: how the tags are to be written: `plain` (`author`), or with prefixes that tell where one
            begins, `IOB2` (`B-author`, `I-author`).
        encoding: encoding of the files.
        limit: at most this many lines of each split.
    """
    named = {"train": train, "valid": valid, "test": test}
    sources = _files.named(named, files, format="tagged", endings=ENDINGS)
    for source in (source for found in sources.values() for source in found):
        check_is_lines(str(source.path), source.key)
    tables: dict[str, pa.Table] = {}
    for split, found in sources.items():
        reader = Reader(
            tags=tags, ignore=ignore or (), keeps_outside=outside == "keep", encoding=encoding
        )
        tables[split] = _tagged_rows.table(found, reader, limit)
        if limit is None and reader.outside == reader.words:
            raise found[0].error(
                "no word is in a tag", hint="tags stand around words: <name> Ada </name>"
            )
        _report(reader, split, is_plain=to == "plain")
    if to == "plain":
        plain = {split: _without_prefixes(rows) for split, rows in tables.items()}
        return _tagged_rows.data(plain, scheme=None, to=None)
    return _tagged_rows.data(tables, scheme="IOB2", to=to)


def _without_prefixes(rows: pa.Table) -> pa.Table:
    tags = [
        [label or prefix for prefix, label in map(parts_of, row)]
        for row in rows["tags"].to_pylist()
    ]
    return _tagged_rows.with_tags(rows, tags)


def _report(reader: Reader, split: str, *, is_plain: bool) -> None:
    """Say what is odd in a split."""
    if reader.joined and is_plain:
        text = (
            f"split {split!r} has elements that follow one of the same tag and run together with it "
            f'({reader.joined:,}): `to = "IOB2"` keeps them apart'
        )
        events.emit(events.Note(text, level="warning"))
    if reader.keeps_outside and 0 < reader.outside < _FEW * reader.words:
        text = (
            f"split {split!r} has words outside of all tags, which get `O` "
            f"({reader.outside:,} of {reader.words:,}): "
            '`outside = "drop"` leaves them out'
        )
        events.emit(events.Note(text, level="warning"))
