"""Reading: the rows of a file or of standard input as pieces that fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from datasets import Features
from pyarrow import parquet

from mlrecipe.builtin.ops import _columnar, _delimited, _json, _types
from mlrecipe.builtin.ops._delimited import Layout
from mlrecipe.builtin.ops._files import COMPRESSED, Source, open_text
from mlrecipe.builtin.ops._files import FORMATS as _OF_TRAINING
from mlrecipe.errors import DataError, RequestError, did_you_mean, suggest

STANDARD = "-"
"""Standard input or output, where a file could be named."""

STDIN = Path("/dev/stdin")

ROWS = 2048
"""Most rows of a piece: enough for batches of rows of like length."""

BYTES = 1 << 24
"""About the most text of a piece, in characters."""

FORMATS = {**_OF_TRAINING, ".txt": "txt"}
"""What the ending of a file's name says: as in training, but that a text file has one text a line."""

STREAMED = ("csv", "tsv", "jsonl")
"""Formats that can be piped, both ways."""

TEXT = "text"
"""What the one column of a text file is called."""

_CONLL = (".conll", ".conllu", ".bio", ".iob", ".iob2")
_NO_CONLL = (
    'write each sentence as a line of JSON Lines, {"tokens": ["EU", "rejects"]} (.jsonl), or as a line of text '
    "(.txt)"
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some rows that follow each other in the input."""

    start: int
    """Number of the first, from 0."""

    table: pa.Table
    """As they are in the input: in CSV and TSV every cell is a text."""

    objects: list[dict[str, Any]] | None = None
    """The objects of JSON as they were read."""

    lines: list[str] | None = None
    """Of JSON Lines, the text of each object."""

    odd: Mapping[str, DataError] = field(default_factory=dict)
    """Column of JSON whose values have no type in common → the error that says so; it is passed through."""

    classes: Mapping[str, list[str]] = field(default_factory=dict)
    """Column → names of its classes, where the file says them."""

    is_typed: bool = False
    """Whether the file itself says the types of its cells, texts too."""

    @property
    def is_text(self) -> bool:
        """Whether the types of the cells are still to be inferred."""
        if self.is_typed or self.objects is not None:
            return False
        return all(map(pa.types.is_string, self.table.schema.types))


def input_of(name: str, *, format: str | None) -> Source:
    """A file to read, or standard input, in the named format, else in that of its name's ending.

    Raises:
        RequestError: it is not there, or its format is not known.
    """
    known = set(FORMATS.values())
    if format is not None and format not in known:
        raise RequestError(
            f"no format {format!r}", key="--format", hint=did_you_mean(format, known)
        )
    if name == STANDARD:
        if format is None or format not in (*STREAMED, "txt"):
            message = "standard input has no name that says its format"
            message = message if format is None else f"{format} cannot be piped"
            known_ones = ", ".join((*STREAMED, "txt"))
            raise RequestError(message, key="--input", hint=f"say it with --format: {known_ones}")
        return Source(path=STDIN, key="--input", format=format)
    path = Path(name)
    if not path.is_file():
        near = suggest(path.name, _names_in(path.parent))
        hint = f"did you mean {near!r}?" if near else None
        what = "a folder" if path.is_dir() else "not there"
        raise RequestError(f"{name!r} is {what}", key="--input", hint=hint)
    return Source(path=path, key="--input", format=format or _input_format(name))


def output_of(name: str, *, like: Source, known: Sequence[str]) -> Source:
    """A file to write, in the format of its name's ending; standard output has that of the input.

    Raises:
        RequestError: the format is not known, or is none of those that can be written, `known`.
    """
    if name == STANDARD:
        format = like.format if like.format in STREAMED else "jsonl"
        return Source(path=Path("/dev/stdout"), key="--output", format=format)
    format = _format(name, key="--output", known=known)
    if format not in known:
        hint = f"what can be: {', '.join(known)}"
        raise RequestError(f"{format} cannot be written", key="--output", hint=hint)
    return Source(path=Path(name), key="--output", format=format)


def pieces(source: Source, layout: Layout) -> Iterator[Piece]:
    """The rows of a file in their order, some thousand at a time; one piece at least.

    Raises:
        DataError: the file cannot be read, or is not what its name says.
    """
    read = _columns
    if source.format in ("csv", "tsv"):
        layout.check()
        read = _delimited_pieces
    elif source.format in ("json", "jsonl"):
        read = _objects
    elif source.format == "txt":
        read = _lines
    start = 0
    for piece in read(source, layout):
        yield replace(piece, start=start)
        start += piece.table.num_rows


def count_of(source: Source) -> int | None:
    """How many rows a file has, where it says so itself."""
    if source.format != "parquet" or source.path.suffix.lower() in COMPRESSED:
        return None
    try:
        return int(parquet.read_metadata(source.path).num_rows)
    except (OSError, pa.ArrowException):  # reading says what is wrong with it
        return None


class Types:
    """The types of the columns, as `load-files` would infer them from all rows that have come so far."""

    def __init__(self, asked: Mapping[str, str] | None = None) -> None:
        """Infer types, but for the columns whose types `asked` says."""
        self._asked = asked or {}
        self._kinds: dict[str, pa.DataType] = {}

    def typed(self, piece: Piece, *, texts: Collection[str] = ()) -> pa.Table:
        """The rows with those types; columns named in `texts` are texts.

        Columns of kinds that no data set can have are left out.

        Raises:
            DataError: a value is not of the type that was asked for, or texts are mixed with other values.
        """
        if unusable := [name for name in texts if name in piece.odd]:
            raise piece.odd[unusable[0]]
        names = [name for name in piece.table.column_names if name not in piece.odd]
        typed = {name: self._column(piece, name, is_text=name in texts) for name in names}
        usable = {name: column for name, column in typed.items() if _is_usable(column.type)}
        return pa.table(usable)

    def _column(self, piece: Piece, name: str, *, is_text: bool) -> pa.ChunkedArray:
        column = piece.table.column(name)
        if is_text or name in self._asked:
            return _types.asked_for(column, name, "string" if is_text else self._asked[name])
        kind = _types.inferred(column) if piece.is_text else _types.canonical(column.type)
        known = self._kinds.get(name, pa.null())
        found = _types.agreed([known, kind]) or kind
        if not pa.types.is_null(kind):
            self._kinds[name] = found
        try:
            return _types.converted(column, found)
        except pa.ArrowException:  # lists and the like stay as they came
            return column


def _is_usable(kind: pa.DataType) -> bool:
    """Whether a data set can have a column of this type: none can of maps, for one."""
    try:
        Features.from_arrow_schema(pa.schema([("column", kind)]))
    except (ValueError, TypeError, NotImplementedError, pa.ArrowException):
        return False
    return True


def _delimited_pieces(source: Source, layout: Layout) -> Iterator[Piece]:
    found = _delimited.rows(source, layout)
    schema = pa.schema([(name, pa.string()) for name in next(found)])
    count = 0
    for rows in _portions(found, lambda row: sum(map(len, row))):
        count += len(rows)
        columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        yield Piece(start=0, table=pa.Table.from_arrays(columns, schema=schema))
    if not count:
        yield Piece(start=0, table=schema.empty_table())


def _objects(source: Source, layout: Layout) -> Iterator[Piece]:
    found = _json.rows(source, layout.encoding)
    names: dict[str, None] = {}
    for pairs in _portions(found, lambda pair: _size(pair[0])):
        rows, lines = [row for row, _ in pairs], [line for _, line in pairs]
        named = [{**names, **rows[0]}, *rows[1:]]  # columns of the rows before are theirs, too
        odd: dict[str, DataError] = {}
        try:
            table = _json.table(source, named, odd)
        except UnicodeEncodeError:  # half a character, such as "\ud83d" alone
            table = _json.table(source, [whole(row) for row in named], odd)
        names |= dict.fromkeys(table.column_names)
        known = lines if all(lines) else None
        yield Piece(start=0, table=table, objects=rows, lines=known, odd=odd)


def _lines(source: Source, layout: Layout) -> Iterator[Piece]:
    """Every line is a text, an empty one too."""
    name = (layout.columns or (TEXT,))[0]
    is_empty = True
    with open_text(source, encoding=layout.encoding, newline="\n") as file:
        texts = (line.removesuffix("\n").removesuffix("\r") for line in file)
        for portion in _portions(texts, len):
            yield Piece(
                start=0, table=pa.table({name: pa.array(portion, pa.string())}), is_typed=True
            )
            is_empty = False
    if is_empty:
        yield Piece(start=0, table=pa.table({name: pa.array([], pa.string())}), is_typed=True)


def _columns(source: Source, layout: Layout) -> Iterator[Piece]:
    classes: Mapping[str, list[str]] = {}
    for number, table in enumerate(_columnar.read(source, None)):
        if not number:  # a table without rows comes first
            _check_names(table.column_names)
            classes = _columnar.class_names(table.schema)
        for start in range(0, max(table.num_rows, 1), ROWS):
            if table.num_rows or not number:
                yield Piece(start=0, table=table.slice(start, ROWS), classes=classes, is_typed=True)


def _check_names(names: Sequence[str]) -> None:
    twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if twice is not None:
        message = f"the input has two columns {twice!r}"
        raise RequestError(message, key="--input", hint="rename or drop one of them")


def _portions(rows: Iterator[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """The rows, so many at a time that they are neither too many nor too large."""
    portion: list[T] = []
    held = 0
    for row in rows:
        portion.append(row)
        held += size(row)
        if len(portion) >= ROWS or held >= BYTES:
            yield portion
            portion, held = [], 0
    if portion:
        yield portion


def _size(row: Mapping[str, Any]) -> int:
    return sum(len(value) for value in row.values() if isinstance(value, str | list | dict))


def whole(value: Any) -> Any:
    """The value with `?` for every half of a character."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [whole(item) for item in value]
    return {whole(k): whole(v) for k, v in value.items()} if isinstance(value, dict) else value


def _input_format(name: str) -> str:
    if _ending(Path(name)) in _CONLL:
        message = f"{name!r} is CoNLL, which is read for training only"
        raise RequestError(message, key="--input", hint=_NO_CONLL)
    return _format(name, key="--input", known=list(FORMATS.values()))


def _format(name: str, *, key: str, known: Sequence[str]) -> str:
    """What the ending of a name says; `known` are the formats that are proposed where it says nothing."""
    found = FORMATS.get(_ending(Path(name)))
    if found is None:
        says = "say it with --format; " if key == "--input" else ""
        endings = ", ".join(ending for ending, format in FORMATS.items() if format in known)
        message = f"the name {name!r} does not say what the file holds"
        hint = f"{says}known endings: {endings}, each also with {', '.join(COMPRESSED)}"
        raise RequestError(message, key=key, hint=hint)
    return found


def _names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()] if folder.is_dir() else []


def _ending(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""
