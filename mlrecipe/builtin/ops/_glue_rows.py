"""The rows of one of GLUE's TSV files: no quoting, every line a row, and what becomes of bad ones."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeAlias

from mlrecipe import events
from mlrecipe.builtin.ops._files import Source, open_text
from mlrecipe.glue import Files, Task

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 10_000
"""Rows that are held as Python objects at a time."""

_COLA = ("source", "label", "mark", "sentence")
"""Columns of CoLA's train and dev files, which have no header."""

_INDICES = ("index", "id")
_PAIR = ("#1 ID", "#2 ID")
_SHOWN = 10

Label: TypeAlias = "int | float | None"
Row: TypeAlias = "tuple[list[str], Label, int]"
"""Texts, label and index."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file and what its columns mean, each by its place in a row."""

    task: Task
    source: Source
    is_test: bool
    """Whether every row counts, for a prediction of each is wanted."""

    width: int
    texts: tuple[int, ...]
    label: int | None
    index: int | None
    ids: Mapping[str, int]
    """What the file may have for a label → the label's id."""


class _BadRow(Exception):
    """A row that cannot be used: what is wrong with it, and the cell that is at fault."""

    def __init__(self, what: str, cell: str = "") -> None:
        super().__init__(f"{what}, {cell[:40]!r}" if cell else what)
        self.what = what
        self.cell = cell


@dataclass(slots=True)
class _Bad:
    """Rows that are not as they should be: how many, and what is wrong with which."""

    count: int = 0
    kinds: dict[str, list[str]] = field(default_factory=dict)
    """What is wrong → the numbers of the lines, of the first ones with the cell at fault."""

    def add(self, error: _BadRow, line: int) -> None:
        self.count += 1
        lines = self.kinds.setdefault(error.what, [])
        is_shown = len(lines) < _SHOWN and error.cell
        lines.append(f"{line} {error.cell[:40]!r}" if is_shown else str(line))

    def __str__(self) -> str:
        return "; ".join(f"{len(some):,} {what} ({_on(some)})" for what, some in self.kinds.items())


def read(task: Task, split: str, files: Files, *, strict: bool, limit: int | None) -> pa.Table:
    """The split's texts; label: an id, -1 without one, or a score, null without one; and idx.

    In a test split idx is the file's own number of a row, elsewhere its place among the file's rows of
    the split, from 0.

    Raises:
        DataError: the file is of another task, has no good row, has a bad one although `strict`, or,
            in a test split, one that cannot be kept.
    """
    import pyarrow as pa

    source = Source(path=files.paths[0], key="path", format="tsv")
    bad = _Bad()
    with open_text(source, encoding="utf-8", newline="\n") as text:
        lines = _lines(text)
        has_names = task.name != "cola" or split == "test"
        names = _names(source, lines) if has_names else _COLA
        file = _file(task, source, names, is_test=split.startswith("test"))
        if files.dev_ids is not None:
            lines = _dev(lines, names, files.dev_ids, wanted=split != "train")
        table = pa.concat_tables(_tables(task, islice(_rows(file, lines, bad), limit), limit))
    _report(file, bad, table.num_rows, strict=strict, limit=limit)
    return table


def _lines(text: TextIO) -> Iterator[tuple[int, list[str]]]:
    """Number, from 1, and cells of each line; empty lines at the end are none."""
    empty: list[int] = []
    for number, line in enumerate(text, start=1):
        content = line.removesuffix("\n").removesuffix("\r")
        if not content:
            empty.append(number)
            continue
        yield from ((skipped, [""]) for skipped in empty)
        empty.clear()
        yield number, content.split("\t")


def _names(source: Source, lines: Iterator[tuple[int, list[str]]]) -> list[str]:
    number, cells = next(lines, (0, []))
    if not number:
        raise source.error("the file is empty")
    return [cell.strip() for cell in cells]


def _file(task: Task, source: Source, names: Sequence[str], *, is_test: bool) -> _File:
    needed = [*task.texts.values(), *([] if is_test else [task.label])]
    if task.name == "cola" and not is_test:
        needed = ["sentence", "label"]
    missing = [name for name in needed if name not in names]
    if missing:
        raise source.error(
            f"no column {missing[0]!r} in its first line ({', '.join(names[:12])})",
            hint=f"is it a file of GLUE's task {task.name!r}?",
        )
    label = "label" if task.name == "cola" else task.label
    index = next((names.index(name) for name in _INDICES if name in names), None)
    by_id = {str(number): number for number in range(len(task.labels))}
    return _File(
        task=task,
        source=source,
        is_test=is_test,
        width=len(names),
        texts=tuple(names.index(name) for name in task.texts.values()),
        label=names.index(label) if label in names else None,
        index=index if is_test else None,
        ids={**by_id, **{name: number for number, name in enumerate(task.labels)}},
    )


