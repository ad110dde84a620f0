"""`mlrecipe predict`: what a trained model says of the rows of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, cast

import typer

from mlrecipe.cli import collector, render, tested
from mlrecipe.cli.live import live
from mlrecipe.cli.options import Json
from mlrecipe.cli.session import Session, Settings, quiet_libraries
from mlrecipe.errors import RequestError, did_you_mean
from mlrecipe.recipe.project import shown
from mlrecipe.runs.run import Run

if TYPE_CHECKING:
    from mlrecipe.inference.files import Predicted
    from mlrecipe.pipeline.request import Request

_STANDARD = "-"

Chosen = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE|RUN|FOLDER",
        help="A recipe, of which the newest finished train run is taken, a train run: its id or folder, or a "
        "folder that `export model` wrote.",
        show_default=False,
    ),
]
InputOption = Annotated[
    str | None,
    typer.Option(
        "--input", "-i", metavar="FILE", show_default=False,
        help="Rows to predict: CSV, TSV, JSON, JSON Lines, Parquet, Arrow, or .txt with a text a line, also "
        "compressed; - is standard input.",
    ),
]  # fmt: skip
OutputOption = Annotated[
    str | None,
    typer.Option(
        "--output", "-o", metavar="FILE", show_default=False,
        help="The same rows with predictions: CSV, TSV, JSON Lines or Parquet; - is standard output.",
    ),
]  # fmt: skip
TextOption = Annotated[
    list[str] | None,
    typer.Option(
        "--text", "-t", metavar="TEXT", show_default=False,
        help="A text to predict in place of a file, whose answer is shown; may be given again.",
    ),
]  # fmt: skip


def predict(
    ctx: typer.Context,
    model: Chosen,
    input: InputOption = None,
    output: OutputOption = None,
    text: TextOption = None,
    checkpoint: Annotated[
        str, typer.Option(metavar="best|last", help="Which checkpoint predicts.")
    ] = "best",
    batch_size: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Rows at once; by default the recipe's test.batch_size.",
                     show_default=False),
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(metavar="K", min=1, help="The K best labels, not the probabilities of all.",
                     show_default=False),
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(metavar="FORMAT", help="What the input holds: csv, tsv, json, jsonl, parquet, arrow, txt; "
                     "by default as its name ends.", show_default=False),
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(metavar="CHARACTER", help="What is between the cells of CSV; by default as in training.",
                     show_default=False),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(metavar="NAME,NAME", help="The columns of CSV or TSV that has no header.",
                     show_default=False),
    ] = None,
    prefix: Annotated[
        str, typer.Option(metavar="TEXT", help="Begins the names of the new columns.", show_default=False)
    ] = "",
    precision: Annotated[
        str, typer.Option(metavar="fp32|bf16", help="In what the network computes.")
    ] = "fp32",
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an output that is there.")
    ] = False,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Predict the rows of a file, or single texts, with a trained model.

    The output has the input's rows and columns in their order, then row, prediction,
    probability and the probability of each label; where words have tags, these and the
    spans that they mark. Where the input has the labels, metrics are shown.

    Example: mlrecipe predict imdb.toml --input new.csv --output predicted.csv

    Example: mlrecipe predict imdb.toml --text "What a film!"
    """
    of_files = {
        "--format": format, "--delimiter": delimiter, "--columns": columns, "--prefix": prefix,
        "--overwrite": overwrite,
    }  # fmt: skip
    given = [name for name, value in of_files.items() if value]
    _check(input, output, text, precision, given, as_json=as_json)
    settings: Settings = ctx.obj
    chosen = _model(model, checkpoint, settings)
    how: dict[str, Any] = {
        "checkpoint": checkpoint, "batch_size": batch_size,
        "precision": cast("Literal['fp32', 'bf16']", precision),
    }  # fmt: skip
    if text is not None:
        _single(chosen, text, how, top=top, as_json=as_json, settings=settings)
        return
    assert input is not None and output is not None  # noqa: PT018 (checked)
    with live(settings):
        from mlrecipe.inference.files import predict_file

        done = predict_file(
            chosen.source, input, output, **how, top=top, format=format,
            delimiter="\t" if delimiter == r"\t" else delimiter,
            columns=columns.split(",") if columns else None, prefix=prefix,
            overwrite=overwrite, request=chosen.request,
        )  # fmt: skip
    _close(done, chosen, input, output, checkpoint=checkpoint, as_json=as_json, settings=settings)


class _Chosen(NamedTuple):
    """The model that predicts."""

    source: Run | Path
    """Its run, or an exported folder."""

    name: str
    request: Request | None


