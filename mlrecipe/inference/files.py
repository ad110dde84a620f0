"""Files: the rows of one predicted into another, a piece at a time."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlrecipe import events
from mlrecipe.builtin.ops._delimited import Layout
from mlrecipe.builtin.ops._files import Source
from mlrecipe.errors import DataError, RequestError
from mlrecipe.inference import loading, reading, writing
from mlrecipe.inference.passes import Precision
from mlrecipe.inference.reading import Piece
from mlrecipe.inference.tables import Added, TablePredictor
from mlrecipe.pipeline.request import Request
from mlrecipe.runs.run import Run

_LOOKED_AT = 1000
"""Rows of which it is looked whether quotes wrap their cells."""

_TAG = re.compile(r"O|[BIELSUM]-\S+")
"""The tag of a word, which in CoNLL ends its line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Predicted:
    """What came of predicting a file."""

    rows: int
    seconds: float
    """Wall-clock time, loading of the model left out."""

    blank: int
    """Rows without any text, which were predicted as empty ones."""

    truncated: int
    """Rows of which tokens were cut off."""

    metrics: Mapping[str, float]
    """Metrics by name, where every row came with its label."""

    unlabelled: str
    """Why there are none, where some rows have labels."""


def predict_file(  # noqa: PLR0913 - each is an option of the command
    run: Run | Path | str,
    input: str | Path,
    output: str | Path,
    *,
    checkpoint: str = "best",
    batch_size: int | None = None,
    top: int | None = None,
    format: str | None = None,
    delimiter: str | None = None,
    columns: Sequence[str] | None = None,
    prefix: str = "",
    precision: Precision = "fp32",
    overwrite: bool = False,
    request: Request | None = None,
) -> Predicted:
    """Predict every row of a file; the output has its rows and columns in their order, and new columns.

    Args:
        run: a train run: its folder, or its id within the project here; or a folder that `mlrecipe export
            model` has written.
        input: CSV, TSV, JSON, JSON Lines, Parquet, Arrow, or `.txt` with a text a line, which may be
            compressed; `-` is standard input.
        output: CSV, TSV, JSON Lines or Parquet; `-` is standard output, in the
            input's format.
        checkpoint: `best`, `last` or another that the run has kept.
        batch_size: rows that the network takes at once; by default the recipe's `test.batch_size`.
        top: this many labels, best first, in place of the probabilities of all.
        format: what the input holds, whatever its name ends in.
        delimiter: character between the cells of CSV; by default the recipe's own.
        columns: names of the columns, for CSV and TSV without a header.
        prefix: begins the name of every new column.
        precision: `fp32`, or `bf16` where speed is worth more than the last digits.
        overwrite: whether an output that is there is replaced.
        request: the run's, where it has been read already.

    Raises:
        RequestError: the input does not have the columns that the model needs, or something cannot be read
            or written as asked.
        TrainingError: the checkpoint is damaged, or its scores are not finite.
    """
    files = sources(str(input), str(output), format=format, overwrite=overwrite)
    if isinstance(run, Run):
        predictor = TablePredictor.of_run(
            run, checkpoint=checkpoint, batch_size=batch_size, precision=precision, request=request
        )
    else:
        predictor, _ = loading.opened(
            run, checkpoint=checkpoint, batch_size=batch_size, precision=precision
        )
    added = Added(
        top=top, prefix=prefix, is_flat=files[1].format in writing.FLAT,
        is_exact=files[1].format == "parquet",
    )  # fmt: skip
    layout = _layout(predictor, files[0], delimiter, columns)
    return _predict(predictor, added, *files, name=str(output), layout=layout, overwrite=overwrite)


def sources(
    input: str, output: str, *, format: str | None, overwrite: bool
) -> tuple[Source, Source]:
    """The two files, once it is sure that the one may be read and the other be written.

    Raises:
        RequestError: a format is not known, the input is not there, or the output is.
    """
    read = reading.input_of(input, format=format)
    written = reading.output_of(output, like=read, known=writing.FORMATS)
    writing.check_compression(written)
    if output == reading.STANDARD or not written.path.exists():
        return read, written
    if input != reading.STANDARD and os.path.samefile(read.path, written.path):
        raise RequestError("the output would replace the input", key="--output")
    if not overwrite:
        message = f"{output!r} is there already"
        raise RequestError(message, key="--output", hint="--overwrite replaces it")
    return read, written


