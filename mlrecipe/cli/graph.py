"""`mlrecipe graph`: a recipe's data graph, drawn."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from mlrecipe.cli import render
from mlrecipe.cli.options import NONE, Json, RecipeArgument
from mlrecipe.cli.prepare import Nodes
from mlrecipe.cli.session import Session
from mlrecipe.errors import RequestError
from mlrecipe.pipeline import drawing
from mlrecipe.pipeline.plan import Plan
from mlrecipe.pipeline.plan import plan as make_plan
from mlrecipe.pipeline.standing import told
from mlrecipe.recipe.schema import Overrides

_COLORS = {"hit": "green", "run": "yellow", "maybe": "cyan"}


def graph(
    ctx: typer.Context,
    recipe: RecipeArgument,
    nodes: Nodes = None,
    overrides: Overrides = NONE,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            metavar="FILE",
            help="Write an .svg picture, or a .mmd or .md text for Mermaid, instead of printing.",
            show_default=False,
        ),
    ] = None,
    form: Annotated[
        Literal["text", "mermaid", "svg"] | None,
        typer.Option("--format", help="What to print; text by default, else as FILE ends."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw the data graph with the state of each node: hit, run or maybe; runs nothing.

    Evaluation nodes are drawn over the newest test run's predictions.

    Examples: mlrecipe graph imdb.toml; mlrecipe graph imdb.toml --output imdb.svg
    """
    session = Session.of(recipe)
    request = session.open(overrides, settings=ctx.obj)
    if request.loaded.recipe.evaluate.nodes:
        from mlrecipe.cli.evaluate import drawn

        request = drawn(session, request)
    planned = told(make_plan(request, session.store, nodes=nodes or ()), session.store)
    if as_json:
        render.document(_facts(planned))
        return
    form = form or _form(output)
    if form == "text" and output is None:
        _print(planned, empty=f"{session.shown} has no nodes")
        return
    text = drawing.svg(planned) if form == "svg" else drawing.mermaid(planned)
    if form == "text":
        text = "\n".join(f"{row.lanes}  {row.node}".rstrip() for row in _rows(planned))
    elif form == "mermaid" and output is not None and output.suffix == ".md":
        text = f"```mermaid\n{text}\n```"
    if output is None:
        render.out(text)
        return
    _write(output, text + "\n")
    render.say(f"written: {output}")


def _form(output: Path | None) -> Literal["text", "mermaid", "svg"]:
    suffix = output.suffix if output is not None else ""
    known: dict[str, Literal["text", "mermaid", "svg"]] = {
        "": "text", ".txt": "text", ".svg": "svg", ".mmd": "mermaid", ".mermaid": "mermaid",
        ".md": "mermaid",
    }  # fmt: skip
    if suffix not in known:
        raise RequestError(f"cannot write a {suffix} file", hint=f"known: {', '.join(known)[2:]}")
    return known[suffix]


def _write(path: Path, text: str) -> None:
    beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, path)
    except OSError as error:
        raise RequestError(f"cannot write {str(path)!r}: {error.strerror}") from error


def _rows(planned: Plan) -> list[drawing.Row]:
    return drawing.rows([step.node.name for step in planned.steps], drawing.edges(planned))


def _print(planned: Plan, *, empty: str) -> None:
    found = _rows(planned)
    if not found:
        render.out(empty)
        return
    width = max(len(row.lanes) for row in found)
    name = max(len(row.node) for row in found)
    use = max(len(step.node.spec.use) for step in planned.steps)
    for row in found:
        step = planned.by_node.get(row.node)
        if step is None:
            render.out(row.lanes)
            continue
        status = render.styled(step.status, _COLORS[step.status])
        if step.status == "hit" and len(step.reasons) > 1:
            status += f": {'; '.join(step.reasons[1:])}"
        render.out(
            f"{row.lanes:<{width}}  {row.node:<{name}}  {step.node.spec.use:<{use}}  {status}"
        )


def _facts(planned: Plan) -> dict[str, object]:
    return {
        "nodes": [
            {"node": step.node.name, "op": step.node.spec.use, "status": step.status}
            for step in planned.steps
        ],
        "edges": [{"from": source, "to": target} for source, target in drawing.edges(planned)],
    }