def _check(
    input: str | None, output: str | None, text: list[str] | None, precision: str,
    of_files: list[str], *, as_json: bool,
) -> None:  # fmt: skip
    """Raise for options that do not go together."""
    if text is not None and (input is not None or output is not None):
        raise RequestError("--text shows its answer, and --input and --output are for a file")
    if text is not None and of_files:
        raise RequestError(f"{of_files[0]} is for a file, and --text shows its answer")
    if text is None and (input is None or output is None):
        missing = "--input" if input is None else "--output"
        hint = "give --input and --output, or --text"
        raise RequestError(f"{missing} is missing", hint=hint)
    if as_json and output == _STANDARD:
        raise RequestError("--json and the rows cannot both be on standard output", key="--output")
    if precision not in ("fp32", "bf16"):
        hint = did_you_mean(precision, ["fp32", "bf16"])
        raise RequestError(f"no precision {precision!r}", key="--precision", hint=hint)


def _model(text: str, checkpoint: str, settings: Settings) -> _Chosen:
    """The model that the argument means; from here on libraries are quiet."""
    from mlrecipe.inference.requests import EXPORTED, request_of

    if (Path(text) / EXPORTED).is_file():
        if not settings.is_quiet:
            render.say(f"predict: the model in {text}")
        quiet_libraries(is_offline=True)
        collector.search_as_usual()
        return _Chosen(Path(text), text, None)
    run = choose(text, here=Path.cwd())
    _say_which(run, checkpoint, settings)
    request = request_of(run)
    quiet_libraries(is_offline=settings.is_offline or not request.hub_ids)
    collector.search_as_usual()
    return _Chosen(run, run.id, request)


def _single(
    chosen: _Chosen, texts: list[str], how: dict[str, Any], *, top: int | None, as_json: bool,
    settings: Settings,
) -> None:  # fmt: skip
    """Show what the model answers to single texts."""
    from mlrecipe.cli import answered

    with live(settings):
        from mlrecipe.inference.predictor import Predictor
        from mlrecipe.inference.tables import TablePredictor

        if isinstance(chosen.source, Run):
            tables = TablePredictor.of_run(chosen.source, **how, request=chosen.request)
        else:
            from mlrecipe.inference.loading import opened

            tables, _ = opened(chosen.source, **how)
        answers = Predictor(tables, name=chosen.name).predict(list(texts), top=top)
    if as_json:
        render.document(answered.document(texts, answers, model=chosen.name))
    else:
        answered.show(texts, answers, top=top)


def choose(text: str, *, here: Path) -> Run:
    """The train run that an argument means: a run's id or folder, or a recipe's newest finished one.

    Raises:
        RequestError: there is none.
    """
    from mlrecipe.inference import requests

    def newest(path: Path) -> Run:
        return tested.choose(Session(path, here=here), None)

    return requests.choose(text, here=here, of_recipe=newest)


def _say_which(run: Run, checkpoint: str, settings: Settings) -> None:
    if settings.is_quiet:
        return
    render.say(f"predict: {checkpoint} checkpoint of run {run.id}")
    if run.status != "finished":
        render.warn(f"run {run.id} is {run.status}")


def _close(
    done: Predicted,
    chosen: _Chosen,
    input: str,
    output: str,
    *,
    checkpoint: str,
    as_json: bool,
    settings: Settings,
) -> None:
    """What came of it: the metrics, and where the rows are."""
    if as_json:
        render.document(_document(done, chosen, input, output, checkpoint=checkpoint))
        return
    say = render.say if output == _STANDARD else render.out
    if done.unlabelled:
        render.warn(f"no metrics: {done.unlabelled}")
    for note in () if settings.is_quiet else _notes(done):
        render.say(note)
    for line in render.columns(render.metrics(dict(done.metrics))):
        say(line)
    speed = done.rows / max(done.seconds, 1e-9)
    rows = "1 row" if done.rows == 1 else f"{done.rows:,} rows"
    lines = [("predicted", f"{rows} in {render.duration(done.seconds)}, {speed:,.0f} rows/s")]
    if output != _STANDARD:
        lines.append(("output", shown(Path(output).absolute(), here=Path.cwd())))
    for line in render.columns(lines):
        say(line)


def _notes(done: Predicted) -> list[str]:
    notes = []
    if done.blank:
        notes.append(f"rows without any text, predicted as empty ones: {done.blank:,}")
    if done.truncated:
        notes.append(
            f"rows of more tokens than the recipe takes, which were cut: {done.truncated:,}"
        )
    return notes


def _document(
    done: Predicted, chosen: _Chosen, input: str, output: str, *, checkpoint: str
) -> dict[str, Any]:
    return {
        "run": chosen.name, "checkpoint": checkpoint, "input": input, "output": output, "rows": done.rows,
        "seconds": round(done.seconds, 3), "rows_per_second": round(done.rows / max(done.seconds, 1e-9), 1),
        "blank": done.blank, "truncated": done.truncated, "metrics": dict(done.metrics),
        "unlabelled": done.unlabelled or None,
    }  # fmt: skip
