"""The op `load-slots`: utterances with an intent each, and a slot for each word."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import mlrecipe
from mlrecipe.builtin.ops import _tagged_rows
from mlrecipe.builtin.ops._files import Source, open_text
from mlrecipe.builtin.ops._tagged_rows import Kinds, Rows, counted, words
from mlrecipe.errors import DataError, did_you_mean
from mlrecipe.interfaces import File
from mlrecipe.tagging.layouts import (
    INTENT,
    SLOTS_FILES,
    TAGS,
    WORDS,
    check_conversion,
    has_slots,
    slots_folders,
)

if TYPE_CHECKING:
    from datasets import DatasetDict


@mlrecipe.op("load-slots")
def load_slots(
    *,
    path: File | None = None,
    train: File | None = None,
    valid: File | None = None,
    test: File | None = None,
    scheme: Literal["IOB1", "IOB2", "BIOES", "BILOU", "plain"] | None = None,
    to: Literal["IOB1", "IOB2", "BIOES", "BILOU", "plain"] | None = None,
    encoding: str = "utf-8",
    limit: int | None = None,
) -> DatasetDict:
    """Load utterances with slots and intents: folders with `seq.in`, `seq.out` and `label` (SNIPS, ATIS).

    Every line is a row with `tokens`, the words of `seq.in`, `tags`, the slot of each word in
    `seq.out`, and `intent`, the line of `label`.

    Args:
        path: a folder that has a folder for each split; splits have the names of these.
        train: the folder of the split `train`, where no `path` is given.
        valid: the folder of the split `valid`.
        test: the folder of the split `test`.
        scheme: how the tags are written in the files, where `to` is set; by default found.
        to: how the tags are to be written; by default as they stand.
        encoding: encoding of the files.
        limit: at most this many rows of each split.
    """
    check_conversion(scheme, to)
    folders = _folders(path, {"train": train, "valid": valid, "test": test})
    tables = {}
    for split, folder in folders.items():
        source = _source(Path(folder), SLOTS_FILES[0], key="path" if path else split)
        read = partial(_read, encoding=encoding)
        tables[split] = _tagged_rows.table([source], read, limit)
    return _tagged_rows.data(tables, scheme=scheme, to=to)


def _folders(path: str | None, named: dict[str, File | None]) -> dict[str, str]:
    """Split → its folder."""
    found = {split: str(folder) for split, folder in named.items() if folder is not None}
    if path is not None and found:
        split = next(iter(found))
        raise DataError(f"path and {split} both name folders", key=split, hint="drop one of them")
    if path is not None:
        return slots_folders(path)
    if not found:
        raise DataError("no folder is named", hint="set path, or train, valid and test")
    return found


def _source(folder: Path, name: str, *, key: str) -> Source:
    path = next((p for p in (folder / name, folder / f"{name}.gz") if p.is_file()), None)
    if path is not None:
        return Source(path=path, key=key, format="slots")
    there = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    what = f"the folder {str(folder)!r} has no file {name!r}"
    if not folder.is_dir():
        what = f"{str(folder)!r} is no folder"
    hint = did_you_mean(name, there)
    if not there:
        hint = f"a split is a folder with {', '.join(SLOTS_FILES)}"
    elif any(has_slots(folder / entry) for entry in there):
        hint = "`path` names a folder of splits"
    raise DataError(what, key=key, hint=hint)


def _read(source: Source, *, encoding: str) -> tuple[Kinds, Rows]:
    """The columns, and the rows of a split, whose words are in `source`."""
    slots, intents = (_source(source.path.parent, name, key=source.key) for name in SLOTS_FILES[1:])
    lines = [_lines(each, encoding) for each in (source, slots, intents)]
    for other, found in ((slots, lines[1]), (intents, lines[2])):
        if len(found) != len(lines[0]):
            raise other.error(
                f"it has {counted(len(found), 'line')}, {source.name} has {len(lines[0]):,}"
            )
    return {WORDS: "words", TAGS: "words", INTENT: "string"}, _rows(slots, *lines)


def _rows(
    slots: Source, inputs: Sequence[str], outputs: Sequence[str], intents: Sequence[str]
) -> Rows:
    for number, (text, tags, intent) in enumerate(zip(inputs, outputs, intents, strict=True), 1):
        row = words(text), words(tags)
        if len(row[0]) != len(row[1]):
            raise slots.error(
                f"row {number} has {counted(len(row[0]), 'word')} and {counted(len(row[1]), 'tag')}",
                line=number,
            )
        if not intent.strip():
            raise slots.error(f"row {number} has no intent in {SLOTS_FILES[2]}", line=number)
        yield *row, intent.strip()


def _lines(source: Source, encoding: str) -> list[str]:
    """The lines of a file; empty ones at its end are none."""
    with open_text(source, encoding=encoding, newline="\n") as text:
        lines = text.read().split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return lines
