"""`mlrecipe new`: a project that runs at once, or a recipe for a person's own table."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from mlrecipe.cli import render


def new(
    ctx: typer.Context,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FOLDER]",
            help="Where to put it; with --from the current folder by default.",
            show_default=False,
        ),
    ] = None,
    table: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="TABLE",
            help="Your own table (CSV, TSV, JSON Lines), or words with tags (CoNLL).",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the experiment.")] = None,
) -> None:
    """Make a project with a recipe that runs at once, offline, on a CPU.

    With --from, looks at your own table and writes a recipe for it, each choice explained in a comment.

    Examples: mlrecipe new my-project; mlrecipe new --from data.csv
    """
    from mlrecipe.cli.schema import refresh
    from mlrecipe.errors import RequestError
    from mlrecipe.scaffold.project import create

    if folder is None and table is None:
        raise RequestError(
            "name a folder for the project", hint="for example: mlrecipe new my-project"
        )
    target = folder or Path()
    written = create(target, table=table, name=name)
    refresh(target)  # so that an editor completes the recipe at once
    for path in written:
        render.out(f"  {path}")
    recipe = next((path for path in written if path.suffix == ".toml"), None)
    if recipe is not None and not ctx.obj.is_quiet:
        enter = (
            f"cd {shlex.quote(str(target))} && "
            if folder is not None and str(target) != "."
            else ""
        )
        render.say(f"\nrun it with: {enter}mlrecipe run {recipe.name}")
