"""`mlrecipe score`: one number over the runs of a benchmark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlrecipe.cli import render
from mlrecipe.cli.export import RunsArgument, named_runs, warn_of_unused
from mlrecipe.cli.options import Json
from mlrecipe.cli.session import Session
from mlrecipe.errors import RequestError, did_you_mean

if TYPE_CHECKING:
    from mlrecipe.inference.exporting.glue_runs import Measured
    from mlrecipe.reporting.glue import GlueScore

_CONVENTIONS = ("paper", "bert")
_KINDS = ("validation", "test")


def score() -> None:
    """Put the metrics of several runs together as a benchmark does.

    Example: mlrecipe score glue
    """


def glue(
    runs: RunsArgument = None,
    convention: Annotated[
        str,
        typer.Option("--convention", metavar="paper|bert", help="Whose way of taking the mean."),
    ] = "paper",
    split: Annotated[
        str, typer.Option("--split", metavar="validation|test", help="Metrics of which sets.")
    ] = "validation",
    as_json: Json = False,
) -> None:
    """Show the GLUE tasks that runs have measured, and the GLUE score, in percent.

    Of each task the newest finished run counts that measured on the set: a test
    run, or a train run with what it validated its best checkpoint at.

    Example: mlrecipe score glue --convention bert
    """
    _known("--convention", convention, _CONVENTIONS)
    _known("--split", split, _KINDS)
    session = Session.in_folder()
    from mlrecipe.inference.exporting.glue_runs import measured
    from mlrecipe.reporting.glue import glue_score

    chosen = named_runs(session, runs)
    found = measured(chosen, "test" if split == "test" else "validation")
    if not found:
        what = "none of these runs" if runs else "no finished run of this project"
        hint = 'a recipe of GLUE has a node with `use = "load-glue"`'
        raise RequestError(f"{what} has metrics of GLUE's {split} sets", hint=hint)
    if runs:
        warn_of_unused(chosen, [m.run for m in found.values()], f"metrics of a {split} set")
    percent = {task: {n: 100 * v for n, v in m.metrics.items()} for task, m in found.items()}
    result = glue_score(percent, convention)
    if as_json:
        render.document(_facts(found, percent, result, split))
        return
    _show(found, percent, result, split)


def _known(option: str, value: str, values: tuple[str, ...]) -> None:
    if value not in values:
        raise RequestError(f"{option}: there is no {value!r}", hint=did_you_mean(value, values))


def _show(
    found: dict[str, Measured], percent: dict[str, dict[str, float]], result: GlueScore, split: str
) -> None:
    render.out(f"GLUE's {split} sets, in percent")
    render.out()
    rows = [
        (
            task, ", ".join(f"{name} {value:.2f}" for name, value in percent[task].items()),
            _rows(m), m.model, m.run.id,
        )
        for task, m in found.items()
    ]  # fmt: skip
    for line in render.columns([("task", "metrics", "rows", "model", "run"), *rows]):
        render.out(line)
    render.out()
    name = "mean of what is there (no GLUE score)" if result.missing else "GLUE score"
    render.out(f"{name}: {result.score:.2f}")
    for line in result.lines:
        render.out(line)
    parts = [task for task, m in found.items() if not m.is_whole]
    if parts:
        render.warn(
            f"not measured on all rows of the set: {', '.join(parts)}; compare with nothing"
        )
    models = sorted({m.model for m in found.values()})
    if len(models) > 1:
        render.warn(f"these are of {len(models)} different models: {', '.join(models)}")


def _rows(m: Measured) -> str:
    rows = "" if m.rows is None else f"{m.rows:,}"
    return rows if m.is_whole else f"{rows or 'limited'} (!)"


def _facts(
    found: dict[str, Measured], percent: dict[str, dict[str, float]], result: GlueScore, split: str
) -> dict[str, Any]:
    return {
        "split": split,
        "convention": result.convention,
        "text": result.text,
        "score": None if result.missing else result.score,
        "mean": result.score,
        "parts": dict(result.parts),
        "missing": list(result.missing),
        "tasks": {
            task: {"metrics": percent[task], "rows": m.rows, "is_whole": m.is_whole,
                   "model": m.model, "run": m.run.id}
            for task, m in found.items()
        },
    }  # fmt: skip