def _tell_of_quotes(piece: Piece, read: Source, layout: Layout, origin: Mapping[str, Any]) -> None:
    """Warn where the quotes of TSV seem to wrap its cells, and the files of the training were no TSV."""
    own = str([origin.get(key) for key in ("train", "files")])
    is_like_own = ".tsv" in own or origin.get("format") == "tsv" or layout.quoting is not None
    if piece.start or read.format != "tsv" or is_like_own:
        return
    table = piece.table.slice(0, _LOOKED_AT)
    wrapped = [name for name in table.column_names if _is_wrapped([name, *table[name].to_pylist()])]
    if wrapped:
        text = (
            f"most cells of column {wrapped[0]} of {read.path.name} begin and end with a double quote, "
            "which is part of the text in TSV; to take it off: --format csv --delimiter '\\t'"
        )
        events.emit(events.Note(text, "warning"))


def _tell_of_tabs(piece: Piece, read: Source) -> None:
    """Warn where a text file looks like a table."""
    if piece.start or read.format != "txt":
        return
    lines = piece.table.column(0).slice(0, _LOOKED_AT).to_pylist()
    if _is_conll(lines):
        text = f"the lines of {read.path.name} look like columns of CoNLL, and each is read as one text"
        hint = 'write a sentence a line, or JSON Lines with {"tokens": […]}'
        events.emit(events.Note(f"{text}; {hint}", "warning"))
        return
    if lines and sum("\t" in line for line in lines) > len(lines) / 2:
        text = f"most lines of {read.path.name} have tabs, and each line is read as one text"
        events.emit(events.Note(f"{text}; as a table: --format tsv", "warning"))


def _is_conll(lines: Sequence[str]) -> bool:
    """Whether most lines are a word and what is said of it: its tag at the end, or its number before it."""
    rows = [line.split() for line in lines if line.strip()]
    tagged = sum(len(row) > 1 and _TAG.fullmatch(row[-1]) is not None for row in rows)
    numbered = sum(len(row) >= 10 and row[0].isdecimal() for row in rows)
    return max(tagged, numbered) > max(1, len(rows) / 2)


def _is_wrapped(cells: Sequence[str]) -> bool:
    """Whether at least half of the cells that are not empty are in double quotes."""
    some = [cell for cell in cells if cell]
    count = sum(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in some)
    return count > 1 and 2 * count >= len(some)


def _hint(error: DataError) -> str | None:
    """What to do; the readers name parameters of `load-files`."""
    is_theirs = any(word in (error.hint or "") for word in ("quoting", "ragged", "encoding"))
    return "mend the file, or see --delimiter and --columns" if is_theirs else error.hint


def _layout(
    predictor: TablePredictor, read: Source, delimiter: str | None, columns: Sequence[str] | None
) -> Layout:
    """How cells are written: as in the files of the training, unless it is said otherwise."""
    own = predictor.origin
    if read.format == "txt":
        named = columns or predictor.text_columns[:1] or (reading.TEXT,)
        return Layout(encoding=own.get("encoding", "utf-8"), columns=tuple(named))
    return Layout(
        delimiter=delimiter or own.get("delimiter"), quoting=own.get("quoting"),
        encoding=own.get("encoding", "utf-8"), header=columns is None,
        columns=None if columns is None else tuple(columns),
    )  # fmt: skip


def _predict(
    predictor: TablePredictor, added: Added, read: Source, written: Source, *, name: str,
    layout: Layout, overwrite: bool,
) -> Predicted:  # fmt: skip
    predictor.total = reading.count_of(read)
    named = "standard input" if read.path == reading.STDIN else read.name
    events.emit(events.StageStarted("predict", f"rows of {named}"))
    started = time.perf_counter()
    try:
        mark = layout.delimiter if read.format == "csv" else None
        with writing.writing(written, name, overwrite=overwrite, delimiter=mark) as writer:
            for piece in reading.pieces(read, layout):
                _tell_of_quotes(piece, read, layout, predictor.origin)
                _tell_of_tabs(piece, read)
                writer.write(piece, predictor.columns(piece, added))
    except DataError as error:  # of the readers, which blame a file
        raise RequestError(error.message, key=error.key, hint=_hint(error)) from error
    counts = predictor.counts
    return Predicted(
        rows=counts.rows, seconds=time.perf_counter() - started, blank=counts.blank,
        truncated=counts.truncated, metrics=predictor.gold.metrics(),
        unlabelled=predictor.gold.reason,
    )  # fmt: skip
