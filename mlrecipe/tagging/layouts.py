"""Layouts of files with tagged words: which column is what, which splits a folder has. Nothing is read here.

The code digests of the loaders do not reach here: a change of what comes out needs a new `version` there.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from mlrecipe.errors import DataError, did_you_mean

WORDS, TAGS, DOCUMENT, INTENT = "tokens", "tags", "document", "intent"
"""Names that loaders give to columns: a row's words, their tags, the number of its document, its intent."""

FIELDS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
"""The columns of CoNLL-U, in their order."""

SLOTS_FILES = ("seq.in", "seq.out", "label")
"""Files of a split with intents and slots: words, a slot for each of them, intents."""

ID = re.compile(r"[0-9]+([-.][0-9]+)?")
"""What stands in the first column of CoNLL-U."""

DOCUMENT_START = "-DOCSTART-"
"""How the line between documents begins that is of no word."""

_CELL = re.compile(r"[^ \t\r\n\f\v]+")
_TABLES = (".csv", ".jsonl", ".ndjson", ".json", ".parquet", ".pq", ".arrow", ".feather")
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
_ALIASES = {WORDS: "form", TAGS: "upos"}
_NO_NAME = ("_", "-", "")
_SPLITS = ("train", "valid", "validation", "dev", "test")

Columns: TypeAlias = Sequence[str] | Mapping[str, int | str] | None
"""Names of a file's columns in their order; or name → number, from 1, -1 for the last, or CoNLL-U's name."""


def names(columns: Columns, documents: str = "skip") -> tuple[str, ...]:
    """The columns that come out: words and tags first.

    Raises:
        DataError: there are no words among them, or two of one name.
    """
    found = [WORDS, TAGS] if columns is None else [n for n in columns if n not in _NO_NAME]
    if documents == "column":
        found.append(DOCUMENT)
    twice = [name for name, count in Counter(found).items() if count > 1]
    if twice:
        raise DataError(f"two columns are named {twice[0]!r}", key="columns")
    if WORDS not in found:
        raise DataError(
            f"no column is named {WORDS!r} ({', '.join(found)})",
            key="columns",
            hint=f"the words are called {WORDS!r}, what is to be learned of them {TAGS!r}",
        )
    return in_order(found)


def in_order(found: Sequence[str]) -> tuple[str, ...]:
    """The names with words and tags first."""
    return tuple(sorted(found, key=lambda name: (name != WORDS, name != TAGS)))


def places(columns: Columns, width: int, *, is_conllu: bool) -> dict[str, int]:
    """Column → its place in a line of `width` cells, from 0; of columns that `check` lets pass.

    Raises:
        DataError: a line has no such column.
    """
    if columns is None:
        if is_conllu:
            return {name: FIELDS.index(field) for name, field in _ALIASES.items()}
        # A single column is of words alone.
        return {WORDS: 0, TAGS: width - 1} if width > 1 else {WORDS: 0}
    if not isinstance(columns, Mapping):
        if is_conllu:
            return {name: _field(name) for name in columns}
        return {name: place for place, name in enumerate(columns) if name not in _NO_NAME}
    found = {name: _place(name, what, width) for name, what in columns.items()}
    if found.get(TAGS, -1) == found[WORDS]:
        raise DataError(
            f"{WORDS!r} and {TAGS!r} are both column {found[WORDS] + 1} of {width}",
            key="columns",
            hint="see `separator`, and the numbers in `columns`",
        )
    return found


def check(columns: Columns, *, is_conllu: bool | None) -> None:
    """Raise a DataError for columns that no file has; `is_conllu`: None where that is not known."""
    if not isinstance(columns, Mapping):
        for name in columns or () if is_conllu else ():
            _field(name)
        return
    for name, what in columns.items():
        if what == 0:
            message = f"columns count from 1, and {name!r} is 0"
            raise DataError(message, key="columns", hint="-1 is the last of a line")
        if isinstance(what, str) and is_conllu is False:
            message = f"{name!r} is {what!r}, but only the columns of CoNLL-U have names"
            raise DataError(message, key="columns", hint="say its number, from 1; -1 is the last")
        if isinstance(what, str):
            _field(what)


