"""`mlrecipe predict`: what a trained model says of the rows of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from mlrecipe.cli import collector, render, tested
from mlrecipe.cli.live import live
from mlrecipe.cli.options import Json
from mlrecipe.cli.session import Session, Settings, quiet_libraries
from mlrecipe.errors import RequestError, did_you_mean
from mlrecipe.recipe.project import find_recipe, project_of, shown
from mlrecipe.runs import run as running
from mlrecipe.runs.run import Run

if TYPE_CHECKING:
    from mlrecipe.inference.files import Predicted

_STANDARD = "-"

Chosen = Annotated[
    str,
    typer.Argument(
        metavar="RECIPE|RUN",
        help="A recipe, of which the newest finished train run is taken, or a train run: its id or folder.",
        show_default=False,
    ),
]
InputOption = Annotated[
    str,
    typer.Option(
        "--input", "-i", metavar="FILE", show_default=False,
        help="Rows to predict: CSV, TSV, JSON, JSON Lines, Parquet or Arrow, also compressed; - is "
        "standard input.",
    ),
]  # fmt: skip
OutputOption = Annotated[
    str,
    typer.Option(
        "--output", "-o", metavar="FILE", show_default=False,
        help="The same rows with predictions: CSV, TSV, JSON Lines or Parquet; - is standard output.",
    ),
]  # fmt: skip


def predict(
    ctx: typer.Context,
    model: Chosen,
    input: InputOption,
    output: OutputOption,
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
        typer.Option(metavar="FORMAT", help="What the input holds: csv, tsv, json, jsonl, parquet, arrow; "
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
    """Predict the rows of a file with a trained model.

    The output has the input's rows and columns in their order, then row, prediction,
    probability and the probability of each label. Where the input has the labels,
    metrics are shown.

    Example: mlrecipe predict imdb.toml --input new.csv --output predicted.csv
    """
    if as_json and output == _STANDARD:
        raise RequestError("--json and the rows cannot both be on standard output", key="--output")
    if precision not in ("fp32", "bf16"):
        hint = did_you_mean(precision, ["fp32", "bf16"])
        raise RequestError(f"no precision {precision!r}", key="--precision", hint=hint)
    settings: Settings = ctx.obj
    run = choose(model, here=Path.cwd())
    _say_which(run, checkpoint, settings)
    from mlrecipe.inference.requests import request_of

    request = request_of(run)
    quiet_libraries(is_offline=settings.is_offline or not request.hub_ids)
    collector.search_as_usual()
    with live(settings):
        from mlrecipe.inference.files import predict_file

        done = predict_file(
            run, input, output, checkpoint=checkpoint, batch_size=batch_size, top=top, format=format,
            delimiter="\t" if delimiter == r"\t" else delimiter,
            columns=columns.split(",") if columns else None, prefix=prefix,
            overwrite=overwrite, request=request,
            precision=cast("Literal['fp32', 'bf16']", precision),
        )  # fmt: skip
    _close(done, run, input, output, checkpoint=checkpoint, as_json=as_json, settings=settings)


def choose(text: str, *, here: Path) -> Run:
    """The train run that an argument means: a run's id or folder, or a recipe's newest finished one.

    Raises:
        RequestError: there is none.
    """
    from mlrecipe.inference.requests import run_of

    if running.read(here / text) is not None:
        return run_of(text, project=project_of(here))
    try:
        path = find_recipe(text, here=here)
    except RequestError as no_recipe:
        if Path(text).suffix == ".toml":
            raise
        try:
            return run_of(text, project=project_of(here))
        except RequestError as no_run:
            hint = next(
                (e.hint for e in (no_recipe, no_run) if e.hint and e.hint.startswith("did")), None
            )
            message = f"{text!r} is neither a recipe here nor a run"
            if "means" in no_run.message:
                message = no_run.message
            raise RequestError(message, hint=hint or "mlrecipe runs list shows them") from None
    return tested.choose(Session(path, here=here), None)


def _say_which(run: Run, checkpoint: str, settings: Settings) -> None:
    if settings.is_quiet:
        return
    render.say(f"predict: {checkpoint} checkpoint of run {run.id}")
    if run.status != "finished":
        render.warn(f"run {run.id} is {run.status}")


def _close(
    done: Predicted,
    run: Run,
    input: str,
    output: str,
    *,
    checkpoint: str,
    as_json: bool,
    settings: Settings,
) -> None:
    """What came of it: the metrics, and where the rows are."""
    if as_json:
        render.document(_document(done, run, input, output, checkpoint=checkpoint))
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
    done: Predicted, run: Run, input: str, output: str, *, checkpoint: str
) -> dict[str, Any]:
    return {
        "run": run.id, "checkpoint": checkpoint, "input": input, "output": output, "rows": done.rows,
        "seconds": round(done.seconds, 3), "rows_per_second": round(done.rows / max(done.seconds, 1e-9), 1),
        "blank": done.blank, "truncated": done.truncated, "metrics": dict(done.metrics),
        "unlabelled": done.unlabelled or None,
    }  # fmt: skip