def _dev(
    lines: Iterator[tuple[int, list[str]]], names: Sequence[str], dev_ids: Path, *, wanted: bool
) -> Iterator[tuple[int, list[str]]]:
    """The lines of MRPC's train file whose pair is in GLUE's dev set, or those whose is not."""
    source = Source(path=dev_ids, key="path", format="tsv")
    with open_text(source, encoding="utf-8", newline="\n") as text:
        pairs = {tuple(cells[:2]) for _, cells in _lines(text)}
    first, second = (names.index(name) for name in _PAIR)
    for number, cells in lines:
        if (tuple(cells[i] for i in (first, second) if i < len(cells)) in pairs) == wanted:
            yield number, cells


def _rows(file: _File, lines: Iterator[tuple[int, list[str]]], bad: _Bad) -> Iterator[Row]:
    """The rows to keep; the others are noted as bad, or an error where every row counts."""
    for place, (number, cells) in enumerate(lines):
        try:
            row = _row(file, _fitted(file, cells), place)
        except _BadRow as error:
            if file.is_test:
                raise file.source.error(
                    f"a row {error}, and none of a test split may be left out",
                    line=number,
                    hint="mend the line, or load without it: splits",
                ) from None
            bad.add(error, number)
            continue
        if len(cells) < file.width:
            bad.add(_BadRow(_short(file)), number)
        yield row


def _fitted(file: _File, cells: list[str]) -> list[str]:
    """The row in the table's width: empty cells too many count for nothing.

    In a test split what is missing at the end is taken for empty, so that no row is lost.
    """
    if len(cells) >= file.width:
        if any(cells[file.width :]):
            raise _BadRow(f"with more than {file.width} cells")
        return cells[: file.width]
    if file.is_test and len(cells) > file.texts[0]:
        return cells + [""] * (file.width - len(cells))
    raise _BadRow(_short(file))


def _short(file: _File) -> str:
    return f"with fewer than {file.width} cells"


def _row(file: _File, cells: Sequence[str], place: int) -> Row:
    index = place
    if file.index is not None:
        cell = cells[file.index].strip()
        if not (cell.isascii() and cell.isdigit()):
            raise _BadRow("without a number for its index", cell)
        index = int(cell)
    texts = [cells[i] for i in file.texts]
    return texts, _label(file, "" if file.label is None else cells[file.label].strip()), index


def _label(file: _File, cell: str) -> Label:
    if not cell:
        if not file.is_test:
            raise _BadRow("without a label")
        return -1 if file.task.labels else None
    if file.task.labels:
        if cell not in file.ids:
            raise _BadRow("with an unknown label", cell)
        return file.ids[cell]
    try:
        score = float(cell)
    except ValueError:
        score = math.nan
    if not 0 <= score <= 5:
        raise _BadRow("without a score from 0 to 5", cell)
    return score


def _tables(task: Task, rows: Iterator[Row], limit: int | None) -> Iterator[pa.Table]:
    """The rows in tables of `CHUNK`; the first is there even if there are none."""
    import pyarrow as pa

    kind = pa.int64() if task.labels else pa.float32()
    done = 0
    while (chunk := list(islice(rows, CHUNK))) or not done:
        texts = [
            pa.array([row[0][i] for row in chunk], pa.string()) for i in range(len(task.texts))
        ]
        labels = pa.array([label for _, label, _ in chunk], kind)
        indices = pa.array([index for _, _, index in chunk], pa.int64())
        yield pa.table([*texts, labels, indices], names=list(task.columns))
        done += len(chunk)
        events.progress(done, limit)
        if not chunk:
            break


def _report(file: _File, bad: _Bad, rows: int, *, strict: bool, limit: int | None) -> None:
    """Say what was bad, or raise where that may not be."""
    if bad.count and strict:
        counted = "1 bad row" if bad.count == 1 else f"{bad.count:,} bad rows"
        raise file.source.error(f"{counted}: {bad}", hint="mend the file, or drop strict")
    if not rows and limit != 0:
        found = f" good row, but {bad}" if bad.count else " row"
        raise file.source.error(f"no{found}", hint=f"is it a file of task {file.task.name!r}?")
    if bad.count:
        counted = f"{bad.count:,} of {rows + bad.count:,} rows"
        done = f"{counted} left out"
        if file.is_test:
            done = f"{bad.count:,} of {rows:,} rows filled up with empty texts"
        events.emit(events.Note(f"{file.source.name}: {done}: {bad}", level="warning"))


def _on(lines: Sequence[str]) -> str:
    shown = ", ".join(lines[:_SHOWN])
    more = ", …" if len(lines) > _SHOWN else ""
    return f"line{'s' * (len(lines) > 1)} {shown}{more}"