def check_width(columns: Columns, line: str, width: int) -> None:
    """Raise a DataError for a word's line of `width` cells that the columns cannot be of; not of CoNLL-U.

    A cell alone with white space in it is a line that another separator cuts.
    """
    if columns is None and width == 1 and len(cells(line, None)) > 1:
        raise DataError(
            f"it does not stand between the columns of {line.strip()[:40]!r}",
            key="separator",
            hint='leave it out for spaces and tabs; of words alone say `columns = ["tokens"]`',
        )
    if isinstance(columns, Mapping):
        places(columns, width, is_conllu=False)


def cells(line: str, separator: str | None) -> list[str]:
    """The cells of a line: what the separator parts, or, without one, any number of spaces and tabs."""
    return _CELL.findall(line) if separator is None else line.split(separator)


def is_word(line: str, comments: str | None) -> bool:
    """Whether a line before the first sentence is a word's."""
    is_comment = comments is not None and line.startswith(comments)
    return bool(line.strip(" \t")) and not line.startswith(DOCUMENT_START) and not is_comment


def is_conllu(line: str) -> bool:
    """Whether a word's line is one of CoNLL-U: ten columns with a tab between, the first a number."""
    cells = line.split("\t")
    return len(cells) == len(FIELDS) and ID.fullmatch(cells[0]) is not None


def check_conversion(scheme: str | None, to: str | None) -> None:
    """Raise a DataError where a scheme of the files is named, but none that tags shall have."""
    if scheme is not None and to is None:
        raise DataError(
            f"scheme = {scheme!r} says how the tags of the files are written, and changes nothing",
            key="scheme",
            hint="`to` says how they are to be written",
        )


def check_is_lines(path: str, key: str) -> None:
    """Raise a DataError for a file whose name says that it is a table."""
    name = os.path.basename(path)
    stem = name.lower()
    for ending in _COMPRESSED:
        stem = stem.removesuffix(ending)
    if stem.endswith(_TABLES):
        message = f"{name!r} is a table by its name, not lines of words"
        raise DataError(message, key=key, hint="the op load-tokens reads tables")


def slots_folders(path: str) -> dict[str, str]:
    """Split → its folder, of all folders that have words and slots; train first, test last.

    Raises:
        DataError: there is none.
    """
    folder = Path(path)
    if not folder.is_dir():
        raise DataError(f"there is no folder {path!r}", key="path")
    found = [entry.name for entry in os.scandir(folder) if has_slots(Path(entry.path))]
    if not found:
        what = f"no folder in {path!r} has {', '.join(SLOTS_FILES)}"
        hint = "train, valid and test name the folders of splits" if has_slots(folder) else None
        raise DataError(what, key="path", hint=hint)
    return {name: str(folder / name) for name in sorted(found, key=_rank)}


def _rank(split: str) -> tuple[int, str]:
    return (_SPLITS.index(split) if split in _SPLITS else len(_SPLITS) - 1, split)


def has_slots(folder: Path) -> bool:
    """Whether a folder has the words of a split with intents and slots."""
    return any((folder / f"{SLOTS_FILES[0]}{ending}").is_file() for ending in ("", ".gz"))


def _place(name: str, what: int | str, width: int) -> int:
    if isinstance(what, str):
        return _field(what)
    place = what - 1 if what > 0 else width + what
    if not 0 <= place < width:
        message = f"{name!r} is column {what}, a line has {counted(width)}"
        raise DataError(message, key="columns")
    return place


def counted(width: int) -> str:
    """`1 column`, `2 columns`."""
    return "1 column" if width == 1 else f"{width} columns"


def _field(name: str) -> int:
    field = _ALIASES.get(name, name.lower())
    if field not in FIELDS:
        raise DataError(
            f"CoNLL-U has no column {name!r}",
            key="columns",
            hint=did_you_mean(name, [*_ALIASES, *FIELDS]),
        )
    return FIELDS.index(field)
